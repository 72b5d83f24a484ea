//! `KeyedTable`: a value per key, such as a circuit per host or per tenant, for a bounded number of keys.
//!
//! ```text
//!              known key                      new key, full              nothing to take out
//!   get(key) -----------> its entry   get(key) ----------> takes out  ----------------------> the shared entry
//!                                                          a fresh one
//! ```
//!
//! **What is taken out.** Only an entry that nobody holds and that is fresh: one for which a new one would decide the
//! same. Any other would forget an open breaker or refill a bucket. Where none can be found, the key shares one entry
//! with all others like it, so limits stay limits; [`KeyedTable::shared`] counts how often.
//!
//! **Guarantees.** A key has one entry of its own at most. An entry stays in the table while it is held. There are never
//! more entries than the maximum when they were made; a lower maximum takes effect as entries become fresh. An entry
//! that is not fresh is never lost, except through [`KeyedTable::retain`].
//!
//! **Non-guarantees.** A key that has shared the entry before it got one of its own starts afresh with that one.
//!
//! **Cost.** A known key: one lookup, two read-modify-writes and as many to let go; no lock, no allocation, whatever
//! others do, unless its entry is just being looked at to take it out. A new key: a lock, and at most [`SEARCHED`]
//! entries to look at. Keys that somebody makes up cost no more: where a whole round has found nothing in a large table,
//! the next begins after a pause of a microsecond per entry, and until then a new key reads four words and shares.
//! Memory is bounded by the maximum, since keys longer than [`MAX_KEY`] share, too.

mod entry;
mod ring;

#[cfg(test)]
mod tests;

pub(crate) use entry::Entry;

use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use core::time::Duration;
use entry::Slot;
use foldhash::quality::RandomState;
use fusebox_core::Instant;
use ring::{Ring, SEARCHED};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The longest key, in bytes, that has an entry of its own.
pub(crate) const MAX_KEY: usize = 1_024;

/// What a table knows of its values. It may be asked while the table changes, so it must not use the table.
pub(crate) trait Keeper {
    /// The value of a key.
    type Value;

    /// The value that a key begins with; without a key, that of the entry which keys share.
    fn fresh(&self, key: Option<&str>) -> Self::Value;

    /// Whether a fresh value would decide the same at `now` and ever after.
    fn is_fresh(&self, value: &Self::Value, now: Instant) -> bool;
}

/// A value per key, for a bounded number of keys. See the [module documentation](self).
pub(crate) struct KeyedTable<K: Keeper> {
    keeper: K,
    map: papaya::HashMap<Arc<str>, Arc<Slot<K::Value>>, RandomState>,
    /// The same slots, in a row. Who holds it adds and takes out; lookups do not take it.
    ring: Mutex<Ring<K::Value>>,
    /// The number of slots, written under the lock.
    len: AtomicUsize,
    max: AtomicUsize,
    rest: Rest,
    overflow: Arc<Slot<K::Value>>,
    shared: AtomicU64,
}

impl<K: Keeper> KeyedTable<K> {
    /// An empty table of at most `max` entries. With 0, all keys share one.
    pub(crate) fn new(keeper: K, max: usize) -> Self {
        let overflow = Arc::new(Slot::new(None, keeper.fresh(None)));
        Self {
            keeper,
            map: papaya::HashMap::with_hasher(RandomState::default()),
            ring: Mutex::new(Ring::new()),
            len: AtomicUsize::new(0),
            max: AtomicUsize::new(max),
            rest: Rest::default(),
            overflow,
            shared: AtomicU64::new(0),
        }
    }

    /// The entry of `key`, made on first use; the shared one where there is no room.
    pub(crate) fn get(&self, key: &str, now: Instant) -> Entry<K::Value> {
        if key.len() > MAX_KEY {
            return self.share();
        }
        match self.map.pin().get(key).map(Slot::hold) {
            Some(Some(entry)) => return entry,
            // it is being taken out, or stays after all: whoever has the lock knows
            Some(None) => {}
            None if self.len() >= self.max() && self.rest.lasts(now) => return self.share(),
            None => {}
        }
        self.get_or_make(key, now)
    }

    /// What the table knows of its values.
    pub(crate) const fn keeper(&self) -> &K {
        &self.keeper
    }

    /// The number of keys that have an entry of their own.
    pub(crate) fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    /// The largest number of entries.
    pub(crate) fn max(&self) -> usize {
        self.max.load(Ordering::Relaxed)
    }

    /// How often a key had to share.
    pub(crate) fn shared(&self) -> u64 {
        self.shared.load(Ordering::Relaxed)
    }

    /// The value that keys share when there is no room.
    pub(crate) fn overflow(&self) -> &K::Value {
        self.overflow.value()
    }

    /// Shows every key with its value, in no order. Takes no lock; keys that come or go meanwhile may be missing.
    pub(crate) fn for_each(&self, mut show: impl FnMut(&str, &K::Value)) {
        for (key, slot) in &self.map.pin() {
            show(key, slot.value());
        }
    }

    /// Takes out the entries that `keep` does not want, fresh or not, unless they are held; says how many. It may be
    /// asked twice about one entry, and must not use the table. New keys wait meanwhile.
    pub(crate) fn retain(&self, mut keep: impl FnMut(&str, &K::Value) -> bool) -> usize {
        let mut ring = self.lock();
        let before = ring.len();
        ring.retain(|slot| {
            let key = slot.key().unwrap_or_default();
            let out = slot.take_out_if(|value| !keep(key, value));
            if out {
                self.map.pin().remove(key);
            }
            !out
        });
        self.note_len(&ring);
        before - ring.len()
    }

    /// Takes out every entry that nobody holds, fresh or not; says how many.
    pub(crate) fn clear(&self) -> usize {
        self.retain(|_, _| false)
    }

    /// Changes the largest number of entries. Entries over a lower one go now or later, once they are fresh and nobody
    /// holds them; until then new keys share. Looks at every entry where there are too many.
    pub(crate) fn set_max(&self, max: usize, now: Instant) {
        let mut ring = self.lock();
        self.max.store(max, Ordering::Relaxed);
        self.rest.end();
        let mut over = ring.len().saturating_sub(max);
        ring.retain(|slot| {
            let out = over > 0 && slot.take_out_if(|value| self.keeper.is_fresh(value, now));
            if out {
                over -= 1;
                self.forget(slot);
            }
            !out
        });
        self.note_len(&ring);
    }

    /// As [`KeyedTable::get`], for a key that is most likely new.
    fn get_or_make(&self, key: &str, now: Instant) -> Entry<K::Value> {
        let mut ring = self.lock();
        // somebody else may have made it, and what was being taken out is out or stays
        if let Some(entry) = self.map.pin().get(key).and_then(Slot::hold) {
            return entry;
        }
        let max = self.max();
        if ring.len() >= max {
            match ring.take_out(|value| self.keeper.is_fresh(value, now)) {
                Some(slot) => self.forget(&slot),
                None if ring.went_round_in_vain() => self.rest.begin(now, ring.len()),
                None => {}
            }
        }
        if ring.len() >= max {
            self.note_len(&ring);
            return self.share();
        }
        let key: Arc<str> = key.into();
        let slot = Arc::new(Slot::new(Some(Arc::clone(&key)), self.keeper.fresh(Some(&key))));
        let entry = slot.first_hold();
        ring.put(Arc::clone(&slot));
        self.map.pin().insert(key, slot);
        self.note_len(&ring);
        entry
    }

    fn share(&self) -> Entry<K::Value> {
        self.shared.fetch_add(1, Ordering::Relaxed);
        self.overflow.first_hold()
    }

    fn forget(&self, slot: &Slot<K::Value>) {
        self.map.pin().remove(slot.key().unwrap_or_default());
    }

    fn note_len(&self, ring: &Ring<K::Value>) {
        self.len.store(ring.len(), Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Ring<K::Value>> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Keeper> fmt::Debug for KeyedTable<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyedTable")
            .field("len", &self.len())
            .field("max", &self.max())
            .field("shared", &self.shared())
            .finish_non_exhaustive()
    }
}

/// The pause after a round that has found nothing to take out. Relaxed: a reader that sees one word old and one new
/// searches once too often or shares once too often.
#[derive(Debug, Default)]
struct Rest {
    since: AtomicU64,
    /// In nanoseconds.
    length: AtomicU64,
}

impl Rest {
    /// A microsecond per entry, many times what looking at it takes. None where a search looks at every entry anyway:
    /// such a small table always finds what there is.
    fn begin(&self, now: Instant, entries: usize) {
        let length = if entries > SEARCHED { (entries as u64).saturating_mul(1_000) } else { 0 };
        self.since.store(now.as_nanos(), Ordering::Relaxed);
        self.length.store(length, Ordering::Relaxed);
    }

    fn end(&self) {
        self.length.store(0, Ordering::Relaxed);
    }

    /// Whether `now` lies within the pause. A clock that has gone back before its begin ends it.
    fn lasts(&self, now: Instant) -> bool {
        let since = Instant::from_nanos(self.since.load(Ordering::Relaxed));
        let length = Duration::from_nanos(self.length.load(Ordering::Relaxed));
        now >= since && now.saturating_since(since) < length
    }
}
