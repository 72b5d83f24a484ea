//! The help for users' tests: faults come as planned, and checks fail with what they saw.

mod support;

use core::future::ready;
use core::panic::AssertUnwindSafe;
use core::pin::pin;
use fusebox::testing::*;
use fusebox::*;
use serde_json::{Value, json};
use std::panic::catch_unwind;
use support::*;
use tokio::time::Instant;

const NETWORK: Fault = Fault::Error(ErrorCategory::Network);

async fn made(faults: &Faults) -> Result<u32, ToolError> {
    faults.run(ready(Ok(1))).await
}

#[tokio::test(start_paused = true)]
async fn a_sequence_befalls_one_call_after_another_and_then_nothing_does() {
    let wait = ms(250);
    let faults =
        Faults::sequence([Fault::None, NETWORK, Fault::Busy(ErrorCategory::RateLimit, wait), Fault::Slow(ms(40))]);
    assert_eq!(made(&faults).await.unwrap(), 1);

    let error = made(&faults).await.unwrap_err();
    assert_eq!((error.category(), error.retry_after()), (ErrorCategory::Network, None));
    assert_eq!(error.to_string(), "Network planned for call 2");

    let error = made(&faults).await.unwrap_err();
    assert_eq!((error.category(), error.retry_after()), (ErrorCategory::RateLimit, Some(wait)));

    let begun = Instant::now();
    assert_eq!(made(&faults).await.unwrap(), 1);
    assert_eq!(begun.elapsed(), ms(40));
    for _ in 0..3 {
        assert_eq!(made(&faults).await.unwrap(), 1);
    }
    assert_eq!(begun.elapsed(), ms(40));
    assert_eq!(faults.calls(), 7);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_lost_was_given() {
    let faults = Faults::sequence([Fault::AnswerLost(ErrorCategory::Network)]);
    let mut done = 0;
    let mut order = async || {
        done += 1;
        Ok::<_, ToolError>(())
    };
    faults.run(order()).await.unwrap_err();
    assert_eq!(done, 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_made_is_not_made() {
    let faults = Faults::sequence([NETWORK, Fault::Busy(ErrorCategory::RateLimit, ms(1)), Fault::Hang, Fault::Panic]);
    let executor = Executor::new(plain(json!({ "timeout": "1s", "max_retries": 0, "breaker": { "enabled": false } })));
    let calls = core::cell::Cell::new(0);
    let mut ends = Vec::new();
    for _ in 0..4 {
        let tool = || async {
            calls.set(calls.get() + 1);
            Ok::<_, ToolError>(())
        };
        ends.push(executor.call(|_| faults.run(tool())).await.unwrap_err());
    }
    assert_eq!(calls.get(), 0);
    let texts: Vec<_> = ends.iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        [
            "Network planned for call 1",
            "RateLimit planned for call 2",
            "timed out after 1s",
            "panicked: planned for call 4"
        ]
    );
}

#[test]
fn shares_are_met_and_no_fault_takes_anothers() {
    let shares = [(0.2, NETWORK), (0.1, Fault::Hang), (0.05, Fault::Panic)];
    let faults = Faults::random(3, shares).expect("in range");
    let calls = 100_000_u32;
    for (share, fault) in shares {
        let befallen = (1..=u64::from(calls)).filter(|&call| faults.fault_of(call) == fault).count();
        let found = befallen as f64 / f64::from(calls);
        assert!((found - share).abs() < 0.005, "{fault:?}: {found}");
    }
}

#[test]
fn the_same_seed_repeats_the_same_run_and_another_does_not() {
    let run = |seed| {
        let faults = Faults::random(seed, [(0.5, NETWORK)]).expect("in range");
        let faults = faults.with_latency(ms(1)..=ms(9)).expect("in range");
        (1..100).map(|call| (faults.fault_of(call), faults.latency_of(call))).collect::<Vec<_>>()
    };
    assert_eq!(run(1), run(1));
    for seed in 2..20 {
        assert_ne!(run(1), run(seed));
    }
}

#[test]
fn shares_of_one_in_all_befall_every_call_and_of_zero_none() {
    let faults = Faults::random(5, [(0.0, Fault::Panic), (0.5, NETWORK), (0.5, Fault::Hang)]).expect("in range");
    assert!((1..10_000).all(|call| matches!(faults.fault_of(call), NETWORK | Fault::Hang)));
    let rounded = [0.05, 0.55, 0.3, 0.1].map(|share| (share, NETWORK));
    assert!(rounded.iter().map(|(share, _)| share).sum::<f64>() > 1.0);
    let rounded = Faults::random(5, rounded).expect("one, but for rounding");
    assert!((1..10_000).all(|call| rounded.fault_of(call) == NETWORK));
}

#[test]
fn a_latency_lies_in_its_range_and_reaches_its_ends() {
    let faults = Faults::none().with_latency(ms(10)..=ms(20)).expect("in range");
    let latencies: Vec<_> = (1..10_000).map(|call| faults.latency_of(call)).collect();
    assert!(latencies.iter().all(|latency| (ms(10)..=ms(20)).contains(latency)));
    assert!(latencies.iter().any(|&latency| latency < ms(11)) && latencies.iter().any(|&latency| latency > ms(19)));
    let fixed = Faults::none().with_latency(ms(7)..=ms(7)).expect("in range");
    assert_eq!(fixed.latency_of(1), ms(7));
    assert_eq!(Faults::none().latency_of(1), ms(0));
    let widest = Faults::none().with_latency(ms(0)..=core::time::Duration::MAX).expect("in range");
    assert!(widest.latency_of(1) <= core::time::Duration::MAX);
}

#[test]
fn a_call_that_fails_is_as_slow_as_any() {
    let faults =
        Faults::random(9, [(0.5, NETWORK)]).expect("in range").with_latency(ms(0)..=ms(100)).expect("in range");
    for fault in [Fault::None, NETWORK] {
        let calls: Vec<_> = (1..20_000).filter(|&call| faults.fault_of(call) == fault).collect();
        let total: f64 = calls.iter().map(|&call| faults.latency_of(call).as_secs_f64()).sum();
        let mean = total / calls.len() as f64;
        assert!((0.045..0.055).contains(&mean), "{fault:?}: {mean}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_latency_comes_before_the_fault() {
    let faults = Faults::sequence([NETWORK]).with_latency(ms(10)..=ms(10)).expect("in range");
    let begun = Instant::now();
    made(&faults).await.unwrap_err();
    assert_eq!(begun.elapsed(), ms(10));
}

#[test]
fn shares_out_of_range_are_refused_by_name() {
    let error = |shares: &[f64]| Faults::random(1, shares.iter().map(|&share| (share, Fault::Hang))).unwrap_err();
    let allowed = "allowed is 0 to 1, all shares together at most 1";
    assert_eq!(error(&[-0.5]).to_string(), format!("faults[0].share is -0.5: {allowed}"));
    assert_eq!(error(&[0.1, 1.5]).to_string(), format!("faults[1].share is 1.5: {allowed}"));
    assert_eq!(error(&[f64::NAN]).to_string(), format!("faults[0].share is NaN: {allowed}"));
    assert_eq!(error(&[0.7, 0.6]).to_string(), format!("faults[1].share is 0.6: {allowed}"));
    let error = Faults::none().with_latency(ms(2)..=ms(1)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "faults.latency is 2ms to 1ms: allowed is a range that does not end before it begins"
    );
}

#[tokio::test(start_paused = true)]
async fn an_outage_ends_and_begins_again_for_all_clones() {
    let faults = Faults::random(1, [(1.0, NETWORK)]).expect("in range").with_latency(ms(5)..=ms(5)).expect("in range");
    let clone = faults.clone();
    made(&clone).await.unwrap_err();
    faults.stop();
    let begun = Instant::now();
    made(&clone).await.unwrap();
    assert_eq!(begun.elapsed(), ms(0));
    faults.resume();
    made(&clone).await.unwrap_err();
    assert_eq!(faults.calls(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_has_taken_its_number_and_one_that_is_not_polled_has_not() {
    let faults = Faults::sequence([Fault::Hang, NETWORK]);
    drop(Box::pin(made(&faults)));
    assert_eq!(faults.calls(), 0);
    {
        let mut hanging = pin!(made(&faults));
        assert!(poll_once(hanging.as_mut()).is_pending());
    }
    assert_eq!(made(&faults).await.unwrap_err().category(), ErrorCategory::Network);
    assert_eq!(faults.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_faulty_tool_is_told_of_its_attempt_and_arguments() {
    let faults = Faults::sequence([NETWORK]);
    let tool = with_attempt(async |args: Value, attempt: Attempt| Ok(json!([args, attempt.number])));
    let registry = Registry::new();
    registry.register("search", faulty(tool, &faults)).expect("the name is free");
    assert_eq!(registry.call("search", &json!("fuses")).await.unwrap(), json!(["fuses", 2]));
    assert_that(&registry.snapshot()[0]).has_calls(1).has_attempts(2).has_retries(1).has_succeeded(1).has_timeouts(0);
}

/// A registry under a seeded mix of faults: whatever happens to its calls, all of them are accounted for.
#[tokio::test(start_paused = true)]
async fn a_thousand_calls_in_trouble_leave_nothing_behind() {
    let shares = [(0.2, NETWORK), (0.1, Fault::Hang), (0.1, Fault::Panic)];
    let faults = Faults::random(11, shares).expect("in range").with_latency(ms(1)..=ms(80)).expect("in range");
    let limits = config(json!({ "timeout": "1s", "bulkhead": { "max_in_flight": 8 }, "rate": { "limit": "50/s" } }));
    let registry = std::sync::Arc::new(Registry::with_defaults(limits).expect("in range"));
    registry.register("search", faulty(async |args| Ok(args), &faults)).expect("the name is free");
    let mut calls = tokio::task::JoinSet::new();
    for number in 0..1_000 {
        let registry = std::sync::Arc::clone(&registry);
        let abort = calls.spawn(async move { drop(registry.call("search", &json!(number)).await) });
        tokio::time::sleep(ms(7)).await;
        if number % 13 == 0 {
            abort.abort();
        }
    }
    while calls.join_next().await.is_some() {}
    nothing_in_flight(&registry);
    let counters = registry.snapshot()[0].counters;
    every_call_accounted_for(&counters);
    assert!(counters.calls >= 990 && counters.succeeded > 0 && counters.failed > 0 && counters.cancelled > 0);
    assert!(faults.calls() == counters.attempts, "{counters:?}");
}

/// What a check says when it fails.
fn complaint(check: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(check)).expect_err("the check should fail");
    payload.downcast_ref::<String>().expect("it has a message").clone()
}

#[tokio::test(start_paused = true)]
async fn a_check_that_fails_says_what_it_expected_and_shows_the_whole_snapshot() {
    let registry = Registry::new();
    let search = registry.register("search", async |args| Ok(args)).expect("the name is free");
    search.call(&Value::Null).await.unwrap();
    let snapshot = search.snapshot();
    let complaint = complaint(|| _ = assert_that(&snapshot).has_calls(1).has_succeeded(3));
    assert!(complaint.starts_with("search: counters.succeeded is 1, expected 3, in ToolSnapshot {"), "{complaint}");
    assert!(complaint.contains("state: Closed") && complaint.contains("attempts: 1"), "{complaint}");
}

#[tokio::test(start_paused = true)]
async fn every_check_holds_for_its_own_number_and_for_no_other() {
    let registry = Registry::new();
    let search = registry.register("search", async |args| Ok(args)).expect("the name is free");
    search.force(Forced::Open);
    // no two numbers are the same, so a check of another field would be noticed
    let mut json = serde_json::to_value(search.snapshot()).unwrap();
    json["in_flight"] = json!(50);
    let fields = ["calls", "succeeded", "failed", "cancelled", "attempts", "retries", "timeouts", "opened"];
    let rejected = ["rejected_by_breaker", "rejected_by_bulkhead", "rejected_by_bucket"];
    for (number, field) in (100..).zip(fields.iter().chain(&rejected)) {
        json["counters"][field] = json!(number);
    }
    let snapshot: ToolSnapshot = serde_json::from_value(json).unwrap();
    type Check = fn(AssertSnapshot<'_>, u64) -> AssertSnapshot<'_>;
    let checks: [(Check, u64); 12] = [
        (|that, number| that.has_in_flight(number), 50),
        (|that, number| that.has_calls(number), 100),
        (|that, number| that.has_succeeded(number), 101),
        (|that, number| that.has_failed(number), 102),
        (|that, number| that.has_cancelled(number), 103),
        (|that, number| that.has_attempts(number), 104),
        (|that, number| that.has_retries(number), 105),
        (|that, number| that.has_timeouts(number), 106),
        (|that, number| that.has_opened(number), 107),
        (|that, number| that.has_rejected(Part::Breaker, number), 108),
        (|that, number| that.has_rejected(Part::Bulkhead, number), 109),
        (|that, number| that.has_rejected(Part::Bucket, number), 110),
    ];
    for (check, number) in checks {
        check(assert_that(&snapshot), number);
        complaint(|| _ = check(assert_that(&snapshot), number + 1));
    }
    assert_that(&snapshot).has_state(BreakerStateName::ForcedOpen).refuses_calls();
    complaint(|| _ = assert_that(&snapshot).has_state(BreakerStateName::Closed));
    complaint(|| _ = assert_that(&snapshot).lets_calls_through());
    search.reset();
    assert_that(&search.snapshot()).has_state(BreakerStateName::Closed).lets_calls_through();
    complaint(|| _ = assert_that(&search.snapshot()).refuses_calls());
}

#[tokio::test(start_paused = true)]
async fn what_is_in_flight_is_found() {
    let registry = Registry::new();
    registry.register("other", async |args| Ok(args)).expect("the name is free");
    // without a bulkhead only the counters know
    let search = registry.register("search", async |_| core::future::pending().await).expect("the name is free");
    nothing_in_flight(&registry);
    let mut call = Box::pin(search.call(&Value::Null));
    assert!(poll_once(call.as_mut()).is_pending());
    assert!(complaint(|| nothing_in_flight(&registry)).starts_with("search: calls under way is 1, expected 0"));
    let counters = search.snapshot().counters;
    assert!(
        complaint(|| every_call_accounted_for(&counters)).starts_with("1 calls have begun and 0 have ended: Counter")
    );
    drop(call);
    nothing_in_flight(&registry);
    every_call_accounted_for(&search.snapshot().counters);
}
