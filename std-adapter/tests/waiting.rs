//! Waiting for the circuit: for tokens, for a slot, for a breaker; nobody is forgotten, nobody waits longer than allowed.

mod support;

use core::time::Duration;
use fusebox::*;
use serde_json::json;
use std::sync::Arc;
use support::*;
use tokio::task::JoinHandle;
use tokio::time::Instant;

type Waiting = JoinHandle<(Duration, Execution<(), ToolError>)>;

/// Makes a call in a task of its own; the tool takes `millis`. Tells when the call ended, counted from now.
async fn spawn(executor: &Arc<Executor>, options: CallOptions, millis: u64, end: Result<(), ErrorCategory>) -> Waiting {
    let executor = Arc::clone(executor);
    let begun = Instant::now();
    let task = tokio::spawn(async move {
        let tool = |_| async move {
            tokio::time::sleep(ms(millis)).await;
            end.map_err(error)
        };
        let execution = executor.run(&options, tool).await;
        (begun.elapsed(), execution)
    });
    tokio::task::yield_now().await;
    task
}

async fn call(executor: &Arc<Executor>, priority: Priority, millis: u64) -> Waiting {
    spawn(executor, CallOptions { priority, ..CallOptions::default() }, millis, Ok(())).await
}

/// The call succeeds after so many milliseconds.
#[track_caller]
fn assert_ends(waiting: (Duration, Execution<(), ToolError>), millis: u64) {
    let (elapsed, execution) = waiting;
    assert!(execution.result.is_ok(), "{execution:?}");
    assert_eq!(elapsed, ms(millis));
}

/// Opens a breaker whose wait is over when this returns.
async fn open(executor: &Executor) {
    let tool = |_| core::future::ready(Err::<(), _>(error(ErrorCategory::Network)));
    while executor.counters().opened == 0 {
        executor.call(tool).await.expect_err("it fails");
    }
    tokio::time::advance(ms(5_000)).await;
}

fn executor(json: serde_json::Value) -> Arc<Executor> {
    Arc::new(Executor::new(plain(json)))
}

#[tokio::test(start_paused = true)]
async fn a_call_waits_for_its_tokens_as_long_as_needed() {
    let executor = executor(json!({ "max_wait": "1s", "rate": { "limit": "2/s", "burst": 1 } }));
    assert_ends(call(&executor, Priority::Normal, 0).await.await.unwrap(), 0);
    assert_ends(call(&executor, Priority::Normal, 0).await.await.unwrap(), 500);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_cannot_get_its_tokens_in_time_is_refused_at_once() {
    let executor = executor(json!({ "max_wait": "499ms", "rate": { "limit": "2/s", "burst": 1 } }));
    assert_ends(call(&executor, Priority::Normal, 0).await.await.unwrap(), 0);
    let before = executor.snapshot();
    let (elapsed, execution) = call(&executor, Priority::Normal, 0).await.await.unwrap();
    assert_eq!(elapsed, Duration::ZERO);
    let rejection = execution.result.unwrap_err().refusal().cloned().expect("it was refused");
    assert_eq!((rejection.by, rejection.retry_after()), (Part::Bucket, Some(ms(500))));
    assert_eq!(execution.stopped, Some(Stopped::Rejected(rejection)));
    assert_eq!(executor.snapshot(), before, "F1");
    assert_eq!(executor.counters().rejected_by_bucket, 1);
}

#[tokio::test(start_paused = true)]
async fn a_cost_above_the_burst_is_never_waited_for() {
    let executor = executor(json!({ "max_wait": "1h", "rate": { "limit": "2/s", "burst": 1 } }));
    let (elapsed, execution) = call(&executor, Priority::Low, 0).await.await.unwrap();
    assert_eq!(elapsed, Duration::ZERO);
    assert_eq!(execution.result.unwrap_err().refusal().map(|rejection| rejection.wait), Some(Wait::Never));
}

#[tokio::test(start_paused = true)]
async fn calls_get_a_slot_in_the_order_in_which_they_came() {
    let executor = executor(json!({ "max_wait": "10s", "bulkhead": { "max_in_flight": 1 } }));
    let mut calls = Vec::new();
    for _ in 0..5 {
        calls.push(call(&executor, Priority::Normal, 100).await);
    }
    for (call, millis) in calls.into_iter().zip((100..).step_by(100)) {
        assert_ends(call.await.unwrap(), millis);
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_gives_up_waiting_for_a_slot_after_max_wait() {
    let executor = executor(json!({ "max_wait": "300ms", "bulkhead": { "max_in_flight": 1 } }));
    let first = call(&executor, Priority::Normal, 400).await;
    let (elapsed, execution) = call(&executor, Priority::Normal, 100).await.await.unwrap();
    assert_eq!(elapsed, ms(300));
    assert_eq!(execution.result.unwrap_err().refusal().map(|rejection| rejection.by), Some(Part::Bulkhead));
    assert_ends(first.await.unwrap(), 400);
    assert_eq!(executor.counters().rejected_by_bulkhead, 1);
    assert_balanced(&executor.counters(), 0);
}

#[tokio::test(start_paused = true)]
async fn all_waits_of_a_call_together_are_no_longer_than_max_wait() {
    // each of the two attempts would have to wait 300 ms for its tokens
    let executor = executor(json!({ "max_wait": "500ms", "rate": { "limit": "1/300ms", "burst": 1 } }));
    assert_ends(call(&executor, Priority::Normal, 0).await.await.unwrap(), 0);
    let call = spawn(&executor, CallOptions::default(), 0, Err(ErrorCategory::Network)).await;
    let (elapsed, execution) = call.await.unwrap();
    assert_eq!((elapsed, execution.attempts), (ms(300), 1));
    assert!(matches!(execution.result, Err(CallError::Failed(_))), "the cause is kept");
    assert!(matches!(execution.stopped, Some(Stopped::Rejected(Refusal { by: Part::Bucket, .. }))));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_for_tokens_keeps_no_slot() {
    let executor = executor(
        json!({ "max_wait": "1h", "bulkhead": { "max_in_flight": 1 }, "rate": { "limit": "1/10s", "burst": 1 } }),
    );
    assert_ends(call(&executor, Priority::High, 0).await.await.unwrap(), 0);
    // there is half of what these need
    let wait_for_tokens = [call(&executor, Priority::Normal, 0).await, call(&executor, Priority::Normal, 0).await];
    assert_eq!(executor.snapshot().in_flight, 0);
    for (call, millis) in wait_for_tokens.into_iter().zip([5_000, 15_000]) {
        assert_ends(call.await.unwrap(), millis);
    }
}

#[tokio::test(start_paused = true)]
async fn calls_get_their_tokens_in_the_order_in_which_they_came() {
    let executor = executor(json!({ "max_wait": "1h", "rate": { "limit": "1/s", "burst": 1 } }));
    assert_ends(call(&executor, Priority::Normal, 0).await.await.unwrap(), 0);
    let costs = [(Priority::Normal, 1_000), (Priority::Critical, 1_100), (Priority::Normal, 2_100)];
    let mut waiting = Vec::new();
    for (priority, _) in costs {
        waiting.push(call(&executor, priority, 0).await);
    }
    for (call, (_, millis)) in waiting.into_iter().zip(costs) {
        assert_ends(call.await.unwrap(), millis);
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_gives_up_its_place_in_the_line_leaves_its_tokens_to_the_next() {
    let executor = executor(json!({ "max_wait": "1h", "rate": { "limit": "1/s", "burst": 1 } }));
    assert_ends(call(&executor, Priority::Normal, 0).await.await.unwrap(), 0);
    let gives_up = call(&executor, Priority::Normal, 0).await;
    gives_up.abort();
    gives_up.await.expect_err("it was dropped while it waited");
    assert_ends(call(&executor, Priority::Normal, 0).await.await.unwrap(), 1_000);
}

#[tokio::test(start_paused = true)]
async fn t1_tokens_that_a_call_has_booked_are_not_given_back_while_it_waits_for_something_else() {
    let policy = config(json!({ "max_wait": "10s", "rate": { "limit": "1/s", "burst": 1 } }));
    let one_at_a_time = serde_json::from_value(json!({ "bulkhead": { "max_in_flight": 1 } })).unwrap();
    let fetch = Arc::new(KeyedExecutor::new(&policy, &one_at_a_time).unwrap());
    let begun = Instant::now();
    let call = |key: &'static str, millis: u64| {
        let fetch = Arc::clone(&fetch);
        let tool = move |_| async move {
            let admitted = begun.elapsed();
            tokio::time::sleep(ms(millis)).await;
            Ok::<_, ToolError>(admitted)
        };
        tokio::spawn(async move { fetch.call(key, tool).await.expect("there is time") })
    };

    // the first takes the only token and the slot of its key; the second has its token after a second, and no slot
    let calls = [call("a.example", 5_000), call("a.example", 0)];
    tokio::time::sleep(ms(1_500)).await;
    assert_eq!(call("b.example", 0).await.unwrap(), ms(2_000), "the next token");
    for (call, millis) in calls.into_iter().zip([0, 5_000]) {
        assert_eq!(call.await.unwrap(), ms(millis));
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_for_an_open_breaker_does_not_keep_a_slot_from_another() {
    let breaker = json!({ "consecutive_failures": 1, "open_wait": "60s", "jitter": "none" });
    let executor =
        executor(json!({ "max_wait": "1h", "max_retries": 0, "bulkhead": { "max_in_flight": 1 }, "breaker": breaker }));
    let fails = spawn(&executor, CallOptions::default(), 0, Err(ErrorCategory::Network)).await;
    fails.await.unwrap().1.result.expect_err("it fails");
    let mut wait_for_the_breaker = Vec::new();
    for _ in 0..5 {
        wait_for_the_breaker.push(call(&executor, Priority::Normal, 0).await);
    }
    executor.reset();
    let holds_the_slot = call(&executor, Priority::Normal, 1_000).await;
    let waits_for_the_slot = call(&executor, Priority::Normal, 100).await;
    assert_ends(holds_the_slot.await.unwrap(), 1_000);
    assert_ends(waits_for_the_slot.await.unwrap(), 1_100);
    for call in wait_for_the_breaker {
        call.await.unwrap().1.result.expect("it goes when its time has come");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_woken_and_gives_up_wakes_the_next() {
    let executor = executor(
        json!({ "max_wait": "10s", "bulkhead": { "max_in_flight": 1 }, "rate": { "limit": "1/day", "burst": 1 } }),
    );
    let holds_the_slot = call(&executor, Priority::High, 1_000).await;
    let lacks_tokens = call(&executor, Priority::Normal, 0).await;
    let has_its_tokens = call(&executor, Priority::Critical, 100).await;
    assert_ends(holds_the_slot.await.unwrap(), 1_000);
    let (elapsed, execution) = lacks_tokens.await.unwrap();
    assert_eq!(elapsed, ms(1_000));
    assert_eq!(execution.result.unwrap_err().refusal().map(|rejection| rejection.by), Some(Part::Bucket));
    assert_ends(has_its_tokens.await.unwrap(), 1_100);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_woken_at_its_deadline_wakes_the_next() {
    let executor = executor(json!({ "max_wait": "10s", "bulkhead": { "max_in_flight": 1 } }));
    let holds_the_slot = call(&executor, Priority::Normal, 1_000).await;
    let options = CallOptions { deadline: Some(ms(1_000)), ..CallOptions::default() };
    let too_late = spawn(&executor, options, 100, Ok(())).await;
    let next = call(&executor, Priority::Normal, 100).await;
    assert_ends(holds_the_slot.await.unwrap(), 1_000);
    let (elapsed, execution) = too_late.await.unwrap();
    assert_eq!(elapsed, ms(1_000));
    assert!(matches!(execution.result, Err(CallError::DeadlineExceeded { .. })), "{execution:?}");
    assert_ends(next.await.unwrap(), 1_100);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_while_it_waits_leaves_the_slot_to_the_next() {
    let executor = executor(json!({ "max_wait": "10s", "bulkhead": { "max_in_flight": 1 } }));
    let holds_the_slot = call(&executor, Priority::Normal, 1_000).await;
    let mut dropped = Box::pin(executor.call(async |_| Ok::<_, ToolError>(())));
    assert!(poll_once(dropped.as_mut()).is_pending());
    let next = call(&executor, Priority::Normal, 100).await;
    assert_ends(holds_the_slot.await.unwrap(), 1_000); // has woken the call that is about to be dropped
    drop(dropped);
    assert_ends(next.await.unwrap(), 1_100);
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_succeeds_lets_all_go_that_wait_for_it() {
    let executor = executor(json!({ "max_wait": "10s", "max_retries": 0, "breaker": { "consecutive_failures": 1 } }));
    open(&executor).await;
    let probe = call(&executor, Priority::Normal, 1_000).await;
    let mut calls = Vec::new();
    for _ in 0..10 {
        calls.push(call(&executor, Priority::Normal, 500).await);
    }
    assert_ends(probe.await.unwrap(), 1_000);
    for call in calls {
        assert_ends(call.await.unwrap(), 1_500);
    }
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_succeeds_lets_as_many_go_as_the_ramp_allows() {
    let breaker = json!({ "consecutive_failures": 1, "probes": 3, "required_successes": 15 });
    let executor = executor(json!({ "max_wait": "10s", "max_retries": 0, "breaker": breaker }));
    open(&executor).await;
    let mut calls = Vec::new();
    for _ in 0..6 {
        calls.push(call(&executor, Priority::Normal, 100).await);
    }
    for (call, millis) in calls.into_iter().zip([100, 200, 200, 300, 300, 300]) {
        assert_ends(call.await.unwrap(), millis);
    }
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_fails_is_told_to_all_that_wait_for_it() {
    let breaker = json!({ "consecutive_failures": 1, "open_wait": "5s", "jitter": "none" });
    let executor = executor(json!({ "max_wait": "8s", "max_retries": 0, "breaker": breaker }));
    open(&executor).await;
    let probe = spawn(&executor, CallOptions::default(), 1_000, Err(ErrorCategory::Network)).await;
    let mut calls = Vec::new();
    for _ in 0..10 {
        calls.push(call(&executor, Priority::Normal, 0).await);
    }
    probe.await.unwrap().1.result.expect_err("it fails");
    for call in calls {
        let (elapsed, execution) = call.await.unwrap();
        assert_eq!(elapsed, ms(1_000), "the next wait, 10 s, is too long");
        assert_eq!(execution.result.unwrap_err().refusal().map(|rejection| rejection.by), Some(Part::Breaker));
    }
}

#[tokio::test(start_paused = true)]
async fn b4_a_probe_that_never_reports_delays_those_that_wait_for_it_by_one_lease() {
    let policy =
        json!({ "max_wait": "1h", "max_retries": 0, "breaker": { "consecutive_failures": 1, "probe_lease": "20s" } });
    let executor = executor(policy);
    open(&executor).await;
    let leaked = Arc::clone(&executor);
    let mut probe =
        Box::pin(async move { leaked.call(async |_| core::future::pending::<Result<(), ToolError>>().await).await });
    assert!(poll_once(probe.as_mut()).is_pending());
    core::mem::forget(probe);
    let waiting = [call(&executor, Priority::Normal, 100).await, call(&executor, Priority::Normal, 100).await];
    let [first, second] = waiting;
    let (elapsed, execution) = first.await.unwrap();
    assert!(execution.result.is_ok(), "{execution:?}");
    assert!(elapsed <= ms(20_100), "{elapsed:?}");
    let (elapsed, execution) = second.await.unwrap();
    assert!(execution.result.is_ok(), "{execution:?}");
    assert!(elapsed <= ms(20_200), "{elapsed:?}");
}

#[tokio::test(start_paused = true)]
async fn a_breaker_that_is_reset_or_forced_closed_lets_all_go_that_wait_for_a_probe() {
    for reset in [Executor::reset, |executor: &Executor| executor.force(Forced::Closed)] {
        let executor =
            executor(json!({ "max_wait": "10s", "max_retries": 0, "breaker": { "consecutive_failures": 1 } }));
        open(&executor).await;
        let _probe = call(&executor, Priority::Normal, 5_000).await;
        let calls = [call(&executor, Priority::Normal, 0).await, call(&executor, Priority::Normal, 0).await];
        tokio::time::sleep(ms(100)).await;
        reset(&executor);
        for call in calls {
            assert_ends(call.await.unwrap(), 100);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_slot_that_was_taken_under_the_old_policy_wakes_a_call_under_the_new() {
    let old = executor(json!({ "bulkhead": { "max_in_flight": 1 } }));
    let holds_the_slot = call(&old, Priority::Normal, 1_000).await;
    let new = Arc::new(old.with_policy(plain(json!({ "max_wait": "10s", "bulkhead": { "max_in_flight": 1 } }))));
    let waits = call(&new, Priority::Normal, 100).await;
    assert_ends(holds_the_slot.await.unwrap(), 1_000);
    assert_ends(waits.await.unwrap(), 1_100);
}

#[tokio::test(start_paused = true)]
async fn a_call_whose_policy_does_not_retry_refusals_waits_for_nothing() {
    let executor = executor(json!({
        "max_wait": "10s", "bulkhead": { "max_in_flight": 1 }, "categories": { "CircuitOpen": { "retry": false } }
    }));
    let _holds_the_slot = call(&executor, Priority::Normal, 1_000).await;
    let (elapsed, execution) = call(&executor, Priority::Normal, 0).await.await.unwrap();
    assert_eq!(elapsed, Duration::ZERO);
    assert_eq!(execution.result.unwrap_err().refusal().map(|rejection| rejection.by), Some(Part::Bulkhead));
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_even_where_the_clock_of_the_circuit_stands_still() {
    let policy = plain(json!({ "max_wait": "1s", "rate": { "limit": "2/s", "burst": 1 } }));
    let executor = Executor::with_clock(policy, ManualClock::default());
    let tool = async |_| Ok::<_, ToolError>(());
    executor.call(tool).await.expect("the bucket is full");
    let begun = Instant::now();
    assert!(executor.call(tool).await.is_err());
    assert_eq!(begun.elapsed(), ms(1_000));
}
