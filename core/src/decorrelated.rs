//! `DecorrelatedBackoff`: how long to wait before each retry, by the wait before the last one.

use crate::backoff::LONGEST;
use crate::error::{PolicyError, check_time};
use crate::jitter::scale;
use crate::time::nanos;
use core::time::Duration;

/// A checked backoff with decorrelated jitter: each delay is drawn between the base and three times the delay before it,
/// never above the cap.
///
/// Callers that failed together drift apart further with every retry, because each draws from a range of its own. The
/// one thing to remember between retries is the previous delay, so it is an argument.
///
/// Source: Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015:
/// `sleep = min(cap, random_between(base, previous x 3))`.
///
/// ```
/// use core::time::Duration;
/// use fusebox_core::DecorrelatedBackoff;
///
/// let backoff = DecorrelatedBackoff::new(Duration::from_millis(100), Duration::from_secs(10))?;
/// let first = backoff.delay(None, u64::MAX / 2);
/// assert_eq!(first.as_millis(), 199); // half way from 100 to 300
/// assert_eq!(backoff.delay(Some(first), 0), Duration::from_millis(100));
/// assert_eq!(backoff.delay(Some(Duration::MAX), u64::MAX), Duration::from_secs(10));
/// # Ok::<(), fusebox_core::PolicyError>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DecorrelatedBackoff {
    base: Duration,
    cap: Duration,
}

impl DecorrelatedBackoff {
    /// From 500 ms up to 30 s.
    pub const DEFAULT: Self = Self { base: Duration::from_millis(500), cap: Duration::from_secs(30) };

    /// Delays from `base`, 0 to 365 days, up to `cap`, `base` to 365 days.
    ///
    /// # Errors
    /// Names the first value outside its range.
    pub const fn new(base: Duration, cap: Duration) -> Result<Self, PolicyError> {
        if let Err(error) = check_time("backoff.base", base, Duration::ZERO, LONGEST) {
            return Err(error);
        }
        match check_time("backoff.cap", cap, base, LONGEST) {
            Ok(()) => Ok(Self { base, cap }),
            Err(error) => Err(error),
        }
    }

    /// The shortest delay.
    pub const fn base(&self) -> Duration {
        self.base
    }

    /// The longest delay.
    pub const fn cap(&self) -> Duration {
        self.cap
    }

    /// The delay after one of `previous`, or the first where there was none; all 64 bits of `random` count. One
    /// multiplication.
    pub const fn delay(&self, previous: Option<Duration>, random: u64) -> Duration {
        let base = nanos(self.base);
        let previous = match previous {
            Some(previous) => nanos(previous),
            None => base,
        };
        let top = previous.saturating_mul(3);
        let drawn = base.saturating_add(scale(top.saturating_sub(base), random));
        let cap = nanos(self.cap);
        Duration::from_nanos(if drawn < cap { drawn } else { cap })
    }
}

impl Default for DecorrelatedBackoff {
    fn default() -> Self {
        Self::DEFAULT
    }
}
