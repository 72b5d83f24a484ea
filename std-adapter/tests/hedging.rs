//! Hedging: another attempt beside one that takes long, paid for and admitted like any other, and never one too many.

mod support;

use core::future::{Ready, pending};
use fusebox::*;
use fusebox_core::{State, Tokens};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use support::*;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// What the n-th attempt does: it takes so many milliseconds, and ends like this.
type Script<'a> = &'a [(u64, Result<(), ErrorCategory>)];

const OK: Result<(), ErrorCategory> = Ok(());
const BROKEN: Result<(), ErrorCategory> = Err(ErrorCategory::Network);
const LONG: u64 = 20_000;

/// Hedged after 200 ms, and not retried unless the test says so.
fn hedged(mut json: Value) -> Executor {
    let fields = json.as_object_mut().expect("a policy is an object");
    fields.entry("hedge").or_insert(json!({ "delay": "200ms" }));
    fields.entry("max_retries").or_insert(json!(0));
    Executor::new(plain(json))
}

/// A call that returns the number of the attempt that succeeded.
async fn run(executor: &Executor, script: Script<'_>) -> Execution<u32, ToolError> {
    let tool = async |attempt: Attempt| {
        let (millis, end) = script[attempt.number as usize - 1];
        sleep(ms(millis)).await;
        end.map(|()| attempt.number).map_err(error)
    };
    executor.run(&CallOptions::default(), tool).await
}

/// The call succeeded with this attempt, of so many, after so many milliseconds.
#[track_caller]
fn assert_won(execution: &Execution<u32, ToolError>, by: u32, attempts: u32, millis: u64) {
    assert_eq!(execution.result.as_ref().ok(), Some(&by), "{execution:?}");
    assert_eq!((execution.attempts, execution.elapsed), (attempts, ms(millis)));
}

#[track_caller]
fn assert_counted(executor: &Executor, attempts: u64, hedges: u64) {
    let counters = executor.counters();
    assert_eq!((counters.attempts, counters.hedges), (attempts, hedges), "{counters:?}");
    assert_balanced(&counters, 0);
}

#[tokio::test(start_paused = true)]
async fn a_hedge_goes_out_after_the_delay_and_the_first_output_ends_the_call() {
    let executor = hedged(json!({ "bulkhead": { "max_in_flight": 2 }, "rate": { "limit": "1/day", "burst": 10 } }));
    assert_won(&run(&executor, &[(LONG, OK), (50, OK)]).await, 2, 2, 250);
    assert_counted(&executor, 2, 1);
    assert_eq!(executor.counters().retries, 0, "no earlier attempt has failed");
    let snapshot = executor.snapshot();
    assert_eq!((snapshot.in_flight, snapshot.tokens), (0, Some(Tokens::whole(9))), "what was dropped gave all back");
}

#[tokio::test(start_paused = true)]
async fn the_attempt_that_took_long_may_still_be_the_first_to_end() {
    let executor = hedged(json!({}));
    assert_won(&run(&executor, &[(300, OK), (LONG, OK)]).await, 1, 2, 300);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_ends_with_the_delay_is_not_hedged() {
    let executor = hedged(json!({}));
    assert_won(&run(&executor, &[(200, OK)]).await, 1, 1, 200);
    assert_counted(&executor, 1, 0);
}

#[tokio::test(start_paused = true)]
async fn there_are_at_most_so_many_hedges_one_delay_apart() {
    let executor = hedged(json!({ "hedge": { "delay": "200ms", "max": 2 } }));
    assert_won(&run(&executor, &[(LONG, OK), (LONG, OK), (1_000, OK)]).await, 3, 3, 1_400);
    assert_counted(&executor, 3, 2);
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_can_be_retried_waits_for_the_others() {
    let executor = hedged(json!({}));
    let execution = run(&executor, &[(250, BROKEN), (200, OK)]).await;
    assert_won(&execution, 2, 2, 400);
    assert_eq!(execution.failures.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_cannot_be_retried_ends_the_call_at_once() {
    let executor = hedged(json!({ "bulkhead": { "max_in_flight": 2 } }));
    let execution = run(&executor, &[(250, Err(ErrorCategory::InvalidParameters)), (200, OK)]).await;
    assert_eq!((execution.elapsed, execution.stopped), (ms(250), Some(Stopped::NotRetryable)));
    assert_eq!(executor.snapshot().in_flight, 0);
    assert_counted(&executor, 2, 1);
}

#[tokio::test(start_paused = true)]
async fn there_is_no_hedge_once_an_attempt_has_failed() {
    let executor = hedged(json!({ "hedge": { "delay": "200ms", "max": 2 } }));
    assert_won(&run(&executor, &[(250, BROKEN), (1_000, OK), (0, OK)]).await, 2, 2, 1_200);
}

#[tokio::test(start_paused = true)]
async fn hedges_count_against_the_retries() {
    for (max_retries, attempts) in [(0, 2), (1, 2), (2, 3), (3, 4)] {
        let executor = hedged(json!({ "max_retries": max_retries }));
        let execution = run(&executor, &[(250, BROKEN), (100, BROKEN), (0, BROKEN), (0, BROKEN)]).await;
        assert_eq!((execution.attempts, execution.stopped), (attempts, Some(Stopped::RetriesExhausted)));
        assert_counted(&executor, attempts.into(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn the_retry_budget_pays_for_hedges() {
    let budget = json!({ "share": 1.0, "per_second": 0.0, "window": "1h" });
    let executor = hedged(json!({ "retry_budget": budget }));
    let script: Script<'_> = &[(500, OK), (100, OK)];
    assert_won(&run(&executor, script).await, 1, 1, 500);
    let balance = || executor.retry_budget().expect("there is one").balance;
    assert_eq!(balance(), Tokens::whole(1), "what the first call has earned");
    assert_won(&run(&executor, script).await, 2, 2, 300);
    assert_eq!(balance(), Tokens::whole(1), "one paid, one earned");
    assert_counted(&executor, 3, 1);
}

#[tokio::test(start_paused = true)]
async fn a_hedge_that_the_circuit_refuses_is_not_waited_for_and_costs_nothing() {
    for (limits, by) in [
        (json!({ "bulkhead": { "max_in_flight": 1 } }), "the bulkhead"),
        (json!({ "rate": { "limit": "1/s", "burst": 1 } }), "the bucket"),
    ] {
        let mut policy = limits;
        policy["max_wait"] = json!("10s");
        policy["retry_budget"] = json!({ "share": 1.0, "per_second": 0.0, "window": "1h" });
        let executor = hedged(policy);
        assert_won(&run(&executor, &[(0, OK)]).await, 1, 1, 0);
        sleep(ms(1_000)).await;
        assert_won(&run(&executor, &[(250, OK)]).await, 1, 1, 250);
        assert_counted(&executor, 2, 0);
        let saved = executor.retry_budget().expect("there is one").balance;
        assert_eq!(saved, Tokens::whole(2), "{by}: what two calls have earned");
        assert_eq!(executor.snapshot().booked.unwrap_or(Tokens::ZERO), Tokens::ZERO, "nothing is left booked");
    }
}

#[tokio::test(start_paused = true)]
async fn b1_a_probe_is_hedged_within_the_probes_allowed_only() {
    let breaker = json!({ "consecutive_failures": 1, "jitter": "none", "required_successes": 3, "probes": 2 });
    let executor = hedged(json!({ "breaker": breaker }));
    run(&executor, &[(0, BROKEN)]).await.result.expect_err("it fails");
    sleep(ms(5_000)).await;
    let outstanding = || executor.snapshot().breaker.map(|breaker| (breaker.state, breaker.outstanding));
    // the ramp: one probe, and one more for each that has succeeded
    let scripts: [(Script<'_>, u32); 2] = [(&[(250, OK)], 1), (&[(LONG, OK), (50, OK)], 2)];
    for (script, attempts) in scripts {
        let mut most = 0;
        let watched = async {
            loop {
                sleep(ms(10)).await;
                most = most.max(outstanding().map_or(0, |(_, outstanding)| outstanding));
            }
        };
        let execution =
            tokio::select! { execution = run(&executor, script) => execution, () = watched => unreachable!() };
        assert_eq!((execution.attempts, u32::from(most)), (attempts, attempts));
        assert_eq!(outstanding(), Some((State::HalfOpen, 0)), "all have reported, or were dropped");
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_a_hedge_ends_the_call_whenever_it_comes() {
    let executor = hedged(json!({ "bulkhead": { "max_in_flight": 2 } }));
    let late = async |attempt: Attempt| {
        sleep(ms(if attempt.number == 1 { LONG } else { 10 })).await;
        panic!("as planned");
    };
    let panicked = executor.call::<(), ToolError, _, _>(late).await;
    assert!(matches!(&panicked, Err(CallError::Panicked(message)) if message == "as planned"), "{panicked:?}");
    let early = |attempt: Attempt| -> BoxFuture<'static, Result<(), ToolError>> {
        assert_eq!(attempt.number, 1, "as planned");
        Box::pin(pending())
    };
    assert!(matches!(executor.call(early).await, Err(CallError::Panicked(_))));
    let first = |_| -> Ready<Result<(), ToolError>> { panic!("before there is a future") };
    assert!(matches!(executor.call(first).await, Err(CallError::Panicked(_))));
    assert_eq!(executor.snapshot().in_flight, 0);
    assert_counted(&executor, 5, 2);
}

#[tokio::test(start_paused = true)]
async fn each_attempt_has_a_timeout_of_its_own() {
    let executor = hedged(json!({ "timeout": "300ms" }));
    let execution = run(&executor, &[(LONG, OK), (LONG, OK)]).await;
    assert!(matches!(execution.result, Err(CallError::TimedOut { after }) if after == ms(300)));
    assert_eq!((execution.elapsed, executor.counters().timeouts), (ms(500), 2));
    assert_won(&run(&executor, &[(LONG, OK), (299, OK)]).await, 2, 2, 499);
}

#[tokio::test(start_paused = true)]
async fn the_deadline_cuts_all_attempts_and_keeps_the_error_of_one_that_failed() {
    let executor = hedged(json!({ "deadline": "450ms", "bulkhead": { "max_in_flight": 2 } }));
    let scripts: [(Script<'_>, bool); 2] = [(&[(LONG, OK), (LONG, OK)], false), (&[(250, BROKEN), (LONG, OK)], true)];
    for (script, cause) in scripts {
        let execution = run(&executor, script).await;
        let Err(CallError::DeadlineExceeded { last, .. }) = execution.result else { panic!("{execution:?}") };
        assert_eq!((execution.elapsed, last.is_some()), (ms(450), cause));
        assert_eq!(executor.snapshot().in_flight, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_that_fires_ends_all_attempts() {
    let executor = hedged(json!({ "bulkhead": { "max_in_flight": 2 } }));
    let cancel = CancellationToken::new();
    let options = CallOptions { cancel: Some(cancel.clone()), ..CallOptions::default() };
    let call = executor.run(&options, |_| pending::<Result<(), ToolError>>());
    let (execution, ()) = tokio::join!(call, async {
        sleep(ms(300)).await;
        cancel.cancel();
    });
    assert!(matches!(execution.result, Err(CallError::Cancelled)));
    assert_eq!((execution.elapsed, executor.snapshot().in_flight), (ms(300), 0));
    assert_counted(&executor, 2, 1);
}

#[tokio::test(start_paused = true)]
async fn all_attempts_have_one_key_and_each_its_number() {
    let executor = hedged(json!({ "hedge": { "delay": "200ms", "max": 2 } }));
    let seen = Mutex::new(Vec::new());
    let tool = |attempt: Attempt| {
        seen.lock().unwrap().push((attempt.number, attempt.idempotency_key.clone()));
        sleep_then_ok(500)
    };
    executor.call(tool).await.expect("it succeeds");
    let seen = seen.into_inner().unwrap();
    assert_eq!(seen.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [1, 2, 3]);
    assert!(seen.iter().all(|(_, key)| *key == seen[0].1));
}

async fn sleep_then_ok(millis: u64) -> Result<(), ToolError> {
    sleep(ms(millis)).await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_call_within_one_that_is_retried_or_hedged_is_not_hedged() {
    for outer in [json!({ "max_retries": 1 }), json!({ "max_retries": 0, "hedge": { "delay": "10s" } })] {
        let (outer, inner) = (Executor::new(plain(outer)), hedged(json!({})));
        let tool = async |_| run(&inner, &[(500, OK), (0, OK)]).await.result.map_err(|_| error(ErrorCategory::Network));
        assert_eq!(outer.call(tool).await.expect("it succeeds"), 1);
        assert_counted(&inner, 1, 0);
        assert_won(&run(&inner, &[(500, OK), (0, OK)]).await, 2, 2, 200);
    }
    let (outer, inner) = (Executor::new(plain(json!({ "max_retries": 0 }))), hedged(json!({})));
    outer.call(async |_| Ok::<_, ToolError>(run(&inner, &[(500, OK), (0, OK)]).await)).await.expect("it succeeds");
    assert_counted(&inner, 2, 1);
}

#[tokio::test(start_paused = true)]
async fn a_hedged_call_does_not_keep_one_within_it_from_being_retried() {
    let (outer, inner) = (hedged(json!({})), Executor::new(plain(json!({ "max_retries": 1 }))));
    let tool = async |_| run(&inner, &[(0, BROKEN), (0, OK)]).await.result.map_err(|_| error(ErrorCategory::Network));
    assert_eq!(outer.call(tool).await.expect("it succeeds"), 2);
}

#[tokio::test(start_paused = true)]
async fn a_percentile_is_learned_from_attempts_that_succeeded() {
    let executor = hedged(json!({ "hedge": { "percentile": 50.0, "min_samples": 3 }, "timeout": "2s" }));
    let slow: Script<'_> = &[(1_000, OK), (0, OK)];
    run(&executor, &[(300, OK)]).await.result.expect("it succeeds");
    run(&executor, &[(300, OK)]).await.result.expect("it succeeds");
    run(&executor, &[(5, BROKEN)]).await.result.expect_err("it fails");
    run(&executor, &[(LONG, OK)]).await.result.expect_err("it times out");
    assert_counted(&executor, 4, 0);
    run(&executor, &[(300, OK)]).await.result.expect("it succeeds");
    let execution = run(&executor, slow).await;
    assert_eq!(execution.result.ok(), Some(2), "three are enough");
    assert!((ms(300)..=ms(303)).contains(&execution.elapsed), "{:?}", execution.elapsed);
}

#[tokio::test(start_paused = true)]
async fn attempts_that_lose_are_gone_when_the_call_ends() {
    let executor = hedged(json!({}));
    let held = Arc::new(());
    let tool = |attempt: Attempt| {
        let held = Arc::clone(&held);
        async move {
            sleep(ms(if attempt.number == 1 { LONG } else { 10 })).await;
            drop(held);
            Ok::<_, ToolError>(attempt.number)
        }
    };
    assert_eq!(executor.call(tool).await.expect("it succeeds"), 2);
    assert_eq!(Arc::strong_count(&held), 1);
}
