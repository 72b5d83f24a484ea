//! `Waiting`: how one clone of a service waits for its circuit.

use super::service_circuit::ServiceCircuit;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use core::time::Duration;
use fusebox_core::Instant;
use tokio::sync::futures::OwnedNotified;
use tokio::time::Sleep;

/// What one clone of a service waits for. It allocates when it waits, and only then.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// When the first refusal came.
    since: Option<Instant>,
    release: Option<Pin<Box<OwnedNotified>>>,
    timer: Option<Pin<Box<Sleep>>>,
}

/// Why a wait has ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Woken {
    /// Its time has come, or nothing was waited for.
    ByTime,
    /// Another call has ended.
    ByRelease,
}

impl Waiting {
    /// Waits for what it was told to wait for, whichever comes first.
    pub(super) fn poll_woken(&mut self, cx: &mut Context<'_>) -> Poll<Woken> {
        if self.release.as_mut().is_some_and(|release| release.as_mut().poll(cx).is_ready()) {
            self.release = None;
            return Poll::Ready(Woken::ByRelease);
        }
        match &mut self.timer {
            Some(timer) => ready!(timer.as_mut().poll(cx)),
            None if self.release.is_some() => return Poll::Pending,
            None => {}
        }
        self.timer = None;
        Poll::Ready(Woken::ByTime)
    }

    /// Waits for a release, for no longer than `limit`; `None` is no limit. One that listens already keeps its place.
    pub(super) fn for_release(&mut self, circuit: &ServiceCircuit, limit: Option<Duration>) {
        self.release.get_or_insert_with(|| Box::pin(circuit.next_release()));
        self.arm(limit);
    }

    /// Waits for a time, and leaves releases to those that wait for one.
    pub(super) fn for_time(&mut self, limit: Option<Duration>) {
        self.release = None;
        self.arm(limit);
    }

    fn arm(&mut self, limit: Option<Duration>) {
        self.timer = limit.map(|limit| Box::pin(tokio::time::sleep(limit)));
    }

    /// How long it has waited by `now`; the first time it is asked the wait begins.
    pub(super) fn waited(&mut self, now: Instant) -> Duration {
        now.saturating_since(*self.since.get_or_insert(now))
    }

    /// The wait is over, or was given up. A release that came meanwhile goes to the next one that waits.
    pub(super) fn stop(&mut self) {
        *self = Self::default();
    }
}
