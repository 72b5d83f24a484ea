//! Hedging: where an attempt takes long, another one is made beside it, and the first output counts.
//!
//! A hedge is an attempt like any other: it is admitted, counted, settled, and paid from the retry budget. It never waits
//! for admission. Those that are still running when the call ends are dropped, which settles them as cancelled. Once an
//! attempt has failed there are no more hedges: what comes then is a retry, after its backoff.
//!
//! Dean and Barroso, "The Tail at Scale", Communications of the ACM 56(2), 2013.

use super::super::admission::{Admitted, Bookings};
use super::super::latency::Latency;
use super::super::retry::Retry;
use super::Call;
use super::attempt::{Ended, Started};
use crate::config::{HedgeAfter, HedgePolicy};
use crate::telemetry::Reason;
use crate::{Attempt, CallError, Classify, Sleep};
use core::panic::AssertUnwindSafe;
use core::time::Duration;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use std::panic;
use std::pin::pin;

/// When the next hedge comes, and how many may.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hedging {
    delay: Duration,
    most: u8,
}

impl<'a, C: Sleep> Call<'a, C> {
    /// Whether an attempt may be hedged now.
    pub(super) fn hedging(&self) -> Option<Hedging> {
        let policy = &self.executor.policy;
        let HedgePolicy { after, max } = policy.hedge?;
        if self.nested.is_repeated() && !policy.nested_retries {
            return None; // the attempt around this one would multiply it
        }
        let delay = match after {
            HedgeAfter::Delay(delay) => delay,
            HedgeAfter::Percentile { percentile, min_samples } => {
                let latency = self.executor.shared.latency.get_or_init(|| Latency::new(min_samples));
                latency.percentile(percentile)?
            }
        };
        Some(Hedging { delay, most: max })
    }

    /// Makes one attempt and, after each delay in which none has ended, another one beside it.
    pub(super) async fn hedged<T, E, F, Fut>(
        &mut self,
        admitted: Admitted<'a, C>,
        tool: &mut F,
        hedging: Hedging,
    ) -> Result<T, CallError<E>>
    where
        E: Classify,
        F: FnMut(Attempt) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        let Hedging { delay, most: mut left } = hedging;
        let executor = self.executor;
        let mut last = None;
        let mut attempts = FuturesUnordered::new();
        let reason = if self.attempts == 0 { Reason::First } else { Reason::Retry };
        let (started, attempt) = self.begin(admitted, reason);
        attempts.push(run(started, called(tool, attempt)));
        loop {
            let due = async {
                if left == 0 {
                    core::future::pending::<()>().await;
                }
                executor.clock.sleep(delay).await;
            };
            let ended = tokio::select! {
                biased; // what has ended needs no hedge
                ended = attempts.next() => ended,
                () = due => None,
            };
            match ended {
                Some((started, ended)) => match self.conclude(started, ended) {
                    Ok(output) => return Ok(output),
                    Err(error) if attempts.is_empty() || self.can_help(&error).is_err() => {
                        return Err(error.after(last));
                    }
                    Err(error) => {
                        last = Some(error.after(last)); // another one may still succeed
                        left = 0;
                    }
                },
                None => match self.admit_hedge() {
                    Some(admitted) => {
                        left -= 1;
                        let (started, attempt) = self.begin(admitted, Reason::Hedge);
                        attempts.push(run(started, called(tool, attempt)));
                    }
                    None => left = 0,
                },
            }
        }
    }

    /// The permit of a hedge, if the budget and all limiters grant it at once.
    fn admit_hedge(&mut self) -> Option<Admitted<'a, C>> {
        self.now = self.executor.clock.now();
        let retry = Retry::withdraw(self.executor, self.now)?;
        let admitted = self.ask(&Bookings::new(self.executor)).ok()?;
        retry.made();
        Some(admitted)
    }
}

/// The tool's future. A panic that comes before there is one comes when it is polled, where panics are caught.
fn called<F, Fut>(tool: &mut F, attempt: Attempt) -> impl Future<Output = Fut::Output> + use<F, Fut>
where
    F: FnMut(Attempt) -> Fut,
    Fut: Future,
{
    let future = panic::catch_unwind(AssertUnwindSafe(|| tool(attempt)));
    async {
        match future {
            Ok(future) => future.await,
            Err(payload) => panic::resume_unwind(payload),
        }
    }
}

/// An attempt that brings what it holds to its end.
async fn run<'a, C: Sleep, T, E, Fut>(started: Started<'a, C>, running: Fut) -> (Started<'a, C>, Ended<T, E>)
where
    Fut: Future<Output = Result<T, E>>,
{
    let running = pin!(started.surround(running));
    let ended = started.run(running).await;
    (started, ended)
}
