//! `Faults`: what goes wrong in which call, by a plan or by shares and a seed.

use crate::{ConfigError, ErrorCategory, ToolError};
use core::ops::RangeInclusive;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use core::time::Duration;
use std::sync::Arc;

/// What goes wrong in one call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Fault {
    /// Nothing.
    None,
    /// The call takes that much longer, and is then made.
    Slow(Duration),
    /// The call is not made: it ends with an error of this category.
    Error(ErrorCategory),
    /// The call is not made: it ends with an error of this category that asks its callers to stay away for so long.
    Busy(ErrorCategory, Duration),
    /// The call is made, but its answer is lost: it ends with an error of this category. What must not be done twice
    /// has been done by then.
    AnswerLost(ErrorCategory),
    /// The call is not made, and never ends.
    Hang,
    /// The call is not made: it panics.
    Panic,
}

/// What goes wrong in which call. Clones share the count of calls, so keep one to look at it.
///
/// What happens is a function of the seed and the call's number, so a run can be repeated.
///
/// ```
/// use fusebox::ErrorCategory;
/// use fusebox::testing::{Fault, Faults};
///
/// let faults = Faults::random(7, [(0.2, Fault::Error(ErrorCategory::Network)), (0.01, Fault::Hang)])?;
/// let failed = (1..=10_000).filter(|&call| faults.fault_of(call) != Fault::None).count();
/// assert!((2_000..2_200).contains(&failed));
///
/// let error = Faults::random(7, [(20.0, Fault::Hang)]).unwrap_err();
/// assert_eq!(error.to_string(), "faults[0].share is 20: allowed is 0 to 1, all shares together at most 1");
/// # Ok::<(), fusebox::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Faults {
    seed: u64,
    plan: Plan,
    latency: RangeInclusive<Duration>,
    run: Arc<Run>,
}

#[derive(Clone, Debug)]
enum Plan {
    /// The fault of each call; none after the last.
    Sequence(Arc<[Fault]>),
    /// Each fault with its share of calls.
    Random(Arc<[(f64, Fault)]>),
}

/// What clones have in common.
#[derive(Debug, Default)]
struct Run {
    calls: AtomicU64,
    stopped: AtomicBool,
}

impl Faults {
    /// Nothing goes wrong; with [`Faults::with_latency`], calls merely take longer.
    pub fn none() -> Self {
        Self::sequence([])
    }

    /// The first call has the first fault, and so on. After the last one nothing goes wrong any more.
    pub fn sequence(faults: impl IntoIterator<Item = Fault>) -> Self {
        Self::new(0, Plan::Sequence(faults.into_iter().collect()))
    }

    /// Each fault befalls its share of calls, as the seed will have it.
    ///
    /// # Errors
    /// When a share is not from 0 to 1, or all of them are more than 1.
    pub fn random(seed: u64, shares: impl IntoIterator<Item = (f64, Fault)>) -> Result<Self, ConfigError> {
        let shares: Arc<[_]> = shares.into_iter().collect();
        let mut total = 0.0;
        for (index, (share, _)) in shares.iter().enumerate() {
            total += share;
            // of ten tenths, the sum may be a little off
            if !(0.0..=1.0).contains(share) || total > 1.0 + 1e-9 {
                return Err(ConfigError {
                    field: format!("faults[{index}].share"),
                    value: share.to_string(),
                    allowed: "0 to 1, all shares together at most 1".to_owned(),
                });
            }
        }
        Ok(Self::new(seed, Plan::Random(shares)))
    }

    fn new(seed: u64, plan: Plan) -> Self {
        Self { seed, plan, latency: Duration::ZERO..=Duration::ZERO, run: Arc::default() }
    }

    /// Makes every call take longer, by a time within this range, as the seed will have it; `d..=d` for a fixed one.
    ///
    /// # Errors
    /// When the range ends before it begins.
    pub fn with_latency(self, latency: RangeInclusive<Duration>) -> Result<Self, ConfigError> {
        if latency.is_empty() {
            return Err(ConfigError {
                field: "faults.latency".to_owned(),
                value: format!("{:?} to {:?}", latency.start(), latency.end()),
                allowed: "a range that does not end before it begins".to_owned(),
            });
        }
        Ok(Self { latency, ..self })
    }

    /// What goes wrong in the call of this number, from 1.
    pub fn fault_of(&self, call: u64) -> Fault {
        match &self.plan {
            Plan::Sequence(faults) => {
                let index = call.checked_sub(1).and_then(|index| usize::try_from(index).ok());
                index.and_then(|index| faults.get(index)).copied().unwrap_or(Fault::None)
            }
            Plan::Random(shares) => {
                let mut point = self.random_of(call).f64();
                let befallen = shares.iter().find(|(share, _)| {
                    point -= share;
                    point < 0.0
                });
                befallen.map_or(Fault::None, |&(_, fault)| fault)
            }
        }
    }

    /// How much longer the call of this number takes, from 1.
    pub fn latency_of(&self, call: u64) -> Duration {
        let (shortest, longest) = (*self.latency.start(), *self.latency.end());
        let spread = u64::try_from((longest - shortest).as_nanos()).unwrap_or(u64::MAX);
        let mut random = self.random_of(call);
        random.f64(); // that one decides over the fault
        shortest.saturating_add(Duration::from_nanos(random.u64(..=spread)))
    }

    /// The calls made so far, by all clones.
    pub fn calls(&self) -> u64 {
        self.run.calls.load(Ordering::Relaxed)
    }

    /// From now on nothing goes wrong, for all clones: the outage is over. Calls still count.
    pub fn stop(&self) {
        self.run.stopped.store(true, Ordering::Relaxed);
    }

    /// After [`Faults::stop`], things go wrong again.
    pub fn resume(&self) {
        self.run.stopped.store(false, Ordering::Relaxed);
    }

    /// Makes a call in which happens what is planned for the next number: for closures that an executor calls. The
    /// number is taken when the call is first polled.
    ///
    /// ```
    /// use fusebox::testing::{Fault, Faults};
    /// use fusebox::{ErrorCategory, Executor, Policy, ToolError};
    /// use std::time::Duration;
    ///
    /// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
    /// # runtime.block_on(async {
    /// let executor = Executor::new(Policy::default());
    /// let wait = Duration::from_secs(2);
    /// let busy = Fault::Busy(ErrorCategory::RateLimit, wait);
    /// let faults = Faults::sequence([Fault::Error(ErrorCategory::Network), busy]);
    /// let answer = executor.call(|_| faults.run(async { Ok::<_, ToolError>("an answer") })).await;
    /// assert_eq!(answer.unwrap(), "an answer");
    /// assert_eq!(faults.calls(), 3);
    /// # });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// The call's own, or a [`ToolError`] that names the fault.
    ///
    /// # Panics
    /// Where [`Fault::Panic`] is planned.
    pub async fn run<T, E: From<ToolError>>(&self, call: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        let number = self.run.calls.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        if self.run.stopped.load(Ordering::Relaxed) {
            return call.await;
        }
        pause(self.latency_of(number)).await;
        match self.fault_of(number) {
            Fault::None => call.await,
            Fault::Slow(latency) => {
                pause(latency).await;
                call.await
            }
            Fault::Error(category) => Err(planned(category, number).into()),
            Fault::Busy(category, wait) => Err(planned(category, number).with_retry_after(wait).into()),
            Fault::AnswerLost(category) => {
                // whatever the answer was
                let _ = call.await;
                Err(planned(category, number).into())
            }
            Fault::Hang => core::future::pending().await,
            Fault::Panic => panic!("planned for call {number}"),
        }
    }

    /// The random numbers of one call.
    fn random_of(&self, call: u64) -> fastrand::Rng {
        // two generators, since seeds that are close to each other begin alike
        let mut seeds = fastrand::Rng::with_seed(self.seed);
        fastrand::Rng::with_seed(seeds.u64(..) ^ fastrand::Rng::with_seed(call).u64(..))
    }
}

async fn pause(span: Duration) {
    if !span.is_zero() {
        tokio::time::sleep(span).await;
    }
}

fn planned(category: ErrorCategory, number: u64) -> ToolError {
    ToolError::new(category, format!("{category} planned for call {number}"))
}
