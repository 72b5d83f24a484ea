//! `Waiting`: how one clone of a service waits for its circuit.

use super::service_circuit::ServiceCircuit;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use core::time::Duration;
use fusebox_core::Instant;
use std::fmt;
use tokio::sync::futures::OwnedNotified;
use tokio::time::Sleep;

/// What one clone of a service waits for. It allocates when it waits, and only then.
#[derive(Default)]
pub(super) struct Waiting {
    /// When the first refusal came.
    since: Option<Instant>,
    release: Option<Pin<Box<dyn Future<Output = ()> + Send + Sync>>>,
    change: Option<Pin<Box<OwnedNotified>>>,
    timer: Option<Pin<Box<Sleep>>>,
}

/// Why a wait has ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Woken {
    /// Its time has come, or nothing was waited for, or a person has changed the circuit.
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
        if self.change.as_mut().is_some_and(|change| change.as_mut().poll(cx).is_ready()) {
            self.change = None;
            return Poll::Ready(Woken::ByTime);
        }
        match &mut self.timer {
            Some(timer) => ready!(timer.as_mut().poll(cx)),
            None if self.change.is_some() => return Poll::Pending,
            None => {}
        }
        self.timer = None;
        Poll::Ready(Woken::ByTime)
    }

    /// Waits for a release, for no longer than `limit`; `None` is no limit. One that listens already keeps its place.
    ///
    /// Says whether it listens only from its next poll on: what came before that is missed, so the circuit must be
    /// asked again.
    pub(super) fn for_release(&mut self, circuit: &ServiceCircuit, limit: Option<Duration>) -> bool {
        let is_new = self.release.is_none();
        if is_new {
            let circuit = circuit.clone();
            self.release = Some(Box::pin(async move { circuit.limiter().releases().next().await }));
        }
        self.arm(circuit, limit) || is_new
    }

    /// Waits for a time, and leaves releases to those that wait for one. Says the same as [`Waiting::for_release`].
    pub(super) fn for_time(&mut self, circuit: &ServiceCircuit, limit: Option<Duration>) -> bool {
        self.release = None;
        self.arm(circuit, limit)
    }

    fn arm(&mut self, circuit: &ServiceCircuit, limit: Option<Duration>) -> bool {
        self.timer = limit.map(|limit| Box::pin(tokio::time::sleep(limit)));
        let is_new = self.change.is_none();
        self.change.get_or_insert_with(|| Box::pin(circuit.next_change()));
        is_new
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

impl fmt::Debug for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiting").field("since", &self.since).finish_non_exhaustive()
    }
}
