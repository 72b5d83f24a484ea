//! `Releases`: tells calls that wait for their circuit when there may be room again.
//!
//! A release wakes one call, the one that has waited longest. A call that was woken wakes the next one if there is
//! still room after it has asked, whether it was admitted or gave up. So all go that can, in their order, and a release
//! that nobody uses is not lost.

use core::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

/// Where calls wait for others to end. Shared by the executors of one circuit.
#[derive(Debug, Default)]
pub(super) struct Releases {
    notify: Notify,
    /// Whether any of the executors has calls that wait; it stays set.
    awaited: AtomicBool,
}

impl Releases {
    /// From now on some calls wait.
    pub(super) fn await_them(&self) {
        self.awaited.store(true, Ordering::Relaxed);
    }

    /// The next release. It counts from `enable` or the first poll on.
    pub(super) fn next(&self) -> Notified<'_> {
        self.notify.notified()
    }

    /// Wakes the call that has waited longest. One load where no call ever waits.
    pub(super) fn announce(&self) {
        if self.awaited.load(Ordering::Relaxed) {
            self.notify.notify_one();
        }
    }
}
