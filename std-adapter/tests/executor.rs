//! What an executor promises for one call: timeout, deadline, retries, categories, and what each costs.

mod support;

use core::cell::Cell;
use core::future::{pending, ready};
use core::time::Duration;
use fusebox::*;
use fusebox_core::{State, Tokens};
use serde_json::json;
use std::sync::{Arc, Mutex};
use support::*;
use tokio::time::{Instant, sleep};

type Ended<T> = Execution<T, ToolError>;

/// One call of a tool that always fails.
async fn failing(executor: &Executor, category: ErrorCategory) -> Ended<()> {
    executor.run(&CallOptions::default(), |_| ready(Err(error(category)))).await
}

async fn hanging(executor: &Executor, options: &CallOptions) -> Ended<()> {
    executor.run(options, |_| pending()).await
}

async fn succeeding(executor: &Executor) -> Ended<()> {
    executor.run(&CallOptions::default(), |_| ready(Ok(()))).await
}

fn deadline(millis: u64) -> CallOptions {
    CallOptions { deadline: Some(ms(millis)), ..CallOptions::default() }
}

fn breaker(executor: &Executor) -> fusebox_core::BreakerSnapshot {
    executor.snapshot().breaker.expect("the policy has a breaker")
}

fn tokens(executor: &Executor) -> Tokens {
    executor.snapshot().tokens.expect("the policy has a rate limit")
}

#[tokio::test(start_paused = true)]
async fn each_attempt_has_the_whole_timeout() {
    let executor = Executor::new(plain(json!({ "timeout": "2s", "max_retries": 2 })));
    let execution = hanging(&executor, &CallOptions::default()).await;
    assert!(matches!(execution.result, Err(CallError::TimedOut { after }) if after == ms(2_000)));
    assert_eq!((execution.attempts, execution.elapsed), (3, ms(6_000)));
    assert_eq!(execution.stopped, Some(Stopped::RetriesExhausted));
    assert!(execution.failures.iter().all(|failed| failed.elapsed == ms(2_000)));
    let counters = executor.counters();
    assert_eq!((counters.timeouts, counters.retries, counters.failed), (3, 2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_tool_that_ends_just_in_time_has_not_timed_out() {
    let executor = Executor::new(plain(json!({ "timeout": "2s" })));
    let tool = async |_| {
        sleep(ms(2_000)).await;
        Ok::<_, ToolError>(())
    };
    executor.call(tool).await.expect("both are due at once, and the tool is asked first");
}

#[tokio::test(start_paused = true)]
async fn the_backoff_grows_by_its_factor_up_to_its_cap() {
    let backoff = json!({ "base": "100ms", "factor": 3, "cap": "1s", "jitter": "none" });
    let executor =
        Executor::new(plain(json!({ "max_retries": 5, "backoff": backoff, "breaker": { "enabled": false } })));
    let begun = Instant::now();
    let times = Mutex::new(Vec::new());
    let tool = |_| {
        times.lock().unwrap().push(begun.elapsed());
        ready(Err::<(), _>(error(ErrorCategory::Network)))
    };
    executor.call(tool).await.expect_err("it always fails");
    let times = times.into_inner().unwrap();
    let delays: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(delays, [ms(100), ms(300), ms(900), ms(1_000), ms(1_000)]);
}

#[tokio::test(start_paused = true)]
async fn a_jittered_backoff_is_never_above_its_cap() {
    let backoff = json!({ "base": "100ms", "cap": "1s", "jitter": "full" });
    let executor =
        Executor::new(plain(json!({ "max_retries": 200, "backoff": backoff, "breaker": { "enabled": false } })));
    let last = Mutex::new(Instant::now());
    let tool = |_| {
        let mut last = last.lock().unwrap();
        assert!(last.elapsed() <= ms(1_000), "{:?}", last.elapsed());
        *last = Instant::now();
        ready(Err::<(), _>(error(ErrorCategory::Network)))
    };
    assert!(matches!(executor.call(tool).await, Err(CallError::Failed(_))));
}

#[tokio::test(start_paused = true)]
async fn the_greatest_number_of_retries_does_not_wrap() {
    let executor = Executor::new(plain(json!({ "max_retries": u32::MAX, "breaker": { "enabled": false } })));
    let tool = |attempt: Attempt| {
        ready(if attempt.number < 1_000 { Err(error(ErrorCategory::Network)) } else { Ok(attempt.number) })
    };
    let execution = executor.run(&CallOptions::default(), tool).await;
    assert_eq!(execution.result.expect("it succeeds in the end"), 1_000);
    assert_eq!(execution.failures.len(), 32, "of a long series the first 32 are kept");
}

#[tokio::test(start_paused = true)]
async fn without_retries_there_is_one_attempt() {
    let executor = Executor::new(plain(json!({ "max_retries": 0 })));
    let execution = failing(&executor, ErrorCategory::Network).await;
    assert_eq!((execution.attempts, execution.stopped), (1, Some(Stopped::RetriesExhausted)));
}

#[tokio::test(start_paused = true)]
async fn an_attempt_has_no_more_time_than_the_deadline_leaves() {
    let executor = Executor::new(plain(json!({ "timeout": "2s", "deadline": "5s" })));
    let left = Mutex::new(Vec::new());
    let tool = |attempt: Attempt| {
        left.lock().unwrap().push(attempt.time_left.expect("there is a deadline"));
        pending::<Result<(), ToolError>>()
    };
    let execution = executor.run(&CallOptions::default(), tool).await;
    assert!(matches!(execution.result, Err(CallError::DeadlineExceeded { after, .. }) if after == ms(5_000)));
    assert_eq!((execution.elapsed, execution.stopped), (ms(5_000), Some(Stopped::Deadline)));
    assert_eq!(left.into_inner().unwrap(), [ms(5_000), ms(3_000), ms(1_000)]);
}

#[tokio::test(start_paused = true)]
async fn the_shorter_of_two_deadlines_counts() {
    for (policy, options, expected) in [("1s", 2_000, 1_000), ("2s", 1_000, 1_000)] {
        let executor = Executor::new(plain(json!({ "deadline": policy })));
        assert_eq!(hanging(&executor, &deadline(options)).await.elapsed, ms(expected));
    }
}

#[tokio::test(start_paused = true)]
async fn a_deadline_keeps_the_last_error_as_its_source() {
    let executor = Executor::new(plain(json!({ "deadline": "1s" })));
    let tool = async |attempt: Attempt| match attempt.number {
        1 => Err::<(), _>(error(ErrorCategory::Network)),
        _ => pending().await,
    };
    let error = executor.call(tool).await.expect_err("it hangs");
    assert!(matches!(&error, CallError::DeadlineExceeded { last: Some(_), .. }), "{error:?}");
    let source = core::error::Error::source(&error).expect("the first attempt's error");
    assert_eq!(source.to_string(), "a Network error");
    assert_eq!(error.to_string(), "deadline of 1s exceeded, after: a Network error");
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_does_not_fit_the_deadline_is_not_waited_for() {
    let executor = Executor::new(plain(json!({
        "deadline": "1s", "backoff": { "base": "1s", "jitter": "none" }
    })));
    let execution = failing(&executor, ErrorCategory::Network).await;
    assert!(matches!(execution.result, Err(CallError::Failed(_))), "the cause is kept");
    assert_eq!((execution.attempts, execution.elapsed), (1, Duration::ZERO));
    assert_eq!(execution.stopped, Some(Stopped::Deadline));
}

#[tokio::test(start_paused = true)]
async fn a_call_without_time_makes_no_attempt() {
    let executor = Executor::new(plain(json!({})));
    let before = executor.snapshot();
    let tool = async |_| -> Result<(), ToolError> { unreachable!("there is no time") };
    let execution = executor.run(&deadline(0), tool).await;
    assert!(matches!(execution.result, Err(CallError::DeadlineExceeded { last: None, .. })));
    assert_eq!(execution.attempts, 0);
    assert_eq!(executor.snapshot(), before);
    assert_balanced(&executor.counters(), 0);
}

#[tokio::test(start_paused = true)]
async fn no_attempt_starts_after_the_deadline() {
    // the wait for the tokens ends exactly at the deadline
    let executor =
        Executor::new(policy(json!({ "deadline": "1s", "max_wait": "5s", "rate": { "limit": "1/s", "burst": 1 } })));
    succeeding(&executor).await.result.expect("the bucket is full");
    let execution = succeeding(&executor).await;
    assert!(matches!(execution.result, Err(CallError::DeadlineExceeded { .. })), "{execution:?}");
    assert_eq!((execution.attempts, execution.elapsed), (0, ms(1_000)));
    assert_eq!(tokens(&executor), Tokens::ONE);
}

#[tokio::test(start_paused = true)]
async fn extreme_deadlines_are_accepted() {
    let executor = Executor::new(plain(json!({ "timeout": "365days", "max_wait": "365days", "deadline": "365days" })));
    let options = CallOptions { deadline: Some(Duration::MAX), ..CallOptions::default() };
    let tool = async |_| {
        sleep(ms(1)).await;
        Ok::<_, ToolError>(())
    };
    executor.run(&options, tool).await.result.expect("there is enough time");
}

#[tokio::test(start_paused = true)]
async fn a_retry_waits_as_long_as_the_tool_asks() {
    let executor = Executor::new(plain(json!({ "backoff": { "base": "10ms", "cap": "3s", "jitter": "none" } })));
    let begun = Instant::now();
    let tool = |attempt: Attempt| {
        ready(match attempt.number {
            1 => Err(error(ErrorCategory::RateLimit).with_retry_after(ms(3_000))),
            2 => Err(error(ErrorCategory::RateLimit).with_retry_after(ms(1))),
            _ => Ok(begun.elapsed()),
        })
    };
    let elapsed = executor.call(tool).await.expect("it succeeds in the end");
    assert_eq!(elapsed, ms(3_000 + 20), "once as asked, and once the backoff, which is longer");
}

#[tokio::test(start_paused = true)]
async fn a_tool_that_asks_for_more_than_the_cap_is_not_retried() {
    let executor = Executor::new(plain(json!({ "backoff": { "base": "10ms", "cap": "3s" } })));
    let tool = |_| ready(Err::<(), _>(error(ErrorCategory::RateLimit).with_retry_after(ms(3_001))));
    let execution = executor.run(&CallOptions::default(), tool).await;
    assert_eq!((execution.attempts, execution.elapsed), (1, Duration::ZERO));
    assert_eq!(execution.stopped, Some(Stopped::RetryAfterTooLong));
    assert_eq!(execution.result.unwrap_err().retry_after(), Some(ms(3_001)));
}

/// Which categories trip the breaker, and which are retried.
const TABLE: [(ErrorCategory, bool, bool); 14] = [
    (ErrorCategory::Network, true, true),
    (ErrorCategory::Timeout, true, true),
    (ErrorCategory::RateLimit, true, true),
    (ErrorCategory::ServiceUnavailable, true, true),
    (ErrorCategory::ExecutionError, true, true),
    (ErrorCategory::CircuitOpen, false, true),
    (ErrorCategory::Authentication, false, false),
    (ErrorCategory::ToolNotFound, false, false),
    (ErrorCategory::ResourceNotFound, false, false),
    (ErrorCategory::PermissionDenied, false, false),
    (ErrorCategory::PolicyViolation, false, false),
    (ErrorCategory::ResourceExhausted, false, false),
    (ErrorCategory::InvalidParameters, false, false),
    (ErrorCategory::Cancelled, false, false),
];

#[tokio::test(start_paused = true)]
async fn each_category_trips_and_is_retried_as_the_table_says() {
    assert_eq!(TABLE.map(|(category, ..)| category), ErrorCategory::ALL);
    for (category, trips, retry) in TABLE {
        assert_eq!(category.default_rule(), CategoryRule { trips, retry });
        let executor = Executor::new(plain(json!({ "max_retries": 1 })));
        let execution = failing(&executor, category).await;
        assert_eq!(execution.attempts, if retry { 2 } else { 1 }, "{category}");
        let expected = if retry { Stopped::RetriesExhausted } else { Stopped::NotRetryable };
        assert_eq!(execution.stopped, Some(expected), "{category}");
        assert_eq!(breaker(&executor).failures, if trips { execution.attempts } else { 0 }, "{category}");
    }
}

#[tokio::test(start_paused = true)]
async fn each_cell_of_the_table_can_be_changed() {
    for (category, trips, retry) in TABLE {
        for (change, trips, retry) in [
            (json!({ "trips": !trips }), !trips, retry),
            (json!({ "retry": !retry }), trips, !retry),
            (json!({ "trips": !trips, "retry": !retry }), !trips, !retry),
        ] {
            let executor = Executor::new(plain(json!({ "max_retries": 1, "categories": { category.name(): change } })));
            assert_eq!(executor.policy().rule(category), CategoryRule { trips, retry });
            let execution = failing(&executor, category).await;
            assert_eq!(execution.attempts, if retry { 2 } else { 1 }, "{category} {change}");
            assert_eq!(breaker(&executor).failures, if trips { execution.attempts } else { 0 }, "{category} {change}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_breaker_that_opens_on_a_retry_does_not_hide_the_cause() {
    let executor = Executor::new(plain(json!({ "max_retries": 2, "breaker": { "consecutive_failures": 2 } })));
    let tool = |_| ready(Err::<(), _>(ToolError::new(ErrorCategory::ExecutionError, "disk full")));
    let execution = executor.run(&CallOptions::default(), tool).await;
    assert_eq!(execution.result.unwrap_err().to_string(), "disk full");
    assert_eq!((execution.attempts, execution.elapsed), (2, Duration::ZERO), "nothing is waited for in vain");
    assert!(matches!(execution.stopped, Some(Stopped::Rejected(Refusal { by: Part::Breaker, .. }))));
    let counters = executor.counters();
    assert_eq!((counters.failed, counters.rejected_by_breaker, counters.opened), (1, 0, 1));

    let refused = succeeding(&executor).await;
    assert!(matches!(refused.result, Err(CallError::Rejected(Refusal { by: Part::Breaker, .. }))));
    assert_eq!(refused.attempts, 0);
}

#[tokio::test(start_paused = true)]
async fn a_retry_waits_for_the_breaker_where_the_call_has_time() {
    let breaker = json!({ "consecutive_failures": 1, "open_wait": "5s", "jitter": "none" });
    let executor = Executor::new(plain(json!({ "max_wait": "6s", "breaker": breaker })));
    let tool = |attempt: Attempt| ready(if attempt.number == 1 { Err(error(ErrorCategory::Network)) } else { Ok(()) });
    let execution = executor.run(&CallOptions::default(), tool).await;
    execution.result.expect("the second attempt is a probe");
    // the open wait is kept in ticks of 32.8 us, a timer in milliseconds
    assert!((ms(4_999)..=ms(5_001)).contains(&execution.elapsed), "{:?}", execution.elapsed);
    assert_eq!(executor.counters().closed, 1);
}

#[tokio::test(start_paused = true)]
async fn a_retry_waits_for_the_probe_of_another_call_where_it_has_time() {
    let breaker = json!({ "consecutive_failures": 1, "open_wait": "1s", "jitter": "none" });
    let executor = Arc::new(Executor::new(plain(json!({ "max_wait": "6s", "max_retries": 1, "breaker": breaker }))));
    let late = Arc::clone(&executor);
    // admitted while closed, fails while another call probes
    let late = tokio::spawn(async move {
        let tool = async |attempt: Attempt| {
            sleep(ms(1_500)).await;
            if attempt.number == 1 { Err(error(ErrorCategory::Network)) } else { Ok(()) }
        };
        late.run(&CallOptions::default(), tool).await
    });
    tokio::task::yield_now().await;
    failing(&executor.with_policy(plain(json!({ "max_retries": 0, "breaker": breaker }))), ErrorCategory::Network)
        .await;
    sleep(ms(1_000)).await;
    let probe = executor.call(async |_| {
        sleep(ms(1_000)).await;
        Ok::<_, ToolError>(())
    });
    probe.await.expect("the probe succeeds");
    let execution = late.await.unwrap();
    execution.result.expect("the retry was admitted after the probe");
    assert_eq!(execution.elapsed, ms(2_000 + 1_500));
}

#[tokio::test(start_paused = true)]
async fn f1_a_local_refusal_never_trips_the_breaker_and_costs_nothing() {
    let executor = Executor::new(policy(json!({
        "max_retries": 0,
        "rate": { "limit": "1/day", "burst": 1 },
        "bulkhead": { "max_in_flight": 1 },
        "breaker": { "consecutive_failures": 1 }
    })));
    let mut holds_the_slot = Box::pin(executor.call(async |_| pending::<Result<(), ToolError>>().await));
    assert!(poll_once(holds_the_slot.as_mut()).is_pending());
    let before = executor.snapshot();
    for _ in 0..100 {
        let error = succeeding(&executor).await.result.unwrap_err();
        assert_eq!(error.refusal().map(|rejection| rejection.by), Some(Part::Bulkhead));
    }
    assert_eq!(executor.snapshot(), before);
    drop(holds_the_slot);

    succeeding(&executor).await.result.expect("there is one token");
    let before = executor.snapshot();
    for _ in 0..100 {
        let error = succeeding(&executor).await.result.unwrap_err();
        assert_eq!(error.refusal().map(|rejection| rejection.by), Some(Part::Bucket));
        assert_eq!(error.category(), ErrorCategory::CircuitOpen);
    }
    assert_eq!(executor.snapshot(), before);
    let counters = executor.counters();
    assert_eq!((counters.rejected_by_bulkhead, counters.rejected_by_bucket, counters.opened), (100, 100, 0));
    assert_balanced(&counters, 0);
}

#[tokio::test(start_paused = true)]
async fn a_hang_is_recorded_as_a_failure_where_timeout_and_deadline_are_equal() {
    let executor = Executor::new(plain(json!({ "timeout": "1s", "deadline": "1s" })));
    let execution = hanging(&executor, &CallOptions::default()).await;
    assert_eq!(execution.result.unwrap_err().category(), ErrorCategory::Timeout);
    assert_eq!((execution.attempts, breaker(&executor).failures), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_hang_is_recorded_as_a_failure_where_the_caller_gives_up_at_the_same_moment() {
    let executor = Executor::new(plain(json!({ "timeout": "1s" })));
    for hung in 1..=3 {
        let call = executor.call(|_| pending::<Result<(), ToolError>>());
        assert!(tokio::time::timeout(ms(1_000), call).await.is_err());
        assert_eq!(breaker(&executor).failures, hung);
    }
}

#[tokio::test(start_paused = true)]
async fn an_ignored_error_costs_its_tokens_once_the_tool_has_run() {
    let executor = Executor::new(policy(json!({})));
    failing(&executor, ErrorCategory::InvalidParameters).await.result.expect_err("it fails");
    assert_eq!(tokens(&executor), Tokens::whole(9));
    assert_eq!(breaker(&executor).failures, 0);
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_call_gets_its_tokens_back() {
    let executor = Executor::new(policy(json!({})));
    let mut call = Box::pin(executor.call(|_| pending::<Result<(), ToolError>>()));
    assert!(poll_once(call.as_mut()).is_pending());
    assert_eq!(tokens(&executor), Tokens::whole(9));
    drop(call);
    assert_eq!(tokens(&executor), Tokens::whole(10));
}

#[tokio::test(start_paused = true)]
async fn priorities_cost_2_1_a_half_and_a_tenth_of_a_token() {
    for (priority, left) in
        [(Priority::Low, 8_000), (Priority::Normal, 9_000), (Priority::High, 9_500), (Priority::Critical, 9_900)]
    {
        let executor = Executor::new(policy(json!({})));
        let options = CallOptions { priority, ..CallOptions::default() };
        executor.run(&options, async |_| Ok::<_, ToolError>(())).await.result.expect("the bucket is full");
        assert_eq!(tokens(&executor), Tokens::milli(left), "{priority:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn b1_a_thousand_calls_at_a_half_open_breaker_run_one_probe() {
    let executor =
        Arc::new(Executor::new(plain(json!({ "max_retries": 0, "breaker": { "consecutive_failures": 1 } }))));
    failing(&executor, ErrorCategory::Network).await.result.expect_err("it fails");
    tokio::time::advance(ms(5_000)).await;
    let mut calls = Vec::new();
    for _ in 0..1_000 {
        let executor = Arc::clone(&executor);
        let tool = async |_| {
            sleep(ms(100)).await;
            Ok::<_, ToolError>(())
        };
        calls.push(tokio::spawn(async move { executor.call(tool).await.is_ok() }));
    }
    let mut admitted = 0;
    for call in calls {
        admitted += u32::from(call.await.unwrap());
    }
    assert_eq!(admitted, 1);
    let counters = executor.counters();
    assert_eq!((counters.rejected_by_breaker, counters.half_opened, counters.closed), (999, 1, 1));
    assert_balanced(&counters, 0);
}

#[test]
fn b1_a_flood_of_calls_from_many_threads_runs_one_probe() {
    let policy = plain(json!({ "max_retries": 0, "breaker": { "consecutive_failures": 1, "jitter": "none" } }));
    let clock = ManualClock::default();
    let executor = Executor::with_clock(policy, clock.clone());
    let block_on = |future| futures_util::FutureExt::now_or_never(future).expect("the tool is ready at once");
    let failed = block_on(executor.call(|_| ready(Err::<(), _>(error(ErrorCategory::Network)))));
    failed.expect_err("it fails");
    clock.advance(ms(5_000));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_time().build().unwrap();
    let executor = Arc::new(executor);
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let calls: Vec<_> = (0..1_000)
        .map(|_| {
            let (executor, gate) = (Arc::clone(&executor), Arc::clone(&gate));
            runtime.spawn(async move {
                let tool = |_| async {
                    // the probe reports when all others have been refused
                    let _permit = gate.acquire_many(999).await;
                    Ok::<_, ToolError>(())
                };
                let result = executor.call(tool).await;
                gate.add_permits(1);
                result.is_ok()
            })
        })
        .collect();
    let admitted: Vec<bool> = runtime
        .block_on(async { futures_util::future::join_all(calls).await.into_iter().map(Result::unwrap).collect() });
    assert_eq!(admitted.into_iter().filter(|admitted| *admitted).count(), 1);
    assert_eq!(executor.counters().rejected_by_breaker, 999);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn b6_a_hundred_concurrent_failures_open_the_breaker_once() {
    let executor =
        Arc::new(Executor::new(plain(json!({ "max_retries": 0, "breaker": { "consecutive_failures": 3 } }))));
    let barrier = Arc::new(tokio::sync::Barrier::new(100));
    let calls: Vec<_> = (0..100)
        .map(|_| {
            let (executor, barrier) = (Arc::clone(&executor), Arc::clone(&barrier));
            tokio::spawn(async move {
                let tool = |_| async {
                    barrier.wait().await; // all are admitted before the first fails
                    Err::<(), _>(error(ErrorCategory::Network))
                };
                executor.call(tool).await.is_err()
            })
        })
        .collect();
    for call in calls {
        assert!(call.await.unwrap());
    }
    let (counters, breaker) = (executor.counters(), breaker(&executor));
    assert_eq!((counters.opened, counters.failed), (1, 100));
    assert_eq!((breaker.state, breaker.stale), (State::Open, 97), "what came too late counts nowhere else");
}

#[tokio::test(start_paused = true)]
async fn r1_an_open_breaker_stays_open_under_a_new_policy() {
    let executor = Executor::new(plain(json!({ "max_retries": 0, "breaker": { "consecutive_failures": 1 } })));
    failing(&executor, ErrorCategory::Network).await.result.expect_err("it fails");
    let changed = executor.with_policy(plain(json!({ "breaker": { "consecutive_failures": 100 } })));
    assert_eq!(breaker(&changed).state, State::Open);
    assert!(matches!(succeeding(&changed).await.result, Err(CallError::Rejected(_))));
    assert_eq!(changed.counters(), executor.counters(), "the counters are shared");
}

#[tokio::test(start_paused = true)]
async fn r1_a_bucket_keeps_its_fill_level_under_a_new_policy() {
    sleep(ms(3_600_000)).await;
    let executor = Executor::new(policy(json!({ "rate": { "limit": "2/s", "burst": 10 } })));
    for _ in 0..5 {
        succeeding(&executor).await.result.expect("the bucket is full");
    }
    for (limit, burst) in [("1000/s", 1_000), ("1/day", 4), ("2/s", 10)] {
        let changed = executor.with_policy(policy(json!({ "rate": { "limit": limit, "burst": burst } })));
        assert_eq!(tokens(&changed), Tokens::milli(burst * 500), "half full");
        // back again, so that the next change starts from the same policy
        let _ = changed.with_policy(executor.policy().clone());
    }
}

#[tokio::test(start_paused = true)]
async fn r1_a_bucket_keeps_its_fill_level_while_its_limit_is_switched_off() {
    sleep(ms(3_600_000)).await;
    let executor = Executor::new(policy(json!({ "rate": { "limit": "3/s", "burst": 10 } })));
    sleep(ms(3_600_000)).await;
    for _ in 0..5 {
        succeeding(&executor).await.result.expect("the bucket is full");
    }
    let off = executor.with_policy(policy(json!({ "rate": { "enabled": false } })));
    assert_eq!(off.snapshot().tokens, None);
    let changed = off.with_policy(policy(json!({ "rate": { "limit": "700/s", "burst": 20 } })));
    assert_eq!(tokens(&changed), Tokens::whole(10), "half full");
}

#[tokio::test(start_paused = true)]
async fn r1_a_call_that_began_under_the_old_policy_leaves_the_new_bucket_as_it_is() {
    sleep(ms(3_600_000)).await; // long enough for the two rates to be far apart
    for (old, new) in [("2/s", "1000/s"), ("1000/s", "2/s")] {
        let executor = Executor::new(policy(json!({ "rate": { "limit": old, "burst": 10 } })));
        sleep(ms(3_600_000)).await;
        let mut dropped = Box::pin(executor.call(|_| pending::<Result<(), ToolError>>()));
        assert!(poll_once(dropped.as_mut()).is_pending());
        let changed = executor.with_policy(policy(json!({ "rate": { "limit": new, "burst": 10 } })));
        for _ in 0..5 {
            succeeding(&changed).await.result.expect("there are nine tokens");
        }
        assert_eq!(tokens(&changed), Tokens::whole(4));
        drop(dropped);
        assert_eq!(tokens(&changed), Tokens::whole(5), "from {old} to {new}");
    }
}

#[tokio::test(start_paused = true)]
async fn t1_calls_under_an_old_policy_do_not_lift_the_limit_of_the_new() {
    for (old, new, most) in [("3/s", "7/s", 5 + 7 * 10), ("7/s", "3/s", 5 + 3 * 10)] {
        let executor = Executor::new(policy(json!({ "rate": { "limit": old, "burst": 5 } })));
        sleep(ms(3_600_000)).await;
        let changed = executor.with_policy(policy(json!({ "rate": { "limit": new, "burst": 5 } })));
        let mut admitted = 0;
        for _ in 0..1_000 {
            admitted += u32::from(succeeding(&executor).await.result.is_ok());
            admitted += u32::from(succeeding(&changed).await.result.is_ok());
            sleep(ms(10)).await;
        }
        assert!(admitted <= most, "from {old} to {new}: {admitted} in 10 s");
    }
}

#[tokio::test(start_paused = true)]
async fn a_tool_may_borrow_from_its_caller_and_have_an_error_of_its_own() {
    #[derive(Debug, Eq, PartialEq)]
    struct Busy<'a>(&'a str);
    impl Classify for Busy<'_> {
        fn category(&self) -> ErrorCategory {
            ErrorCategory::ServiceUnavailable
        }
        fn retry_after(&self) -> Option<Duration> {
            Some(ms(7_000))
        }
    }
    let (name, calls) = (String::from("search"), Cell::new(0));
    let executor = Executor::new(plain(json!({})));
    let begun = Instant::now();
    let tool = async |attempt: Attempt| {
        calls.set(calls.get() + 1);
        if attempt.number == 1 { Err(Busy(&name)) } else { Ok(&name[..3]) }
    };
    assert_eq!(executor.call(tool).await.expect("it succeeds in the end"), "sea");
    assert_eq!((calls.get(), begun.elapsed()), (2, ms(7_000)));
}

#[tokio::test(start_paused = true)]
async fn the_future_of_a_call_can_be_spawned() {
    fn assert_send<T: Send>(future: T) -> T {
        future
    }
    let executor = Arc::new(Executor::new(plain(json!({}))));
    let text = String::from("owned");
    let call = async move { executor.call(async |_| Ok::<_, ToolError>(text.len())).await };
    assert_eq!(tokio::spawn(assert_send(call)).await.unwrap().expect("it succeeds"), 5);
}

#[test]
fn a_tool_that_is_ready_at_once_needs_no_runtime() {
    let executor = Executor::with_clock(plain(json!({ "deadline": "1s", "max_wait": "1s" })), TscClock::new());
    let call = executor.call(|attempt| ready(Ok::<_, ToolError>(attempt.number)));
    let result = futures_util::FutureExt::now_or_never(call).expect("nothing is waited for");
    assert_eq!(result.expect("it succeeds"), 1);
}

#[tokio::test(start_paused = true)]
async fn elapsed_counts_waits_and_attempts() {
    let executor = Executor::new(plain(json!({ "backoff": { "base": "100ms", "jitter": "none" } })));
    let tool = async |attempt: Attempt| {
        sleep(ms(10)).await;
        if attempt.number == 1 { Err(error(ErrorCategory::Network)) } else { Ok(()) }
    };
    let execution = executor.run(&CallOptions::default(), tool).await;
    assert_eq!(execution.elapsed, ms(120));
    assert_eq!(execution.failures[0].elapsed, ms(10));
    assert_eq!(execution.stopped, None);
}
