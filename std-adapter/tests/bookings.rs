//! Bookings: a call that waits for tokens has its place in the line, gives it back when it does not go, and uses it once.

mod support;

use core::time::Duration;
use fusebox::*;
use fusebox_core::Tokens;
use serde_json::{Value, json};
use std::sync::Arc;
use support::*;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// One token, and another one each second; calls wait for theirs.
fn line(mut json: Value) -> Arc<Executor> {
    let fields = json.as_object_mut().expect("a policy is an object");
    fields.entry("max_wait").or_insert(json!("1h"));
    fields.entry("rate").or_insert(json!({ "limit": "1/s", "burst": 1 }));
    fields.entry("max_retries").or_insert(json!(0));
    Arc::new(Executor::new(plain(json)))
}

type Waiting = tokio::task::JoinHandle<(Duration, Execution<(), ToolError>)>;

/// A call in a task of its own, which has asked when this returns. Its tool takes `millis`.
async fn call(executor: &Arc<Executor>, options: CallOptions, millis: u64) -> Waiting {
    let (executor, begun) = (Arc::clone(executor), Instant::now());
    let task = tokio::spawn(async move {
        let tool = async |_| {
            sleep(ms(millis)).await;
            Ok(())
        };
        let execution = executor.run(&options, tool).await;
        (begun.elapsed(), execution)
    });
    tokio::task::yield_now().await;
    task
}

async fn plain_call(executor: &Arc<Executor>) -> Waiting {
    call(executor, CallOptions::default(), 0).await
}

fn booked(executor: &Executor) -> Option<Tokens> {
    executor.snapshot().booked
}

#[track_caller]
fn assert_ends((elapsed, execution): (Duration, Execution<(), ToolError>), millis: u64) {
    assert!(execution.result.is_ok(), "{execution:?}");
    assert_eq!(elapsed, ms(millis));
}

#[tokio::test(start_paused = true)]
async fn a_newcomer_does_not_overtake_a_call_that_waits_for_its_tokens() {
    let executor = line(json!({}));
    assert_ends(plain_call(&executor).await.await.unwrap(), 0);
    let first = plain_call(&executor).await;
    sleep(ms(999)).await;
    let newcomer = plain_call(&executor).await;
    assert_eq!(booked(&executor), Some(Tokens::milli(1_001)));
    assert_ends(first.await.unwrap(), 1_000);
    assert_ends(newcomer.await.unwrap(), 1_001);
}

#[tokio::test(start_paused = true)]
async fn a_call_of_high_priority_waits_behind_those_that_have_booked() {
    let executor = line(json!({ "rate": { "limit": "1/s", "burst": 2 } }));
    let low = || CallOptions { priority: Priority::Low, ..CallOptions::default() };
    let critical = CallOptions { priority: Priority::Critical, ..CallOptions::default() };
    assert_ends(call(&executor, low(), 0).await.await.unwrap(), 0);
    let low = call(&executor, low(), 0).await;
    let critical = call(&executor, critical, 0).await;
    assert_ends(low.await.unwrap(), 2_000);
    assert_ends(critical.await.unwrap(), 2_100);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_gives_up_its_place_gives_its_tokens_back() {
    for dropped in [true, false] {
        let executor = line(json!({}));
        assert_ends(plain_call(&executor).await.await.unwrap(), 0);
        sleep(ms(500)).await;
        let before = executor.snapshot();
        let cancel = CancellationToken::new();
        let waiting = call(&executor, CallOptions { cancel: Some(cancel.clone()), ..CallOptions::default() }, 0).await;
        assert_eq!(booked(&executor), Some(Tokens::milli(500)));
        if dropped {
            waiting.abort();
        } else {
            cancel.cancel();
        }
        let ended = waiting.await;
        assert!(ended.is_err() || ended.is_ok_and(|(_, execution)| execution.result.is_err()));
        assert_eq!(executor.snapshot(), before);
        assert_balanced(&executor.counters(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_with_the_deadline_and_leaves_nothing_booked() {
    let executor = line(json!({ "bulkhead": { "max_in_flight": 1 } }));
    let busy = call(&executor, CallOptions::default(), 5_000).await;
    let options = CallOptions { deadline: Some(ms(2_500)), ..CallOptions::default() };
    let (elapsed, execution) = call(&executor, options, 0).await.await.unwrap();
    assert!(execution.result.is_err());
    assert_eq!((elapsed, booked(&executor)), (ms(2_500), Some(Tokens::ZERO)));
    assert_ends(busy.await.unwrap(), 5_000);
}

#[tokio::test(start_paused = true)]
async fn a_place_given_up_is_taken_by_who_comes_next() {
    let executor = line(json!({}));
    assert_ends(plain_call(&executor).await.await.unwrap(), 0);
    let first = plain_call(&executor).await;
    let second = plain_call(&executor).await;
    second.abort();
    assert!(second.await.is_err());
    let third = plain_call(&executor).await;
    assert_ends(first.await.unwrap(), 1_000);
    assert_ends(third.await.unwrap(), 2_000);
}

#[tokio::test(start_paused = true)]
async fn a_booking_is_given_back_when_the_breaker_opens_meanwhile() {
    let executor = line(json!({ "max_wait": "2s", "breaker": { "consecutive_failures": 1 } }));
    let failing = Arc::clone(&executor);
    let failing = tokio::spawn(async move {
        let tool = async |_| {
            sleep(ms(500)).await;
            Err::<(), _>(error(ErrorCategory::Network))
        };
        failing.call(tool).await
    });
    tokio::task::yield_now().await;
    let waiting = plain_call(&executor).await;
    failing.await.unwrap().expect_err("it fails");
    let (elapsed, execution) = waiting.await.unwrap();
    let refusal = execution.result.unwrap_err().refusal().cloned().expect("it was refused");
    assert_eq!((elapsed, refusal.by), (ms(1_000), Part::Breaker));
    assert_eq!(executor.snapshot().tokens, Some(Tokens::ONE), "the second's refill is there for others");
    assert_eq!(executor.counters().attempts, 1);
}

#[tokio::test(start_paused = true)]
async fn a_booking_that_waits_for_a_slot_is_used_once() {
    let executor = line(json!({ "bulkhead": { "max_in_flight": 1 }, "rate": { "limit": "1/s", "burst": 10 } }));
    for _ in 0..9 {
        assert_ends(plain_call(&executor).await.await.unwrap(), 0);
    }
    let busy = call(&executor, CallOptions::default(), 3_000).await; // the tenth token
    sleep(ms(100)).await;
    let (first, second) = (plain_call(&executor).await, plain_call(&executor).await);
    assert_ends(busy.await.unwrap(), 3_000);
    assert_ends(first.await.unwrap(), 2_900);
    assert_ends(second.await.unwrap(), 2_900);
    assert_eq!(executor.snapshot().tokens, Some(Tokens::whole(1)), "3 came, 2 went");
}

#[tokio::test(start_paused = true)]
async fn t1_a_policy_that_changes_under_calls_that_wait_loses_nothing_and_lets_nobody_through() {
    for (limit, burst, most_in_five) in [("10/s", 1, 1 + 50 + 5), ("1/s", 5, 5 + 5 + 5), ("1/10s", 1, 1 + 5)] {
        let executor = line(json!({}));
        assert_ends(plain_call(&executor).await.await.unwrap(), 0);
        let mut waiting = Vec::new();
        for _ in 0..5 {
            waiting.push(plain_call(&executor).await);
        }
        sleep(ms(500)).await;
        let policy = json!({ "max_wait": "1h", "max_retries": 0, "rate": { "limit": limit, "burst": burst } });
        let before = booked(&executor);
        let changed = Arc::new(executor.with_policy(plain(policy)));
        if burst == 1 {
            assert_eq!(booked(&changed), before, "what is booked stays booked");
        }
        let mut newcomers = Vec::new();
        for _ in 0..100 {
            newcomers.push(plain_call(&changed).await);
        }
        sleep(ms(5_000)).await;
        let gone = |calls: &[Waiting]| calls.iter().filter(|call| call.is_finished()).count();
        let admitted = gone(&waiting) + gone(&newcomers);
        assert!(admitted <= most_in_five, "{limit}: {admitted} within five seconds");
        for call in newcomers {
            call.abort();
        }
        for call in waiting {
            assert!(call.await.unwrap().1.result.is_ok(), "who had booked goes");
        }
        sleep(ms(3_600_000)).await;
        assert_eq!((changed.snapshot().tokens, booked(&changed)), (Some(Tokens::whole(burst)), Some(Tokens::ZERO)));
        assert_balanced(&changed.counters(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_whose_clock_is_slower_than_the_timer_waits_on_until_its_tokens_are_there() {
    let clock = ManualClock::default();
    let config = json!({ "max_wait": "1h", "rate": { "limit": "1/s", "burst": 1 } });
    let executor = Executor::with_clock(plain(config), clock.clone());
    let slow = async {
        loop {
            sleep(ms(10)).await;
            clock.advance(ms(5));
        }
    };
    let begun = Instant::now();
    let calls = async {
        executor.call(async |_| Ok::<_, ToolError>(())).await.expect("there is a token");
        executor.call(async |_| Ok::<_, ToolError>(())).await.expect("it waits for the next");
    };
    tokio::select! { () = calls => {}, () = slow => unreachable!() }
    assert!(clock.now().as_nanos() >= 1_000_000_000, "not before the tokens are there: {:?}", clock.now());
    assert!((ms(2_000)..ms(2_100)).contains(&begun.elapsed()), "{:?}", begun.elapsed());
    let snapshot = executor.snapshot();
    assert_eq!(snapshot.booked, Some(Tokens::ZERO));
    assert!(snapshot.tokens.is_some_and(|tokens| tokens.as_milli() < 50), "used once: {:?}", snapshot.tokens);
}
