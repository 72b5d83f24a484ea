//! `Entry`: a value that stays in its table while it is held, and the word that sees to it.
//!
//! | bits of the word | meaning |
//! |---|---|
//! | 0 to 62 | how many hold the slot |
//! | 63, `OUT` | the table is taking it out, or has done so |
//!
//! 1. Taking hold adds one and looks at what was there. With `OUT` set it takes the one back, and holds nothing.
//! 2. `OUT` is set by a compare-exchange from 0, so only where nobody holds the slot, and only under the table's lock.
//! 3. Whether the value may go is asked once `OUT` is set, since nobody changes it from then on. What was asked before
//!    only saves the write where the answer is no.
//! 4. Before the lock is given back the slot has left the map, or `OUT` is unset again, also when the question panics.
//!
//! The one race: a reader has found the slot in the map and is about to hold it while the table takes it out. If the
//! reader adds first, the compare-exchange fails and the slot stays. If `OUT` comes first, the reader sees it, waits for
//! the lock and looks again: it finds the slot still there, or makes a new one. By then the old one is out of the map
//! and nobody holds it, so it cannot decide anything any more.
//!
//! Letting go releases and setting `OUT` acquires, so that the question of rule 3 sees what every holder did.

use core::ops::Deref;
use core::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

const OUT: u64 = 1 << 63;

/// A value with its key and the word that says who holds it.
#[derive(Debug)]
pub(super) struct Slot<V> {
    word: AtomicU64,
    value: V,
    /// `None` for the one that keys share.
    key: Option<Arc<str>>,
}

impl<V> Slot<V> {
    pub(super) const fn new(key: Option<Arc<str>>, value: V) -> Self {
        Self { word: AtomicU64::new(0), value, key }
    }

    pub(super) const fn value(&self) -> &V {
        &self.value
    }

    pub(super) fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// Takes hold of the slot, unless it is being taken out (rule 1).
    pub(super) fn hold(self: &Arc<Self>) -> Option<Entry<V>> {
        let before = self.word.fetch_add(1, Ordering::Acquire);
        // on the way out as well, the one goes back when this is dropped
        let entry = Entry { slot: Arc::clone(self) };
        (before & OUT == 0).then_some(entry)
    }

    /// Takes hold of a slot that nobody can be taking out.
    pub(super) fn first_hold(self: &Arc<Self>) -> Entry<V> {
        self.word.fetch_add(1, Ordering::Acquire);
        Entry { slot: Arc::clone(self) }
    }

    /// Marks the slot as out if nobody holds it and its value may go; says whether it did. To be called under the
    /// table's lock, by someone who takes a slot that is out from the map.
    pub(super) fn take_out_if(&self, mut may_go: impl FnMut(&V) -> bool) -> bool {
        if self.word.load(Ordering::Relaxed) != 0 || !may_go(&self.value) {
            return false;
        }
        if self.word.compare_exchange(0, OUT, Ordering::Acquire, Ordering::Relaxed).is_err() {
            return false;
        }
        let mut claim = Claim { word: &self.word, kept: false };
        claim.kept = may_go(&self.value);
        claim.kept
    }
}

/// `OUT` as long as it is not decided whether the slot goes.
struct Claim<'a> {
    word: &'a AtomicU64,
    kept: bool,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        if !self.kept {
            // not a store: readers that were turned away have yet to take their one back
            self.word.fetch_and(!OUT, Ordering::Release);
        }
    }
}

/// A value of a table. It stays in the table while this is held.
#[derive(Debug)]
pub(crate) struct Entry<V> {
    slot: Arc<Slot<V>>,
}

impl<V> Entry<V> {
    /// The key; `None` for the entry that keys share when there is no room.
    pub(crate) fn shared_key(&self) -> Option<&Arc<str>> {
        self.slot.key.as_ref()
    }

    #[cfg(test)]
    pub(super) fn key(&self) -> Option<&str> {
        self.slot.key()
    }
}

impl<V> Deref for Entry<V> {
    type Target = V;

    fn deref(&self) -> &V {
        &self.slot.value
    }
}

impl<V> Drop for Entry<V> {
    fn drop(&mut self) {
        self.slot.word.fetch_sub(1, Ordering::Release);
    }
}
