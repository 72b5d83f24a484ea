//! `Sleep`: a clock that can also be waited for, which is all that a call asks of its runtime.

use crate::clock::{ManualClock, StdClock, TokioClock, TscClock};
use core::time::Duration;
use fusebox_core::Clock;

/// A clock that can also be waited for. It is all that a call asks of the runtime that polls it.
///
/// The clocks of this crate sleep on tokio's timer. For another runtime implement both traits, [`Clock`] for the time and
/// this one for its timer:
///
/// ```
/// use fusebox::{Clock, Executor, Instant, Policy, Sleep, StdClock, ToolError};
/// use std::time::Duration;
///
/// /// A runtime whose every wait is over at once.
/// #[derive(Clone, Copy, Debug)]
/// struct Hasty(StdClock);
///
/// impl Clock for Hasty {
///     fn now(&self) -> Instant {
///         self.0.now()
///     }
/// }
///
/// impl Sleep for Hasty {
///     type Delay = std::future::Ready<()>;
///
///     fn sleep(&self, _: Duration) -> Self::Delay {
///         std::future::ready(())
///     }
/// }
///
/// let executor = Executor::with_clock(Policy::default(), Hasty(StdClock::new()));
/// let answer = futures_executor::block_on(executor.call(async |_| Ok::<_, ToolError>(7)));
/// assert_eq!(answer.expect("a tool that is ready"), 7);
/// ```
pub trait Sleep: Clock {
    /// The future that ends when the wait is over. Dropping it gives the timer back.
    type Delay: Future<Output = ()>;

    /// Waits for `span`, not less. It is called when the wait begins, and not for waits that turn out to be needless.
    fn sleep(&self, span: Duration) -> Self::Delay;
}

impl<S: Sleep + ?Sized> Sleep for &S {
    type Delay = S::Delay;

    fn sleep(&self, span: Duration) -> Self::Delay {
        (**self).sleep(span)
    }
}

impl Sleep for TokioClock {
    type Delay = tokio::time::Sleep;

    fn sleep(&self, span: Duration) -> Self::Delay {
        tokio::time::sleep(span)
    }
}

impl Sleep for StdClock {
    type Delay = tokio::time::Sleep;

    fn sleep(&self, span: Duration) -> Self::Delay {
        tokio::time::sleep(span)
    }
}

impl Sleep for TscClock {
    type Delay = tokio::time::Sleep;

    fn sleep(&self, span: Duration) -> Self::Delay {
        tokio::time::sleep(span)
    }
}

/// Sleeps on tokio's timer, which knows nothing of this clock.
impl Sleep for ManualClock {
    type Delay = tokio::time::Sleep;

    fn sleep(&self, span: Duration) -> Self::Delay {
        tokio::time::sleep(span)
    }
}
