//! `Slot`: the place that a tool has in a registry, which stays the same while what is in it is replaced.

use super::entry::Entry;
use crate::Sleep;
use arc_swap::ArcSwapOption;
use std::sync::Arc;

/// The place of one tool; its names and its handles lead here.
pub(super) struct Slot<C: Sleep> {
    pub(super) name: Arc<str>,
    /// Empty once the tool is removed.
    entry: ArcSwapOption<Entry<C>>,
}

impl<C: Sleep> Slot<C> {
    pub(super) fn new(name: Arc<str>, entry: Entry<C>) -> Self {
        Self { name, entry: ArcSwapOption::from_pointee(entry) }
    }

    pub(super) fn entry(&self) -> Option<Arc<Entry<C>>> {
        self.entry.load_full()
    }

    pub(super) fn put(&self, entry: Entry<C>) {
        self.entry.store(Some(Arc::new(entry)));
    }

    pub(super) fn clear(&self) {
        self.entry.store(None);
    }
}
