//! `Releases`: tells calls that wait for a limiter when there may be room again.
//!
//! A release wakes one call, the one that has waited longest. A call that was woken wakes the next one if there is
//! still room after it has asked, whether it was admitted or gave up. So all go that can, in their order, and a release
//! that nobody uses is not lost.

use core::sync::atomic::{AtomicBool, Ordering, fence};
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
        self.awaited.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        self.notify.notified()
    }

    /// Whether somebody may wait. Asked after a release: of a call that listens and then asks, and one that releases and
    /// then looks here, at least one sees the other. The fences say so, whatever the order of the state that is released.
    pub(crate) fn are_awaited(&self) -> bool {
        fence(Ordering::SeqCst);
        self.awaited.load(Ordering::Relaxed)
    }

    /// Wakes all calls that wait.
    pub(crate) fn announce_to_all(&self) {
        self.notify.notify_waiters();
        self.announce(); // for one that is just about to wait
    }

    /// Wakes the call that has waited longest. A fence and a load where no call ever waited.
    pub(crate) fn announce(&self) {
        if self.are_awaited() {
            self.notify.notify_one();
        }
    }
}
