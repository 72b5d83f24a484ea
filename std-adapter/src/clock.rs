//! Clocks for the core: tokio's, the system's, the time-stamp counter's, and one moved by hand.

use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use fusebox_core::{Clock, Instant};
use std::sync::Arc;

/// Tokio's clock, the default: it stands still while a test has paused time. Its origin is its creation.
#[derive(Clone, Copy, Debug)]
pub struct TokioClock {
    origin: tokio::time::Instant,
}

impl TokioClock {
    /// A clock that reads zero now.
    pub fn new() -> Self {
        Self { origin: tokio::time::Instant::now() }
    }
}

impl Default for TokioClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Instant {
        Instant::ORIGIN.saturating_add(self.origin.elapsed())
    }
}

/// The system's monotonic clock, for code outside of tokio. Its origin is its creation.
#[derive(Clone, Copy, Debug)]
pub struct StdClock {
    origin: std::time::Instant,
}

impl StdClock {
    /// A clock that reads zero now.
    pub fn new() -> Self {
        Self { origin: std::time::Instant::now() }
    }
}

impl Default for StdClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for StdClock {
    fn now(&self) -> Instant {
        Instant::ORIGIN.saturating_add(self.origin.elapsed())
    }
}

/// The processor's time-stamp counter, by the `quanta` crate: about half the cost of the system clock.
/// Its origin is its creation. It knows nothing of paused time.
#[derive(Clone, Debug)]
pub struct TscClock {
    clock: quanta::Clock,
    origin: quanta::Instant,
}

impl TscClock {
    /// A clock that reads zero now. The first one in a process calibrates the counter, for some milliseconds.
    pub fn new() -> Self {
        let clock = quanta::Clock::new();
        let origin = clock.now();
        Self { clock, origin }
    }
}

impl Default for TscClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for TscClock {
    fn now(&self) -> Instant {
        Instant::ORIGIN.saturating_add(self.clock.now().saturating_duration_since(self.origin))
    }
}

/// A clock that is moved by hand. Clones share the time.
///
/// It decides what a circuit sees; sleeping (timeouts, backoff) stays with tokio.
///
/// ```
/// use fusebox::{Clock, ManualClock};
/// use std::time::Duration;
///
/// let clock = ManualClock::default();
/// clock.advance(Duration::from_secs(5));
/// assert_eq!(clock.now().as_nanos(), 5_000_000_000);
/// ```
#[derive(Clone, Debug, Default)]
pub struct ManualClock {
    nanos: Arc<AtomicU64>,
}

impl ManualClock {
    /// Moves the clock to `now`, forwards or backwards.
    pub fn set(&self, now: Instant) {
        self.nanos.store(now.as_nanos(), Ordering::Release);
    }

    /// Moves the clock forwards; it stays at its last point rather than wrap.
    pub fn advance(&self, span: Duration) {
        let later = |nanos| Some(Instant::from_nanos(nanos).saturating_add(span).as_nanos());
        // the closure always returns a value, so the update always succeeds
        let _ = self.nanos.fetch_update(Ordering::AcqRel, Ordering::Acquire, later);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Instant {
        Instant::from_nanos(self.nanos.load(Ordering::Acquire))
    }
}
