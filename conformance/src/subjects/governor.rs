//! governor: a keyed limiter with one key, on a clock that is set by hand.

use crate::limiter::{Hint, LimiterSpec, LimiterSubject, LimiterUnderTest};
use crate::time::{ClockKind, Nanos};
use core::future::Future;
use core::num::NonZeroU32;
use core::pin::Pin;
use core::sync::atomic::{AtomicU64, Ordering};
use core::task::{Context, Waker};
use core::time::Duration;
use governor::clock::{Clock, ReasonablyRealtime};
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use std::sync::Arc;

/// governor, with any clock.
#[derive(Debug)]
pub(crate) struct Governor;

type Limiter = RateLimiter<(), HashMapStateStore<()>, HandClock, NoOpMiddleware<governor::nanos::Nanos>>;

/// A table of one key.
#[derive(Debug)]
pub(crate) struct Table {
    clock: HandClock,
    limiter: Arc<Limiter>,
}

/// A clock that shows what it was last set to.
#[derive(Clone, Debug, Default)]
pub(crate) struct HandClock(Arc<AtomicU64>);

impl Clock for HandClock {
    type Instant = governor::nanos::Nanos;

    fn now(&self) -> Self::Instant {
        self.0.load(Ordering::Relaxed).into()
    }
}

impl ReasonablyRealtime for HandClock {}

impl LimiterSubject for Governor {
    type Limiter = Table;

    fn clock(&self) -> ClockKind {
        ClockKind::Any
    }

    fn build(&self, spec: &LimiterSpec) -> Result<Table, String> {
        let quota = Quota::with_period(Duration::from_nanos(spec.per) / spec.tokens).ok_or("a period of zero")?;
        let clock = HandClock::default();
        let limiter = RateLimiter::hashmap_with_clock(quota.allow_burst(count(spec.burst)), clock.clone());
        Ok(Table { clock, limiter: Arc::new(limiter) })
    }
}

impl Table {
    fn at(&self, now: Nanos) -> &Arc<Limiter> {
        self.clock.0.store(now, Ordering::Relaxed);
        &self.limiter
    }
}

impl LimiterUnderTest for Table {
    type Wait = Pin<Box<dyn Future<Output = ()>>>;

    fn try_acquire(&self, now: Nanos, cost: u32) -> Result<(), Hint> {
        match self.at(now).check_key_n(&(), count(cost)) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(until)) => {
                let wait = until.wait_time_from(self.clock.now()).as_nanos();
                Err(Nanos::try_from(wait).map_or(Hint::Unknown, Hint::After))
            }
            Err(_) => Err(Hint::Never),
        }
    }

    fn start_wait(&self, now: Nanos, cost: u32) -> Option<Self::Wait> {
        let limiter = Arc::clone(self.at(now));
        let mut wait: Self::Wait = Box::pin(async move {
            let _ = limiter.until_key_n_ready(&(), count(cost)).await;
        });
        let pending = wait.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending();
        pending.then_some(wait)
    }

    fn cancel_wait(&self, now: Nanos, wait: Self::Wait) {
        self.at(now);
        drop(wait);
    }

    fn can_be_forgotten(&self, now: Nanos) -> Option<bool> {
        self.at(now).retain_recent();
        Some(self.limiter.is_empty())
    }
}

fn count(tokens: u32) -> NonZeroU32 {
    NonZeroU32::new(tokens).unwrap_or(NonZeroU32::MIN)
}
