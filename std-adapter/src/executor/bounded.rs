//! `Bounds`: runs a future no longer than a limit and no longer than its caller wants it.

use crate::Sleep;
use core::any::Any;
use core::panic::AssertUnwindSafe;
use core::time::Duration;
use futures_util::FutureExt;
use tokio_util::sync::CancellationToken;

/// What a future is bounded by.
#[derive(Debug)]
pub(super) struct Bounds<'a, C> {
    clock: &'a C,
    limit: Option<Duration>,
    cancel: Option<&'a CancellationToken>,
}

/// Why a future was cut short. It has been dropped by then.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Cut {
    Expired,
    Cancelled,
}

impl<'a, C: Sleep> Bounds<'a, C> {
    pub(super) const fn new(clock: &'a C, limit: Option<Duration>, cancel: Option<&'a CancellationToken>) -> Self {
        Self { clock, limit, cancel }
    }

    pub(super) const fn clock(&self) -> &'a C {
        self.clock
    }

    /// The future's output, unless a bound came first. A future that is ready at once never arms a timer.
    pub(super) async fn run<F: Future>(&self, future: F) -> Result<F::Output, Cut> {
        if self.cancel.is_some_and(CancellationToken::is_cancelled) {
            return Err(Cut::Cancelled);
        }
        let expired = async {
            match self.limit {
                Some(limit) => self.clock.sleep(limit).await,
                None => core::future::pending().await,
            }
        };
        let cancelled = async {
            match self.cancel {
                Some(token) => token.cancelled().await,
                None => core::future::pending().await,
            }
        };
        tokio::select! {
            biased; // what comes later is not even begun while something before it is ready
            output = future => Ok(output),
            () = cancelled => Err(Cut::Cancelled),
            () = expired => Err(Cut::Expired),
        }
    }

    /// As [`Bounds::run`], with a panic of the future turned into its message. The future is not polled again after it.
    pub(super) async fn run_caught<F: Future>(&self, future: F) -> Result<Result<F::Output, String>, Cut> {
        let caught = self.run(AssertUnwindSafe(future).catch_unwind()).await?;
        // only now: a closure inside the awaited future would keep the future of a call from being `Send`
        Ok(caught.map_err(panic_message))
    }
}

#[allow(clippy::needless_pass_by_value, reason = "the payload of a panic comes boxed")]
fn panic_message(payload: Box<dyn Any + Send>) -> String {
    match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(message), _) => (*message).to_owned(),
        (_, Some(message)) => message.clone(),
        _ => "a panic without a message".to_owned(),
    }
}
