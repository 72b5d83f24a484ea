//! `Releases`: tells calls that wait for a limiter when there may be room again.
//!
//! A release wakes one call, the one that has waited longest. A call that was woken wakes the next one if there is
//! still room after it has asked, whether it was admitted or gave up. So all go that can, in their order, and a release
//! that nobody uses is not lost.

use core::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

/// Where calls wait for others to end.
#[derive(Debug, Default)]
pub(crate) struct Releases {
    notify: Notify,
    /// Whether a call has ever waited; it stays set.
    awaited: AtomicBool,
}

impl Releases {
    /// The next release. It counts from `enable` or the first poll on; ask again after it, because a release before that
    /// is missed.
    pub(crate) fn next(&self) -> Notified<'_> {
        self.awaited.store(true, Ordering::SeqCst);
        self.notify.notified()
    }

    pub(crate) fn are_awaited(&self) -> bool {
        self.awaited.load(Ordering::SeqCst)
    }

    /// Wakes the call that has waited longest. One load where no call ever waited.
    pub(crate) fn announce(&self) {
        if self.are_awaited() {
            self.notify.notify_one();
        }
    }
}
