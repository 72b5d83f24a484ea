//! `World`: an executor whose tools follow scripts and log their attempts, and what its circuit would be if an
//! interrupted call had never been made.

use super::{config, error, ms, poll_once};
use core::cell::RefCell;
use core::future::poll_fn;
use core::pin::Pin;
use core::sync::atomic::{AtomicU64, Ordering};
use core::task::Poll;
use fusebox::config::{BreakerConfig, HedgeConfig};
use fusebox::*;
use fusebox_core::State;
use serde_json::Value;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::{Arc, Mutex};

/// What a tool does in one attempt: sleeps (0 is a mere yield), then an end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step(pub(crate) &'static [u64], pub(crate) End);

#[derive(Clone, Copy, Debug)]
pub(crate) enum End {
    Ok,
    Fail(ErrorCategory),
    /// Fails and asks its callers to stay away for so many milliseconds.
    Busy(u64),
    Panic,
    Hang,
}

/// How an attempt ended, as its tool saw it. `Cut` was dropped before its end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Ending {
    Ok,
    Failed(ErrorCategory),
    Cut,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Event {
    Begun,
    Ended(Ending),
}

/// An attempt: the number of its call, and its number within the call.
type Id = (usize, u32);

#[derive(Debug)]
pub(crate) struct Log {
    clock: TokioClock,
    events: Mutex<Vec<(Instant, Id, Event)>>,
}

impl Log {
    fn push(&self, id: Id, event: Event) {
        self.events.lock().unwrap().push((self.clock.now(), id, event));
    }

    /// The number of attempts begun and ended by a call.
    pub(crate) fn attempts(&self, call: usize) -> (u32, u32) {
        let events = self.events.lock().unwrap();
        let count = |begun| {
            let of_call = events.iter().filter(|(_, id, event)| id.0 == call && (*event == Event::Begun) == begun);
            u32::try_from(of_call.count()).unwrap()
        };
        (count(true), count(false))
    }

    /// Says that every attempt of `call` that was cut by now had timed out, and so did come to an end.
    pub(crate) fn cuts_were_timeouts(&self, call: usize) {
        for (_, id, event) in self.events.lock().unwrap().iter_mut() {
            if id.0 == call && *event == Event::Ended(Ending::Cut) {
                *event = Event::Ended(Ending::Failed(ErrorCategory::Timeout));
            }
        }
    }

    /// The number of attempts that timed out.
    pub(crate) fn timeouts(&self) -> usize {
        let timed_out = Event::Ended(Ending::Failed(ErrorCategory::Timeout));
        self.events.lock().unwrap().iter().filter(|(_, _, event)| *event == timed_out).count()
    }
}

/// An attempt in the log, cut when it is dropped before its end.
struct Attempted {
    log: Arc<Log>,
    id: Id,
    ended: bool,
}

impl Attempted {
    fn begin(log: Arc<Log>, id: Id) -> Self {
        log.push(id, Event::Begun);
        Self { log, id, ended: false }
    }

    fn end(&mut self, ending: Ending) {
        self.log.push(self.id, Event::Ended(ending));
        self.ended = true;
    }
}

impl Drop for Attempted {
    fn drop(&mut self) {
        if !self.ended {
            self.end(Ending::Cut);
        }
    }
}

/// A tool that follows a script, one step per attempt, the last one for ever.
pub(crate) fn scripted(
    log: &Arc<Log>,
    call: usize,
    script: &'static [Step],
) -> impl FnMut(Attempt) -> BoxFuture<'static, Result<u32, ToolError>> + Send + 'static {
    let log = Arc::clone(log);
    move |attempt: Attempt| {
        let log = Arc::clone(&log);
        Box::pin(async move {
            let Step(pauses, end) = script[(attempt.number as usize - 1).min(script.len() - 1)];
            let mut attempted = Attempted::begin(log, (call, attempt.number));
            for &pause in pauses {
                match pause {
                    0 => tokio::task::yield_now().await,
                    pause => tokio::time::sleep(ms(pause)).await,
                }
            }
            match end {
                End::Ok => {
                    attempted.end(Ending::Ok);
                    Ok(attempt.number)
                }
                End::Fail(category) => {
                    attempted.end(Ending::Failed(category));
                    Err(error(category))
                }
                End::Busy(asked) => {
                    attempted.end(Ending::Failed(ErrorCategory::RateLimit));
                    Err(error(ErrorCategory::RateLimit).with_retry_after(ms(asked)))
                }
                End::Panic => {
                    attempted.end(Ending::Failed(ErrorCategory::ExecutionError));
                    panic!("as scripted");
                }
                End::Hang => core::future::pending().await,
            }
        })
    }
}

pub(crate) struct World {
    pub(crate) executor: Arc<Executor>,
    pub(crate) log: Arc<Log>,
    config: PolicyConfig,
    clock: TokioClock,
    calls: usize,
    /// Spawned calls that have not ended.
    spawned: Arc<AtomicU64>,
}

impl World {
    pub(crate) fn new(json: Value) -> Self {
        let (config, clock) = (config(json), TokioClock::new());
        let policy = Policy::new(&config).expect("the test's policy is in range");
        let executor = Arc::new(Executor::with_clock(policy, clock));
        let log = Arc::new(Log { clock, events: Mutex::default() });
        Self { executor, log, config, clock, calls: 0, spawned: Arc::default() }
    }

    pub(crate) fn next_call(&mut self) -> usize {
        self.calls += 1;
        self.calls
    }

    /// A call from begin to end.
    pub(crate) async fn call(&mut self, script: &'static [Step]) -> Result<u32, CallError<ToolError>> {
        let call = self.next_call();
        self.executor.call(scripted(&self.log, call, script)).await
    }

    /// A call beside the one under test. It has made its first step when this returns.
    pub(crate) async fn spawn(&mut self, script: &'static [Step]) {
        let (executor, tool) = (Arc::clone(&self.executor), scripted(&self.log, self.calls + 1, script));
        self.calls += 1;
        self.spawned.fetch_add(1, Ordering::Relaxed);
        let spawned = Arc::clone(&self.spawned);
        tokio::spawn(async move {
            let result = executor.call(tool).await;
            spawned.fetch_sub(1, Ordering::Relaxed);
            result
        });
        tokio::task::yield_now().await;
    }

    /// A call that is dropped in the middle of its first attempt.
    pub(crate) async fn begin_and_drop(&mut self) {
        let call = self.next_call();
        let executor = Arc::clone(&self.executor);
        let mut future = Box::pin(executor.call(scripted(&self.log, call, &[Step(&[], End::Hang)])));
        assert!(poll_once(future.as_mut()).is_pending());
    }

    /// The spawned calls that have not ended.
    pub(crate) fn under_way(&self) -> u64 {
        self.spawned.load(Ordering::Relaxed)
    }

    /// The state of the circuit.
    pub(crate) fn snapshot(&self) -> PartsSnapshot {
        comparable(self.executor.snapshot())
    }

    /// The state that the circuit would have if `call` had made those attempts only that came to an end.
    ///
    /// The log is replayed on an executor of the same policy, where every attempt is a call of its own.
    pub(crate) fn snapshot_without(&self, call: usize) -> PartsSnapshot {
        self.snapshot_without_all(|other| other == call)
    }

    /// The same for all calls that were interrupted.
    pub(crate) fn snapshot_without_all(&self, interrupted: impl Fn(usize) -> bool) -> PartsSnapshot {
        let events = self.log.events.lock().unwrap().clone();
        let unfinished = |id: &Id| {
            interrupted(id.0)
                && !events.iter().any(|(_, other, event)| {
                    other == id && matches!(event, Event::Ended(Ending::Ok | Ending::Failed(_)))
                })
        };
        let clock = ManualClock::default();
        let config = PolicyConfig {
            max_retries: Some(0),
            max_wait: None,
            deadline: None,
            hedge: HedgeConfig::default(),
            timeout: Some(DurationText::from_secs(3_600)),
            breaker: BreakerConfig {
                // as the policy under test has it, not as the timeout above would have it
                probe_lease: self.executor.policy().effective().breaker.probe_lease,
                ..self.config.breaker.clone()
            },
            ..self.config.clone()
        };
        let reference = Executor::with_clock(Policy::new(&config).expect("in range"), clock.clone());
        let mut under_way: BTreeMap<Id, Replayed<'_>> = BTreeMap::new();
        for (time, id, event) in events.iter().filter(|(_, id, _)| !unfinished(id)) {
            clock.set(*time);
            match event {
                Event::Begun => {
                    let slot = Slot::default();
                    let mut future = Box::pin(replayed(&reference, Rc::clone(&slot)));
                    assert!(poll_once(future.as_mut()).is_pending(), "attempt {id:?} is admitted again");
                    under_way.insert(*id, (slot, future));
                }
                Event::Ended(Ending::Cut) => drop(under_way.remove(id)),
                Event::Ended(ending) => {
                    let (slot, mut future) = under_way.remove(id).expect("it has begun");
                    *slot.borrow_mut() = Some(*ending);
                    assert!(poll_once(future.as_mut()).is_ready());
                }
            }
        }
        clock.set(self.clock.now());
        comparable(reference.snapshot())
    }

    /// Says that every attempt of `call` that was cut by now had timed out, and so did come to an end.
    pub(crate) fn cuts_were_timeouts(&self, call: usize) {
        self.log.cuts_were_timeouts(call);
    }
}

/// How an attempt is to end, once that is known.
type Slot = Rc<RefCell<Option<Ending>>>;
type Replayed<'a> = (Slot, Pin<Box<dyn Future<Output = ()> + 'a>>);

async fn replayed(executor: &Executor<ManualClock>, slot: Slot) {
    let tool = |_| {
        poll_fn(|_| match *slot.borrow() {
            None => Poll::Pending,
            Some(Ending::Failed(category)) => Poll::Ready(Err(error(category))),
            Some(_) => Poll::Ready(Ok(())),
        })
    };
    // its own result was checked where it was logged
    let _ = executor.call(tool).await;
}

/// A snapshot in which only that differs which a caller can notice: an open breaker whose wait is over is a half-open
/// one with no probe out, and the time of the latest probe says nothing once it has reported. The retry budget is left
/// out: where attempts are replayed, each is a call of its own.
fn comparable(mut snapshot: PartsSnapshot) -> PartsSnapshot {
    snapshot.retry_budget = None;
    let Some(breaker) = &mut snapshot.breaker else { return snapshot };
    if breaker.state == State::Open && breaker.refusal.is_none() {
        breaker.state = State::HalfOpen;
        breaker.generation = breaker.generation.wrapping_add(1);
    }
    if breaker.state == State::HalfOpen && breaker.outstanding == 0 {
        breaker.since = None;
    }
    snapshot
}
