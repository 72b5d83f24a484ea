//! `Slot`: the place that a tool has in a registry, which stays the same while what is in it is replaced.

use super::entry::Entry;
use crate::Sleep;
use arc_swap::ArcSwap;
use core::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

/// The place of one tool; its names and its handles lead here.
pub(super) struct Slot<C: Sleep> {
    pub(super) name: Arc<str>,
    /// What is there now or, once the tool is removed, what was there last: calls under way still count in it.
    entry: ArcSwap<Entry<C>>,
    removed: AtomicBool,
}

impl<C: Sleep> Slot<C> {
    pub(super) fn new(name: Arc<str>, entry: Entry<C>) -> Self {
        Self { name, entry: ArcSwap::from_pointee(entry), removed: AtomicBool::new(false) }
    }

    pub(super) fn entry(&self) -> Arc<Entry<C>> {
        self.entry.load_full()
    }

    /// What is to be called; `None` once the tool is removed.
    pub(super) fn present(&self) -> Option<Arc<Entry<C>>> {
        (!self.removed.load(Ordering::Acquire)).then(|| self.entry())
    }

    pub(super) fn put(&self, entry: Entry<C>) {
        self.entry.store(Arc::new(entry));
    }

    pub(super) fn remove(&self) {
        self.removed.store(true, Ordering::Release);
    }
}
