//! Dropping or cancelling a call at any await leaves the circuit as if the call had never been.

mod support;

use core::sync::atomic::{AtomicU64, Ordering};
use core::task::Poll;
use fusebox::*;
use serde_json::{Value, json};
use std::sync::Arc;
use support::world::{End, Step, World, scripted};
use support::*;
use tokio_util::sync::CancellationToken;

/// Where a call is: its tool runs for the n-th time, or it waits after so many attempts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Phase {
    Waits(u32),
    Runs(u32),
}
use Phase::{Runs, Waits};

/// What happened before the call under test.
#[derive(Clone, Copy, Debug)]
enum Before {
    Nothing,
    /// These calls came and went.
    Calls(&'static [&'static [Step]]),
    /// The breaker has tripped, at the first failure.
    Open,
    /// The breaker is half-open and no probe is out.
    HalfOpen,
}

struct Scenario {
    name: &'static str,
    policy: fn() -> Value,
    before: Before,
    /// Calls under way.
    beside: &'static [&'static [Step]],
    script: &'static [Step],
    /// Each place in which the call can be interrupted, in order.
    phases: &'static [Phase],
}

const OK: Step = Step(&[], End::Ok);
const BROKEN: End = End::Fail(ErrorCategory::Network);
const FATAL: Step = Step(&[], End::Fail(ErrorCategory::ResourceExhausted));
const SLOW: Step = Step(&[300], End::Ok);
const RUN: &[Step] = &[Step(&[10, 0, 20], End::Ok)];

const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "the tool runs",
        policy: || json!({}),
        before: Before::Nothing,
        beside: &[],
        script: RUN,
        phases: &[Runs(1)],
    },
    Scenario {
        name: "waits for tokens",
        policy: || json!({ "max_wait": "5s", "rate": { "limit": "1/s", "burst": 1 } }),
        before: Before::Calls(&[&[OK]]),
        beside: &[],
        script: RUN,
        phases: &[Waits(0), Runs(1)],
    },
    Scenario {
        name: "waits for a slot",
        policy: || json!({ "max_wait": "5s", "bulkhead": { "max_in_flight": 1 } }),
        before: Before::Nothing,
        beside: &[&[SLOW]],
        script: RUN,
        phases: &[Waits(0), Runs(1)],
    },
    Scenario {
        name: "waits for a slot and then for tokens",
        policy: || json!({ "max_wait": "5s", "bulkhead": { "max_in_flight": 1 }, "rate": { "limit": "1/s", "burst": 1 } }),
        before: Before::Nothing,
        beside: &[&[SLOW]],
        script: RUN,
        phases: &[Waits(0), Runs(1)],
    },
    Scenario {
        name: "waits for an open breaker",
        policy: || json!({ "max_wait": "5s", "breaker": { "consecutive_failures": 1, "open_wait": "1s" } }),
        before: Before::HalfOpen,
        beside: &[&[FATAL]],
        script: RUN,
        phases: &[Waits(0), Runs(1)],
    },
    Scenario {
        name: "waits for the probe of another call",
        policy: || json!({ "max_wait": "5s", "breaker": { "consecutive_failures": 1 } }),
        before: Before::Open,
        beside: &[&[SLOW]],
        script: RUN,
        phases: &[Waits(0), Runs(1)],
    },
    Scenario {
        name: "is a probe itself",
        policy: || json!({ "bulkhead": { "max_in_flight": 1 }, "breaker": { "consecutive_failures": 1 } }),
        before: Before::HalfOpen,
        beside: &[],
        script: RUN,
        phases: &[Runs(1)],
    },
    Scenario {
        name: "is a probe beside another",
        policy: || json!({ "breaker": { "consecutive_failures": 1, "probes": 2, "required_successes": 3 } }),
        before: Before::HalfOpen,
        beside: &[&[OK], &[SLOW]],
        script: RUN,
        phases: &[Runs(1)],
    },
    Scenario {
        name: "retries after a backoff",
        policy: || json!({ "backoff": { "base": "100ms" }, "bulkhead": { "max_in_flight": 1 } }),
        before: Before::Nothing,
        beside: &[],
        script: &[Step(&[5], BROKEN), Step(&[5], BROKEN), Step(&[5], End::Ok)],
        phases: &[Runs(1), Waits(1), Runs(2), Waits(2), Runs(3)],
    },
    Scenario {
        name: "retries when the tool said so",
        policy: || json!({ "backoff": { "base": "1ms" } }),
        before: Before::Nothing,
        beside: &[],
        script: &[Step(&[], End::Busy(2_000)), Step(&[5], End::Ok)],
        phases: &[Waits(1), Runs(2)],
    },
    Scenario {
        name: "retries after a timeout",
        policy: || json!({ "timeout": "1s", "bulkhead": { "max_in_flight": 1 } }),
        before: Before::Nothing,
        beside: &[],
        script: &[Step(&[10], End::Hang), Step(&[5], End::Ok)],
        phases: &[Runs(1), Waits(1), Runs(2)],
    },
    Scenario {
        name: "retries after it stalled",
        policy: || json!({ "idle_timeout": "1s", "bulkhead": { "max_in_flight": 1 } }),
        before: Before::Nothing,
        beside: &[],
        script: &[Step(&[10], End::Hang), Step(&[5], End::Ok)],
        phases: &[Runs(1), Waits(1), Runs(2)],
    },
    Scenario {
        name: "retries and waits for tokens",
        policy: || json!({ "max_wait": "5s", "backoff": { "base": "0s" }, "rate": { "limit": "1/s", "burst": 1 } }),
        before: Before::Nothing,
        beside: &[],
        script: &[Step(&[5], BROKEN), Step(&[5], End::Ok)],
        phases: &[Runs(1), Waits(1), Runs(2)],
    },
    Scenario {
        name: "retries and waits for a slot",
        policy: || {
            json!({
                "max_wait": "5s", "bulkhead": { "max_in_flight": 1 }, "backoff": { "base": "100ms" }
            })
        },
        before: Before::Nothing,
        beside: &[&[Step(&[50], BROKEN), SLOW]], // its retry takes the slot first
        script: &[Step(&[20], BROKEN), Step(&[5], End::Ok)],
        phases: &[Waits(0), Runs(1), Waits(1), Runs(2)],
    },
    Scenario {
        name: "retries under a deadline that ends the last attempt",
        policy: || json!({ "deadline": "2s", "timeout": "1500ms" }),
        before: Before::Nothing,
        beside: &[],
        script: &[Step(&[100], BROKEN), Step(&[100], End::Hang)],
        phases: &[Runs(1), Waits(1), Runs(2)],
    },
    Scenario {
        name: "trips the breaker with its own failures",
        policy: || json!({ "breaker": { "consecutive_failures": 2 }, "max_wait": "10s", "backoff": { "base": "0s" } }),
        before: Before::Nothing,
        beside: &[],
        script: &[Step(&[5], BROKEN), Step(&[5], BROKEN), Step(&[5], End::Ok)],
        phases: &[Runs(1), Runs(2), Waits(2), Runs(3)],
    },
    Scenario {
        name: "is hedged",
        policy: || {
            json!({
                "hedge": { "delay": "100ms", "max": 2 }, "retry_budget": { "enabled": false },
                "bulkhead": { "max_in_flight": 4 }
            })
        },
        before: Before::Nothing,
        beside: &[&[Step(&[50], End::Ok)]],
        script: &[Step(&[2_000], End::Ok), Step(&[10, 0, 1_000], End::Ok), Step(&[10, 0, 20], End::Ok)],
        phases: &[Runs(1), Runs(2), Runs(3)],
    },
    Scenario {
        name: "is hedged, and the first attempt fails",
        policy: || json!({ "hedge": { "delay": "100ms" }, "max_retries": 0, "backoff": { "base": "100ms" } }),
        before: Before::Nothing,
        beside: &[],
        script: &[Step(&[150], BROKEN), Step(&[10, 0, 100], End::Ok)],
        phases: &[Runs(1), Runs(2)],
    },
    Scenario {
        name: "is hedged, fails, and is retried",
        policy: || json!({ "hedge": { "delay": "100ms" }, "backoff": { "base": "100ms" } }),
        before: Before::Nothing,
        beside: &[],
        script: &[Step(&[150], BROKEN), Step(&[100], BROKEN), Step(&[10], End::Ok)],
        phases: &[Runs(1), Runs(2), Waits(2), Runs(3)],
    },
    Scenario {
        name: "is a probe, and its hedge is another",
        policy: || {
            json!({
                "hedge": { "delay": "100ms" },
                "breaker": { "consecutive_failures": 1, "probes": 2, "required_successes": 3 }
            })
        },
        before: Before::HalfOpen,
        beside: &[&[OK]],
        script: &[Step(&[1_000], End::Ok), Step(&[10, 0, 20], End::Ok)],
        phases: &[Runs(1), Runs(2)],
    },
    Scenario {
        name: "panics in the end",
        policy: || json!({ "bulkhead": { "max_in_flight": 1 } }),
        before: Before::Nothing,
        beside: &[],
        script: &[Step(&[10, 0, 10], End::Panic)],
        phases: &[Runs(1)],
    },
];

impl Scenario {
    async fn begin(&self) -> (World, usize) {
        let mut policy = (self.policy)();
        // a failure that trips and is not retried, for what happens before
        policy["categories"] = json!({ "ResourceExhausted": { "trips": true } });
        policy["backoff"]["jitter"] = json!("none");
        policy["breaker"]["jitter"] = json!("none");
        let mut world = World::new(policy);
        match self.before {
            Before::Nothing => {}
            Before::Calls(calls) => {
                for call in calls {
                    let _ = world.call(call).await;
                }
            }
            Before::Open | Before::HalfOpen => {
                world.call(&[FATAL]).await.expect_err("it fails as scripted");
                tokio::time::advance(ms(5_000)).await;
            }
        }
        if matches!(self.before, Before::HalfOpen) {
            world.begin_and_drop().await;
        }
        for call in self.beside {
            world.spawn(call).await;
        }
        let call = world.next_call();
        (world, call)
    }

    /// Runs the scenario again and again, each time interrupted one poll later, until it comes to its end.
    async fn interrupt_at_each_poll(&self, how: Interruption) {
        let mut phases = Vec::new();
        for polls in 0_u32.. {
            assert!(polls < 100, "{}: it comes to an end", self.name);
            match self.interrupt_after(polls, how).await {
                Some(phase) if polls == 0 => assert_eq!(phase, Waits(0)),
                Some(phase) => phases.push(phase),
                None => break,
            }
        }
        phases.dedup();
        assert_eq!(phases, self.phases, "{}: where it was interrupted", self.name);
    }

    /// Interrupts the call after so many polls, and says where it was; `None` when it had come to its end by then.
    async fn interrupt_after(&self, polls: u32, how: Interruption) -> Option<Phase> {
        let (world, call) = self.begin().await;
        let context = format!("{}: {how:?} after {polls} polls", self.name);
        let before = world.executor.counters();
        let token = CancellationToken::new();
        let options = CallOptions { cancel: Some(token.clone()), ..CallOptions::default() };
        let executor = Arc::clone(&world.executor);
        let mut future = Some(Box::pin(executor.run(&options, scripted(&world.log, call, self.script))));

        let mut polled = 0;
        let ended = core::future::poll_fn(|cx| {
            while polled < polls {
                polled += 1;
                let Poll::Pending = future.as_mut().expect("not dropped yet").as_mut().poll(cx) else {
                    return Poll::Ready(true);
                };
                if polled < polls {
                    return Poll::Pending;
                }
            }
            Poll::Ready(false)
        })
        .await;
        if ended {
            return None;
        }
        world.cuts_were_timeouts(call);
        let (begun, finished) = world.log.attempts(call);
        let phase = if begun > finished { Runs(begun) } else { Waits(finished) };

        let begun = match how {
            Interruption::Drop => {
                drop(future.take());
                polls > 0
            }
            Interruption::DropLater => {
                tokio::time::advance(ms(1)).await;
                drop(future.take());
                polls > 0
            }
            Interruption::Token => {
                token.cancel();
                let execution = future.take().expect("not dropped yet").await;
                assert!(matches!(execution.result, Err(CallError::Cancelled)), "{context}: {execution:?}");
                assert_eq!(execution.stopped, Some(Stopped::Cancelled), "{context}");
                true
            }
        };
        assert_eq!(world.snapshot(), world.snapshot_without(call), "{context}");

        let now = world.executor.counters();
        assert_eq!(now.calls, before.calls + u64::from(begun), "{context}");
        assert_eq!(now.cancelled, before.cancelled + u64::from(begun), "{context}");
        assert_balanced(&now, world.under_way());
        Some(phase)
    }
}

#[derive(Clone, Copy, Debug)]
enum Interruption {
    Drop,
    /// Some time after the last poll.
    DropLater,
    Token,
}

#[tokio::test(start_paused = true)]
async fn b5_a_call_dropped_after_any_poll_leaves_the_circuit_as_if_it_had_never_been() {
    for scenario in SCENARIOS {
        scenario.interrupt_at_each_poll(Interruption::Drop).await;
    }
}

#[tokio::test(start_paused = true)]
async fn b5_a_call_dropped_some_time_after_any_poll_leaves_the_circuit_as_if_it_had_never_been() {
    for scenario in SCENARIOS {
        scenario.interrupt_at_each_poll(Interruption::DropLater).await;
    }
}

#[tokio::test(start_paused = true)]
async fn b5_a_token_that_fires_after_any_poll_leaves_the_circuit_as_if_the_call_had_never_been() {
    for scenario in SCENARIOS {
        scenario.interrupt_at_each_poll(Interruption::Token).await;
    }
}

#[tokio::test(start_paused = true)]
async fn b5_a_task_aborted_at_any_time_leaves_the_circuit_as_if_its_call_had_never_been() {
    for scenario in SCENARIOS {
        let mut aborted = 0;
        for millis in 0_u64.. {
            let (world, call) = scenario.begin().await;
            let context = format!("{}: aborted after {millis} ms", scenario.name);
            let before = world.executor.counters();
            let (executor, tool) = (Arc::clone(&world.executor), scripted(&world.log, call, scenario.script));
            let task = tokio::spawn(async move { executor.call(tool).await });
            // odd, so that no timer ends at the same moment
            tokio::time::sleep(ms(millis * 50 + 3)).await;
            if task.is_finished() {
                break;
            }
            world.cuts_were_timeouts(call);
            task.abort();
            assert!(task.await.expect_err("it was aborted").is_cancelled(), "{context}");
            assert_eq!(world.snapshot(), world.snapshot_without(call), "{context}");
            let now = world.executor.counters();
            assert_eq!((now.calls, now.cancelled), (before.calls + 1, before.cancelled + 1), "{context}");
            assert_balanced(&now, world.under_way());
            aborted += 1;
        }
        assert!(aborted > 0, "{}: it was aborted", scenario.name);
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_was_never_polled_was_never_made() {
    let executor = Executor::new(policy(json!({ "bulkhead": { "max_in_flight": 1 } })));
    let before = executor.snapshot();
    drop(executor.call(async |_| -> Result<(), ToolError> { unreachable!("never polled") }));
    assert_eq!(executor.snapshot(), before);
    assert_eq!(executor.counters(), CounterSnapshot::default());
}

#[tokio::test(start_paused = true)]
async fn a_token_that_has_fired_beforehand_keeps_the_tool_from_being_called() {
    let executor = Executor::new(policy(json!({})));
    let before = executor.snapshot();
    let token = CancellationToken::new();
    token.cancel();
    let options = CallOptions { cancel: Some(token), ..CallOptions::default() };
    let execution = executor.run(&options, async |_| -> Result<(), ToolError> { unreachable!("cancelled") }).await;
    assert!(matches!(execution.result, Err(CallError::Cancelled)));
    assert_eq!((execution.attempts, execution.stopped), (0, Some(Stopped::Cancelled)));
    assert_eq!(executor.snapshot(), before);
    assert_eq!(executor.counters().attempts, 0);
}

#[tokio::test(start_paused = true)]
async fn a_panic_ends_the_call_and_frees_its_slot_at_any_poll() {
    for script in [&[Step(&[], End::Panic)] as &[_], &[Step(&[0], End::Panic)], &[Step(&[10, 0, 10], End::Panic)]] {
        let mut world = World::new(json!({ "bulkhead": { "max_in_flight": 1 } }));
        let error = world.call(script).await.expect_err("it panics");
        assert!(matches!(&error, CallError::Panicked(message) if message == "as scripted"), "{error}");
        let snapshot = world.snapshot();
        assert_eq!(snapshot.in_flight, 0);
        assert_eq!(snapshot.breaker.expect("there is one").failures, 1);
        assert_eq!(world.executor.counters().failed, 1);
        assert_eq!(world.executor.counters().attempts, 1, "a panic is not retried");
        assert_eq!(world.call(&[OK]).await.expect("nothing is poisoned"), 1);
        assert_balanced(&world.executor.counters(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_before_the_first_await_of_the_tool_is_caught_too() {
    let executor = Executor::new(policy(json!({ "bulkhead": { "max_in_flight": 1 } })));
    let tool = |_| -> core::future::Ready<Result<(), ToolError>> { std::panic::panic_any(7) };
    let error = executor.call(tool).await.expect_err("it panics");
    assert!(matches!(&error, CallError::Panicked(message) if message == "a panic without a message"), "{error}");
    assert_eq!(executor.snapshot().in_flight, 0);
}

#[tokio::test(start_paused = true)]
async fn a_panic_while_the_work_is_dropped_frees_its_slot() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("while dropped");
        }
    }
    let executor = Executor::new(policy(json!({ "bulkhead": { "max_in_flight": 1 }, "timeout": "1s" })));
    let tool = async |_| {
        let _bomb = Bomb;
        core::future::pending::<Result<(), ToolError>>().await
    };
    let call = core::panic::AssertUnwindSafe(executor.call(tool));
    let result = futures_util::FutureExt::catch_unwind(call).await;
    assert!(result.is_err(), "such a panic is the caller's: {result:?}");
    assert_eq!(executor.snapshot().in_flight, 0);
    assert_balanced(&executor.counters(), 0);
}

/// Counts the calls in flight at the moment when the work of one is dropped.
struct Witness {
    executor: Arc<Executor>,
    seen: Arc<AtomicU64>,
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.seen.store(self.executor.snapshot().in_flight, Ordering::Relaxed);
    }
}

#[tokio::test(start_paused = true)]
async fn the_work_is_gone_before_its_slot_is_free() {
    let policy = policy(json!({ "bulkhead": { "max_in_flight": 3 }, "timeout": "1s", "max_retries": 0 }));
    let executor = Arc::new(Executor::new(policy));
    let seen = Arc::new(AtomicU64::new(0));
    let work = |ends: bool| {
        let witness = Witness { executor: Arc::clone(&executor), seen: Arc::clone(&seen) };
        async move {
            let _witness = witness;
            tokio::time::sleep(ms(if ends { 10 } else { 10_000 })).await;
            Ok::<_, ToolError>(())
        }
    };

    executor.call(|_| work(true)).await.expect("it succeeds");
    assert_eq!(seen.swap(0, Ordering::Relaxed), 1, "after a success");

    executor.call(|_| work(false)).await.expect_err("it times out");
    assert_eq!(seen.swap(0, Ordering::Relaxed), 1, "after a timeout");

    let token = CancellationToken::new();
    let options = CallOptions { cancel: Some(token.clone()), ..CallOptions::default() };
    let mut call = Box::pin(executor.run(&options, |_| work(false)));
    assert!(poll_once(call.as_mut()).is_pending());
    token.cancel();
    assert!(call.await.result.is_err());
    assert_eq!(seen.swap(0, Ordering::Relaxed), 1, "after a cancellation");

    let mut call = Box::pin(executor.call(|_| work(false)));
    assert!(poll_once(call.as_mut()).is_pending());
    drop(call);
    assert_eq!(seen.swap(0, Ordering::Relaxed), 1, "after a drop");
    assert_eq!(executor.snapshot().in_flight, 0);
}

#[tokio::test(start_paused = true)]
async fn one_poll_of_a_call_polls_its_tool_once() {
    let executor = Executor::new(policy(json!({})));
    let polls = AtomicU64::new(0);
    let tool = |_| {
        core::future::poll_fn(|_| {
            polls.fetch_add(1, Ordering::Relaxed);
            Poll::<Result<(), ToolError>>::Pending
        })
    };
    let mut call = Box::pin(executor.call(tool));
    for polled in 1..5 {
        assert!(poll_once(call.as_mut()).is_pending());
        assert_eq!(polls.load(Ordering::Relaxed), polled);
    }
}

#[tokio::test(start_paused = true)]
async fn a_result_that_is_there_is_not_lost_to_a_cancellation() {
    let executor = Executor::new(policy(json!({})));
    let token = CancellationToken::new();
    let options = CallOptions { cancel: Some(token.clone()), ..CallOptions::default() };
    let tool = |_| async {
        tokio::task::yield_now().await;
        Ok::<_, ToolError>("done")
    };
    let mut call = Box::pin(executor.run(&options, tool));
    assert!(poll_once(call.as_mut()).is_pending());
    token.cancel();
    assert_eq!(call.await.result.expect("the tool has ended"), "done");
}
