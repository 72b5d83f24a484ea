//! `Ring`: the slots of a table in a row, and the hand that goes round them in search of one to take out.
//!
//! A search begins where the last one ended, and a new slot is put just behind the hand: it is looked at last. So the
//! search costs little where many may go, and every slot gets its turn where few may.

use super::entry::Slot;
use std::sync::Arc;

/// How many slots one search looks at, at most.
pub(crate) const SEARCHED: usize = 64;

/// The slots of a table.
#[derive(Debug)]
pub(super) struct Ring<V> {
    slots: Vec<Arc<Slot<V>>>,
    /// The next slot to look at; behind the last one, it is the first.
    hand: usize,
    /// How many slots in a row could not go.
    in_vain: usize,
}

impl<V> Ring<V> {
    pub(super) const fn new() -> Self {
        Self { slots: Vec::new(), hand: 0, in_vain: 0 }
    }

    pub(super) const fn len(&self) -> usize {
        self.slots.len()
    }

    /// Takes out the next slot that may go, among as many as one search looks at.
    pub(super) fn take_out(&mut self, mut may_go: impl FnMut(&V) -> bool) -> Option<Arc<Slot<V>>> {
        if self.went_round_in_vain() {
            self.in_vain = 0;
        }
        for _ in 0..self.slots.len().min(SEARCHED) {
            if self.hand >= self.slots.len() {
                self.hand = 0;
            }
            if self.slots.get(self.hand)?.take_out_if(&mut may_go) {
                self.in_vain = 0;
                return Some(self.slots.swap_remove(self.hand));
            }
            self.hand += 1;
            self.in_vain += 1;
        }
        None
    }

    /// Whether the latest searches have looked at every slot and found none.
    pub(super) const fn went_round_in_vain(&self) -> bool {
        self.in_vain >= self.slots.len()
    }

    /// Adds a slot just behind the hand.
    pub(super) fn put(&mut self, slot: Arc<Slot<V>>) {
        self.slots.push(slot);
        let last = self.slots.len() - 1;
        let place = self.hand.min(last);
        self.slots.swap(place, last);
        self.hand = place + 1;
    }

    /// Removes the slots that `keep` does not want.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(&Slot<V>) -> bool) {
        self.slots.retain(|slot| keep(slot));
        self.in_vain = 0;
    }
}
