//! Snapshots and configurations as JSON: what comes back is what was written, and state survives a restart.

#![cfg(feature = "serde")]

mod support;

use core::fmt::Debug;
use core::time::Duration;
use fusebox_core::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use support::*;

/// What a process that starts later reads of what this one wrote.
fn stored<T: Serialize + DeserializeOwned + Debug + PartialEq>(value: T) -> T {
    let text = serde_json::to_string(&value).expect("plain data");
    let read = serde_json::from_str(&text).expect("what was written can be read");
    assert_eq!(value, read, "{text}");
    read
}

fn as_json<T: Serialize>(value: T) -> Value {
    serde_json::to_value(value).expect("plain data")
}

const START: u64 = 1_000 * SECOND;

fn fail<W: Window>(breaker: &Breaker<W>, policy: &BreakerPolicy, now: u64) {
    let (ticket, _) = breaker.admit(policy, at(now)).expect("admitted");
    let _ = breaker.settle(policy, at(now), ticket, Outcome::Failure);
}

fn quick() -> BreakerConfig {
    BreakerConfig { trip: Trip::Consecutive(2), jitter: Jitter::None, ..BreakerConfig::DEFAULT }
}

// state ----------------------------------------------------------------------------------------------------------------

#[test]
fn an_open_breaker_stays_open_across_a_restart() {
    let policy = breaker(quick());
    let before = Breaker::new();
    fail(&before, &policy, START);
    fail(&before, &policy, START);
    let snapshot = stored(before.snapshot(&policy, at(START + SECOND)));
    assert_eq!((snapshot.state, snapshot.since.is_some()), (State::Open, true));

    let after = Breaker::restore(snapshot);
    let later = START + 3 * SECOND; // the clock has gone on while nothing ran
    assert_eq!(after.snapshot(&policy, at(later)), before.snapshot(&policy, at(later)));
    let wait = after.admit(&policy, at(later)).expect_err("open").duration().expect("it knows its wait");
    assert!(wait <= Duration::from_secs(2) && wait > Duration::from_millis(1_999), "{wait:?}");
    let (_, transition) = after.admit(&policy, at(later).saturating_add(wait)).expect("the wait is over");
    assert_eq!(transition.map(|transition| transition.to), Some(State::HalfOpen));
}

#[test]
fn a_breaker_comes_back_in_each_of_its_states() {
    let policy = breaker(quick());
    let breaker = Breaker::new();
    let (stale, _) = breaker.admit(&policy, at(START)).expect("closed");
    let mut seen = Vec::new();
    let mut check = |now| {
        let snapshot = stored(breaker.snapshot(&policy, at(now)));
        assert_eq!(Breaker::restore(snapshot).snapshot(&policy, at(now)), snapshot);
        let later = now + SECOND;
        assert_eq!(Breaker::restore(snapshot).snapshot(&policy, at(later)), breaker.snapshot(&policy, at(later)));
        seen.push(snapshot.state);
    };
    fail(&breaker, &policy, START);
    check(START);
    fail(&breaker, &policy, START);
    let _ = breaker.settle(&policy, at(START), stale, Outcome::Success);
    check(START);
    let probing = START + 6 * SECOND;
    let _probe = breaker.admit(&policy, at(probing)).expect("a probe");
    check(probing);
    let _ = breaker.force(Forced::Open);
    check(probing);
    let _ = breaker.force(Forced::Closed);
    check(probing);
    assert_eq!(seen, [State::Closed, State::Open, State::HalfOpen, State::ForcedOpen, State::ForcedClosed]);
}

#[test]
fn a_window_comes_back_with_its_counts() {
    let policy = breaker(BreakerConfig { trip: Trip::Rate(RateTrip::DEFAULT), ..BreakerConfig::DEFAULT });
    let window = || CountWindow::<4>::new(100).expect("in range");
    let before = Breaker::with_window(window());
    for call in 0..12 {
        let (ticket, _) = before.admit(&policy, at(START)).expect("closed");
        let outcome = if call % 3 == 0 { Outcome::Failure } else { Outcome::Success };
        let _ = before.settle(&policy, at(START), ticket, outcome);
    }
    let snapshot = stored(before.snapshot(&policy, at(START)));
    assert_eq!(snapshot.window, WindowCounts { calls: 12, failures: 4, slow: 0 });
    let later = at(START + DAY);
    assert_eq!(Breaker::restore_window(snapshot, window(), later).snapshot(&policy, later), snapshot);
}

#[test]
fn a_bucket_comes_back_with_its_level_or_its_debt() {
    let policy = bucket(2, Duration::from_secs(1), Tokens::whole(10)).with_debt(Tokens::whole(5)).expect("in range");
    for taken in [3, 10, 13] {
        let bucket = TokenBucket::new();
        for _ in 0..taken {
            let _ = bucket.reserve(&policy, at(START), Tokens::ONE, Duration::MAX).expect("within the debt");
        }
        let snapshot = stored(bucket.snapshot(&policy, at(START)));
        let (level, debt) = (10_u64.saturating_sub(taken), taken.saturating_sub(10));
        assert_eq!(snapshot, BucketSnapshot { level: Tokens::whole(level), debt: Tokens::whole(debt) });
        let later = at(START + DAY);
        assert_eq!(TokenBucket::resume(&policy, later, snapshot).snapshot(&policy, later), snapshot);
    }
}

#[test]
fn a_bulkhead_comes_back_with_what_it_learned() {
    let policy = BulkheadPolicy::adaptive(LimitConfig::DEFAULT).expect("in range");
    let bulkhead = Bulkhead::new();
    let ticket = bulkhead.admit(&policy, at(START)).expect("free");
    let change = bulkhead.settle(&policy, at(START), ticket, Outcome::Failure).expect("overload");
    assert_eq!(stored(change), LimitChange { from: 20, to: 18 });
    let snapshot = stored(bulkhead.snapshot());
    assert_eq!(snapshot, BulkheadSnapshot { in_flight: 0, learned_limit: Some(18) });
    assert_eq!(Bulkhead::restore(snapshot).snapshot(), snapshot);
}

#[test]
fn a_retry_budget_comes_back_with_its_balance() {
    let policy = RetryBudgetPolicy::DEFAULT;
    let budget = RetryBudget::new();
    budget.deposit(&policy, at(START));
    while budget.try_withdraw(&policy, at(START)).is_ok() {}
    let snapshot = stored(budget.snapshot(&policy, at(START)));
    assert!(snapshot.balance < Tokens::ONE && snapshot.balance > Tokens::ZERO && snapshot.refusal.is_some());
    let later = at(START + DAY);
    let restored = RetryBudget::restore(&policy, later, snapshot).snapshot(&policy, later);
    assert_eq!(restored, snapshot);
}

#[test]
fn a_throttle_comes_back_with_its_counts() {
    let policy = ThrottlePolicy::new(ThrottleConfig::DEFAULT).expect("in range");
    let throttle = Throttle::new();
    for call in 0..50 {
        throttle.settle(&policy, at(START), call % 5 == 0);
    }
    let snapshot = stored(throttle.snapshot(&policy, at(START)));
    assert!(snapshot.requests == 50 && snapshot.accepts == 10 && snapshot.refused_milli > 0, "{snapshot:?}");
    let later = at(START + DAY);
    assert_eq!(Throttle::restore(&policy, later, snapshot).snapshot(&policy, later), snapshot);
}

#[test]
fn an_adaptive_rate_comes_back_with_its_share_and_its_pause() {
    let bucket = bucket(100, Duration::from_secs(1), Tokens::whole(20));
    let policy = AdaptivePolicy::new(AdaptiveConfig::DEFAULT, &bucket).expect("in range");
    let rate = AdaptiveRate::new();
    assert_eq!(stored(rate.slow_down(&policy, at(START), Duration::from_secs(3))), Adjustment::Cut);
    let snapshot = stored(rate.snapshot(&policy, at(START)));
    assert!(snapshot.share < AdaptiveSnapshot::CEILING && snapshot.held >= Duration::from_secs(3));
    assert_eq!(AdaptiveRate::restore(&policy, at(START), snapshot).snapshot(&policy, at(START)), snapshot);

    let later = at(START + DAY);
    let resumed = AdaptiveRate::restore(&policy, later, snapshot).snapshot(&policy, later);
    let tick = Duration::from_micros(1_050); // the pause is rounded up to it
    assert_eq!(resumed.share, snapshot.share);
    assert!(resumed.held >= snapshot.held && resumed.held <= snapshot.held + tick, "{resumed:?}");
}

#[test]
fn a_circuit_comes_back_from_the_snapshots_of_its_parts() {
    let policy = CircuitPolicy {
        breaker: Some(breaker(quick())),
        bulkhead: Some(bulkhead(4)),
        bucket: Some(bucket(1, Duration::from_secs(60), Tokens::whole(10))),
    };
    let circuit = Circuit::new();
    for _ in 0..2 {
        let (permit, _) = circuit.admit(&policy, at(START), Tokens::ONE).expect("closed");
        let _ = circuit.settle(&policy, at(START), permit, Outcome::Failure);
    }
    let snapshot = stored(circuit.snapshot(&policy, at(START)));
    let (breaker, tokens) = (snapshot.breaker.expect("has one"), snapshot.tokens.expect("has some"));
    assert_eq!((breaker.state, tokens), (State::Open, Tokens::whole(8)));

    let later = at(START + SECOND);
    let bucket = TokenBucket::restore(&policy.bucket.expect("has one"), later, tokens);
    let restored = Circuit::from_parts(Breaker::restore(breaker), Bulkhead::new(), bucket);
    let rejection = stored(restored.admit(&policy, later, Tokens::ONE).expect_err("still open"));
    assert_eq!(rejection.by, Part::Breaker);
    assert_eq!(restored.snapshot(&policy, later).tokens, snapshot.tokens);
}

// configurations -------------------------------------------------------------------------------------------------------

/// Reads what it writes, and refuses it with one field more.
fn denies_unknown_fields<T: Serialize + DeserializeOwned + Debug + PartialEq>(config: T) {
    let mut fields = as_json(&config);
    stored(config);
    fields.as_object_mut().expect("a struct").insert("surprise".to_owned(), json!(1));
    let error = serde_json::from_value::<T>(fields).expect_err("a field too many").to_string();
    assert!(error.starts_with("unknown field `surprise`"), "{error}");
}

const RATE: Rate = Rate::per_second(2);
const CLASS: Class = Class { cost: Tokens::ONE, reserve_milli: 200 };

#[test]
fn a_config_with_an_unknown_field_is_refused() {
    denies_unknown_fields(BreakerConfig::DEFAULT);
    denies_unknown_fields(RateTrip::DEFAULT);
    denies_unknown_fields(RATE);
    denies_unknown_fields(CLASS);
    denies_unknown_fields(PriorityConfig::DEFAULT);
    denies_unknown_fields(LimitConfig::DEFAULT);
    denies_unknown_fields(AdaptiveConfig::DEFAULT);
    denies_unknown_fields(RetryBudgetConfig::DEFAULT);
    denies_unknown_fields(ThrottleConfig::DEFAULT);
    denies_unknown_fields(BackoffConfig::DEFAULT);
}

#[test]
fn a_field_that_a_config_does_not_name_has_its_default() {
    fn empty<T: DeserializeOwned>() -> T {
        serde_json::from_str("{}").expect("every field has a default")
    }
    assert_eq!(empty::<BreakerConfig>(), BreakerConfig::DEFAULT);
    assert_eq!(empty::<RateTrip>(), RateTrip::DEFAULT);
    assert_eq!(empty::<PriorityConfig>(), PriorityConfig::DEFAULT);
    assert_eq!(empty::<LimitConfig>(), LimitConfig::DEFAULT);
    assert_eq!(empty::<AdaptiveConfig>(), AdaptiveConfig::DEFAULT);
    assert_eq!(empty::<RetryBudgetConfig>(), RetryBudgetConfig::DEFAULT);
    assert_eq!(empty::<ThrottleConfig>(), ThrottleConfig::DEFAULT);
    assert_eq!(empty::<BackoffConfig>(), BackoffConfig::DEFAULT);
    assert!(serde_json::from_str::<Rate>("{}").is_err() && serde_json::from_str::<Class>("{}").is_err());

    let only_slow = serde_json::from_value::<RateTrip>(json!({"failure_rate_milli": null, "slow_rate_milli": 300}));
    let expected = RateTrip { failure_rate_milli: None, slow_rate_milli: Some(300), ..RateTrip::DEFAULT };
    assert_eq!(only_slow.expect("null is none"), expected);
}

#[test]
fn a_config_that_was_read_is_still_checked() {
    let config: BreakerConfig = serde_json::from_value(json!({"probes": 16})).expect("a number of the right size");
    let error = BreakerPolicy::new(config).expect_err("out of range");
    assert_eq!(
        as_json(error),
        json!({"field": "probes", "value": {"count": 16}, "min": {"count": 1}, "max": {"count": 15}})
    );
}

#[test]
fn a_snapshot_that_lacks_a_field_is_refused() {
    for text in [r#"{"state":"open"}"#, "{}"] {
        assert!(serde_json::from_str::<BreakerSnapshot>(text).is_err(), "{text}");
    }
    assert!(serde_json::from_str::<BucketSnapshot>(r#"{"level":1}"#).is_err());
}

// shapes ---------------------------------------------------------------------------------------------------------------

/// The value is written as this, and read from it.
fn is_written<T: Serialize + DeserializeOwned + Debug + PartialEq>(value: T, expected: &str) {
    assert_eq!(serde_json::to_string(&value).expect("plain data"), expected);
    stored(value);
}

#[test]
fn small_values_keep_their_shape() {
    is_written(at(1_500), "1500");
    is_written(Instant::MAX, "18446744073709551615");
    is_written(Tokens::milli(1_500), "1500");
    is_written([Wait::Nanos(5), Wait::Release, Wait::Never], r#"[{"nanos":5},"release","never"]"#);
    is_written(RATE, r#"{"tokens":2,"per":{"secs":1,"nanos":0}}"#);
    is_written(Demand::plain(Tokens::ONE), r#"{"cost":1000,"leave":0}"#);
    is_written(Priority::ALL, r#"["low","normal","high","critical"]"#);
    is_written(
        [Outcome::Success, Outcome::Failure, Outcome::Ignored, Outcome::Cancelled],
        r#"["success","failure","ignored","cancelled"]"#,
    );
    is_written(
        [State::Closed, State::Open, State::HalfOpen, State::ForcedOpen, State::ForcedClosed],
        r#"["closed","open","half_open","forced_open","forced_closed"]"#,
    );
    is_written([Trip::Consecutive(7), Trip::Never], r#"[{"consecutive":7},"never"]"#);
    is_written([Jitter::None, Jitter::Equal, Jitter::Full], r#"["none","equal","full"]"#);
    is_written(
        vec![
            Cause::Tripped,
            Cause::WaitOver,
            Cause::ProbeFailed,
            Cause::ProbesSucceeded,
            Cause::ProbesLost,
            Cause::Forced,
            Cause::Reset,
        ],
        r#"["tripped","wait_over","probe_failed","probes_succeeded","probes_lost","forced","reset"]"#,
    );
    is_written([Forced::Open, Forced::Closed], r#"["open","closed"]"#);
    is_written(
        vec![Part::Breaker, Part::Bulkhead, Part::Bucket, Part::AdaptiveRate, Part::Throttle, Part::RetryBudget],
        r#"["breaker","bulkhead","bucket","adaptive_rate","throttle","retry_budget"]"#,
    );
    is_written(Rejection { by: Part::Bucket, wait: Wait::Nanos(1) }, r#"{"by":"bucket","wait":{"nanos":1}}"#);
    is_written(
        Transition { from: State::Closed, to: State::Open, cause: Cause::Tripped },
        r#"{"from":"closed","to":"open","cause":"tripped"}"#,
    );
    is_written([Adjustment::Kept, Adjustment::Raised, Adjustment::Cut], r#"["kept","raised","cut"]"#);
    is_written(LimitChange { from: 20, to: 18 }, r#"{"from":20,"to":18}"#);
    let quantities = [Quantity::Count(1), Quantity::Milli(2), Quantity::Time(Duration::from_millis(3))];
    assert_eq!(as_json(quantities), json!([{"count": 1}, {"milli": 2}, {"time": {"secs": 0, "nanos": 3_000_000}}]));
}

#[test]
fn snapshots_keep_their_shape() {
    let breaker = BreakerSnapshot {
        state: State::HalfOpen,
        generation: 3,
        failures: 0,
        streak: 1,
        since: Some(at(7)),
        outstanding: 1,
        successes: 2,
        refusal: Some(Wait::Release),
        stale: 4,
        window: WindowCounts { calls: 5, failures: 6, slow: 7 },
    };
    let text = r#"{"state":"half_open","generation":3,"failures":0,"streak":1,"since":7,"outstanding":1,"successes":2,"refusal":"release","stale":4,"window":{"calls":5,"failures":6,"slow":7}}"#;
    is_written(breaker, text);
    is_written(
        CircuitSnapshot { breaker: Some(breaker), in_flight: 2, tokens: Some(Tokens::ONE) },
        &format!(r#"{{"breaker":{text},"in_flight":2,"tokens":1000}}"#),
    );
    is_written(
        CircuitSnapshot { breaker: None, in_flight: 0, tokens: None },
        r#"{"breaker":null,"in_flight":0,"tokens":null}"#,
    );
    is_written(BucketSnapshot { level: Tokens::ONE, debt: Tokens::ZERO }, r#"{"level":1000,"debt":0}"#);
    is_written(BulkheadSnapshot { in_flight: 1, learned_limit: None }, r#"{"in_flight":1,"learned_limit":null}"#);
    is_written(RetryBudgetSnapshot { balance: Tokens::ONE, refusal: None }, r#"{"balance":1000,"refusal":null}"#);
    is_written(
        ThrottleSnapshot { requests: 1, accepts: 2, refused_milli: 3 },
        r#"{"requests":1,"accepts":2,"refused_milli":3}"#,
    );
    is_written(
        AdaptiveSnapshot { share: 1, held: Duration::from_nanos(2), quiet: Duration::ZERO },
        r#"{"share":1,"held":{"secs":0,"nanos":2},"quiet":{"secs":0,"nanos":0}}"#,
    );
}

#[test]
fn configs_keep_their_shape() {
    is_written(
        BreakerConfig::DEFAULT,
        r#"{"trip":{"consecutive":7},"open_wait":{"secs":5,"nanos":0},"open_wait_factor_milli":2000,"open_wait_max":{"secs":120,"nanos":0},"jitter":"equal","seed":0,"probes":1,"required_successes":1,"probe_lease":{"secs":30,"nanos":0},"cancelled_is_failure":false}"#,
    );
    is_written(
        Trip::Rate(RateTrip::DEFAULT),
        r#"{"rate":{"failure_rate_milli":500,"slow_rate_milli":null,"slow_call":{"secs":60,"nanos":0},"minimum_calls":20,"max_failures":null,"max_slow":null}}"#,
    );
    is_written(
        PriorityConfig::DEFAULT,
        r#"{"low":{"cost":2000,"reserve_milli":500},"normal":{"cost":1000,"reserve_milli":200},"high":{"cost":500,"reserve_milli":100},"critical":{"cost":100,"reserve_milli":0}}"#,
    );
    is_written(LimitConfig::DEFAULT, r#"{"min":1,"max":200,"initial":20,"cut_milli":900,"slow_after":null}"#);
    is_written(
        AdaptiveConfig::DEFAULT,
        r#"{"floor_milli":100,"decrease_milli":850,"climb":{"secs":30,"nanos":0},"cooldown":{"secs":1,"nanos":0},"max_pause":{"secs":120,"nanos":0}}"#,
    );
    is_written(
        RetryBudgetConfig::DEFAULT,
        r#"{"share_milli":200,"floor_per_second":10000,"window":{"secs":10,"nanos":0},"burst":1000000}"#,
    );
    is_written(ThrottleConfig::DEFAULT, r#"{"ratio_milli":2000,"padding":8,"window":{"secs":30,"nanos":0}}"#);
    is_written(
        BackoffConfig::DEFAULT,
        r#"{"base":{"secs":0,"nanos":500000000},"factor_milli":2000,"cap":{"secs":30,"nanos":0},"jitter":"full"}"#,
    );
}
