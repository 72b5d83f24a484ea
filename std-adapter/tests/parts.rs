//! What each part that a policy can have does for the calls of an executor, and what stays when the policy changes.

mod support;

use core::future::{pending, ready};
use fusebox::*;
use fusebox_core::{State, Tokens};
use serde_json::{Value, json};
use std::pin::pin;
use support::*;
use tokio::time::{Instant, sleep};

/// No retries either.
fn once(mut json: Value) -> Policy {
    json.as_object_mut().expect("a policy is an object").entry("max_retries").or_insert(json!(0));
    plain(json)
}

async fn succeed(executor: &Executor) -> Result<(), CallError<ToolError>> {
    executor.call(|_| ready(Ok(()))).await
}

async fn fail(executor: &Executor) -> CallError<ToolError> {
    executor.call(|_| ready(Err::<(), _>(error(ErrorCategory::Network)))).await.expect_err("it fails")
}

async fn fail_times(executor: &Executor, calls: usize) {
    for _ in 0..calls {
        fail(executor).await;
    }
}

/// A success after so many milliseconds.
async fn slowly(executor: &Executor, millis: u64) {
    let tool = async |_| {
        sleep(ms(millis)).await;
        Ok::<_, ToolError>(())
    };
    executor.call(tool).await.expect("it succeeds");
}

/// An error of a tool that asks its callers to slow down.
async fn limited(executor: &Executor, retry_after: Option<u64>) {
    let tool = async |_| {
        let error = error(ErrorCategory::RateLimit);
        Err::<(), _>(match retry_after {
            Some(millis) => error.with_retry_after(ms(millis)),
            None => error,
        })
    };
    executor.call(tool).await.expect_err("it fails");
}

fn state(executor: &Executor) -> State {
    executor.snapshot().breaker.expect("the policy has a breaker").state
}

fn tokens(executor: &Executor) -> Tokens {
    executor.snapshot().tokens.expect("the policy has a rate limit")
}

/// Who refuses a call.
async fn refused_by(executor: &Executor) -> Option<Part> {
    succeed(executor).await.err().map(|error| error.refusal().expect("only a refusal ends it").by)
}

/// As many calls as are admitted at once, all of which hang until this returns.
fn admitted_at_once(executor: &Executor) -> usize {
    let mut calls = Vec::new();
    loop {
        let mut call = Box::pin(executor.call(|_| pending::<Result<(), ToolError>>()));
        if poll_once(call.as_mut()).is_ready() {
            return calls.len();
        }
        calls.push(call);
    }
}

#[tokio::test(start_paused = true)]
async fn a_breaker_with_a_window_opens_on_a_rate_and_not_on_failures_in_a_row() {
    let breaker = json!({ "window": { "calls": 8 }, "failure_rate": 0.5, "minimum_calls": 8 });
    let executor = Executor::new(once(json!({ "breaker": breaker })));
    succeed(&executor).await.unwrap();
    succeed(&executor).await.unwrap();
    for _ in 0..2 {
        fail_times(&executor, 2).await;
        succeed(&executor).await.unwrap();
    }
    assert_eq!(state(&executor), State::Open, "4 of 8, never three in a row");

    let executor = Executor::new(once(json!({ "breaker": { "window": { "calls": 100 } } })));
    fail_times(&executor, 19).await;
    assert_eq!(state(&executor), State::Closed, "19 in a row are fewer than the 20 that decide");
    fail(&executor).await;
    assert_eq!(state(&executor), State::Open);
    assert_eq!(executor.counters().opened, 1);
}

#[tokio::test(start_paused = true)]
async fn a_breaker_opens_when_too_many_calls_are_slow() {
    let slow =
        json!({ "window": { "calls": 10 }, "slow_call_rate": 0.5, "slow_call_duration": "1s", "minimum_calls": 4 });
    let executor = Executor::new(once(json!({ "breaker": slow })));
    for millis in [999, 1_000, 10] {
        slowly(&executor, millis).await;
        assert_eq!(state(&executor), State::Closed);
    }
    slowly(&executor, 1_000).await;
    assert_eq!(state(&executor), State::Open, "a call of exactly the duration is slow");
}

#[tokio::test(start_paused = true)]
async fn a_window_of_time_slides() {
    let window = json!({ "window": { "span": "10s", "slots": 5 }, "minimum_calls": 4 });
    let executor = Executor::new(once(json!({ "breaker": window })));
    for _ in 0..2 {
        fail_times(&executor, 3).await;
        sleep(ms(10_001)).await;
        assert_eq!(state(&executor), State::Closed, "three at a time");
    }
    fail_times(&executor, 2).await;
    sleep(ms(6_000)).await;
    fail_times(&executor, 2).await;
    assert_eq!(state(&executor), State::Open, "four within 10 s");
}

#[tokio::test(start_paused = true)]
async fn a_throttle_refuses_a_share_of_the_calls_until_the_tool_accepts_again() {
    fastrand::seed(11);
    let throttle = json!({ "breaker": { "enabled": false }, "throttle": { "ratio": 2, "window": "10s" } });
    let executor = Executor::new(once(throttle));
    for _ in 0..100 {
        succeed(&executor).await.expect("all is accepted");
    }
    let mut refused = 0;
    for _ in 0..400 {
        match fail(&executor).await {
            CallError::Rejected(rejection) => {
                assert_eq!(rejection.by, Part::Throttle);
                refused += 1;
            }
            error => assert!(matches!(error, CallError::Failed(_))),
        }
    }
    assert!((100..300).contains(&refused), "{refused} of 400");
    let counters = executor.counters();
    assert_eq!((counters.rejected_by_throttle, counters.failed), (refused, 400 - refused));
    assert_balanced(&counters, 0);
    sleep(ms(80_000)).await;
    for _ in 0..100 {
        succeed(&executor).await.expect("what was counted has faded");
    }
}

#[tokio::test(start_paused = true)]
async fn errors_that_say_nothing_about_load_do_not_throttle() {
    let executor = Executor::new(once(json!({ "throttle": { "padding": 1, "ratio": 1 } })));
    for _ in 0..100 {
        let refused = executor.call(|_| ready(Err::<(), _>(error(ErrorCategory::InvalidParameters)))).await;
        assert!(matches!(refused, Err(CallError::Failed(_))));
    }
}

#[tokio::test(start_paused = true)]
async fn a_tool_that_says_when_to_return_is_left_alone_until_then() {
    let rate = json!({ "limit": "10/s", "burst": 10, "adaptive": { "decrease": 0.5 } });
    let executor = Executor::new(once(json!({ "rate": rate })));
    limited(&executor, Some(3_000)).await;
    let error = succeed(&executor).await.expect_err("it is too early");
    let rejection = error.refusal().expect("nobody asked the tool");
    assert_eq!(rejection.by, Part::AdaptiveRate);
    let wait = rejection.retry_after().expect("the tool said so");
    assert!(wait <= ms(3_000) && wait >= ms(2_998), "{wait:?}");
    assert_eq!(executor.counters().rejected_by_adaptive_rate, 1);
    assert_balanced(&executor.counters(), 0);
    sleep(ms(3_000)).await;
    assert_eq!(refused_by(&executor).await, None);
    // and then at half the rate, which is twice the price
    let before = tokens(&executor).as_milli();
    succeed(&executor).await.expect("enough tokens");
    let cost = before - tokens(&executor).as_milli();
    assert!((1_990..=2_010).contains(&cost), "{cost}");
}

#[tokio::test(start_paused = true)]
async fn a_rate_that_was_cut_recovers_while_calls_succeed() {
    let adaptive = json!({ "decrease": 0.5, "climb": "20s", "cooldown": "1s" });
    let rate = json!({ "limit": "10/s", "burst": 10, "adaptive": adaptive });
    let executor = Executor::new(once(json!({ "rate": rate, "categories": { "RateLimit": { "trips": false } } })));
    limited(&executor, None).await;
    let mut costs = Vec::new();
    for _ in 0..13 {
        sleep(ms(1_000)).await;
        let before = tokens(&executor).as_milli();
        succeed(&executor).await.expect("the bucket is full again");
        costs.push(before - tokens(&executor).as_milli());
    }
    assert!(costs[0] >= 1_900, "an error of this category cuts, whether it trips or not: {costs:?}");
    assert!(costs.is_sorted_by(|a, b| a >= b), "{costs:?}");
    assert_eq!(costs.last(), Some(&1_000), "after 10 s and more");
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_waits_as_long_as_the_tool_asked_is_not_refused() {
    let rate = json!({ "limit": "10/s", "adaptive": { "enabled": true } });
    for wait in [1, 7, 250, 1_000, 2_345] {
        let executor = Executor::new(plain(json!({ "rate": rate, "max_retries": 1 })));
        let begun = Instant::now();
        let tool = async |attempt: Attempt| match attempt.number {
            1 => Err(error(ErrorCategory::RateLimit).with_retry_after(ms(wait))),
            _ => Ok(()),
        };
        executor.call(tool).await.unwrap_or_else(|error| panic!("after {wait} ms: {error}"));
        assert_eq!(begun.elapsed(), ms(wait));
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_may_wait_waits_out_a_pause() {
    let config =
        json!({ "max_wait": "5s", "rate": { "limit": "10/s", "adaptive": { "enabled": true } }, "max_retries": 0 });
    let executor = Executor::new(plain(config));
    limited(&executor, Some(3_000)).await;
    let begun = Instant::now();
    succeed(&executor).await.expect("it waits");
    assert!((2_998..=3_000).contains(&begun.elapsed().as_millis()), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_learns_falls_while_calls_are_slow_and_rises_while_they_are_not() {
    let bulkhead = json!({ "max_in_flight": 5, "adaptive": { "initial": 4, "cut": 0.5, "slow_after": "100ms" } });
    let executor = Executor::new(once(json!({ "bulkhead": bulkhead })));
    assert_eq!(admitted_at_once(&executor), 4);
    slowly(&executor, 100).await;
    assert_eq!(admitted_at_once(&executor), 4, "not slower than allowed");
    slowly(&executor, 101).await;
    assert_eq!(admitted_at_once(&executor), 2);
    fail(&executor).await;
    assert_eq!(admitted_at_once(&executor), 1);
    for _ in 0..50 {
        succeed(&executor).await.unwrap();
    }
    assert_eq!(admitted_at_once(&executor), 3, "one at a time says nothing about a limit of more than two");
}

#[tokio::test(start_paused = true)]
async fn what_a_class_leaves_is_for_the_more_important_ones() {
    let config = json!({
        "rate": { "limit": "1/h", "burst": 10 },
        "priorities": { "low": { "cost": 1, "reserve": 0.4 }, "normal": { "reserve": 0.2 }, "critical": { "cost": 0.5 } },
    });
    let executor = Executor::new(once(config));
    let mut admitted = Vec::new();
    for priority in Priority::ALL {
        let options = CallOptions { priority, ..CallOptions::default() };
        let mut calls = 0;
        while executor.run(&options, |_| ready(Ok::<_, ToolError>(()))).await.result.is_ok() {
            calls += 1;
        }
        admitted.push((calls, tokens(&executor)));
    }
    let left = |milli| Tokens::milli(milli);
    assert_eq!(admitted, [(6, left(4_000)), (2, left(2_000)), (4, left(0)), (0, left(0))], "High needs no reserve");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_says_in_data_which_part_it_was() {
    let registry = Registry::new();
    let policy = json!({ "rate": { "adaptive": { "enabled": true } }, "max_retries": 0 });
    let busy = async |_: Value| Err(error(ErrorCategory::RateLimit).with_retry_after(ms(1_000)));
    registry.register_with("busy", busy, config(policy)).unwrap();
    let result = registry.run("busy", &json!({}), &CallOptions::default()).await;
    assert_eq!(result.error.and_then(|error| error.by), None, "the tool itself");
    let result = registry.run("busy", &json!({}), &CallOptions::default()).await;
    assert_eq!(result.error.and_then(|error| error.by), Some(RefusedBy::AdaptiveRate));
    assert_eq!(serde_json::to_value(RefusedBy::AdaptiveRate).unwrap(), json!("adaptive_rate"));
    assert_eq!(RefusedBy::from(Part::Throttle), RefusedBy::Throttle);
}

#[tokio::test(start_paused = true)]
async fn r1_an_open_breaker_stays_open_whichever_window_a_new_policy_brings() {
    let policies = [
        json!({ "breaker": { "jitter": "none" } }),
        json!({ "breaker": { "jitter": "none", "window": { "calls": 10 } } }),
        json!({ "breaker": { "jitter": "none", "window": { "span": "30s" } } }),
    ];
    for (from, to) in [(0, 1), (1, 2), (2, 0), (1, 0), (0, 2)] {
        let first = Executor::new(once(policies[from].clone()));
        while state(&first) == State::Closed {
            fail(&first).await;
        }
        let under_way = Box::pin(first.call(|_| pending::<Result<(), ToolError>>()));
        drop(under_way);
        let second = first.with_policy(once(policies[to].clone()));
        assert_eq!(refused_by(&second).await, Some(Part::Breaker), "from {from} to {to}");
        sleep(ms(5_000)).await;
        succeed(&second).await.expect("the probe goes");
        assert_eq!(state(&second), State::Closed);
        while state(&second) == State::Closed {
            fail(&second).await;
        }
        assert_eq!(second.counters().opened, 2, "and it counts on");
    }
}

#[tokio::test(start_paused = true)]
async fn r1_calls_under_way_end_in_parts_that_came_or_went_meanwhile() {
    let every = json!({
        "breaker": { "window": { "calls": 10 } },
        "rate": { "limit": "1/h", "burst": 10, "adaptive": { "enabled": true } },
        "bulkhead": { "adaptive": { "initial": 4 } },
        "throttle": { "enabled": true },
    });
    for (from, to) in [(every.clone(), json!({})), (json!({}), every.clone()), (every.clone(), every.clone())] {
        let first = Executor::new(once(from.clone()));
        let mut call = Box::pin(first.call(|_| async {
            sleep(ms(10)).await;
            Ok::<_, ToolError>(())
        }));
        let mut dropped = Box::pin(first.call(|_| pending::<Result<(), ToolError>>()));
        assert!(poll_once(call.as_mut()).is_pending() && poll_once(dropped.as_mut()).is_pending());
        let second = first.with_policy(once(to));
        drop(dropped);
        call.await.expect("it was admitted");
        let third = second.with_policy(once(every.clone()));
        assert_eq!(third.snapshot().in_flight, 0);
        assert_eq!(admitted_at_once(&third), 4);
        assert_balanced(&third.counters(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn b5_a_dropped_call_gives_all_parts_back_what_it_held() {
    let config = json!({
        "breaker": { "window": { "calls": 10 }, "minimum_calls": 2 },
        "rate": { "limit": "1/h", "burst": 10, "adaptive": { "enabled": true } },
        "priorities": { "low": { "reserve": 0.1 } },
        "bulkhead": { "adaptive": { "initial": 4 } },
        "throttle": { "padding": 1, "ratio": 1 },
    });
    let executor = Executor::new(once(config));
    succeed(&executor).await.unwrap();
    let before = executor.snapshot();
    for _ in 0..100 {
        let mut call = pin!(executor.call(|_| pending::<Result<(), ToolError>>()));
        assert!(poll_once(call.as_mut()).is_pending(), "neither throttled nor cut");
    }
    assert_eq!(executor.snapshot(), before);
    assert_eq!(executor.counters().cancelled, 100);
}
