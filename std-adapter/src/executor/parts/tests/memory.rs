//! Across a restart: the clock begins anew, and what was known is as old as the time that passed meanwhile.

use super::*;
use fusebox_core::WindowCounts;
use proptest::prelude::*;

const BEGIN: Instant = Instant::ORIGIN;

/// The same after a restart that took `passed`, on a clock that has just begun; by way of a text.
fn restarted(parts: &Parts, policy: &LimitPolicy, now: Instant, passed: f64) -> Parts {
    let text = serde_json::to_string(&parts.state(policy, now)).expect("it is data");
    let state = serde_json::from_str(&text).expect("it can be read back");
    Parts::restored(policy, BEGIN, &state, Duration::from_secs_f64(passed))
}

/// The wait in seconds, to within a tick of the breaker.
#[track_caller]
fn assert_refuses_for(parts: &Parts, policy: &LimitPolicy, now: Instant, seconds: f64) {
    let wait = parts.breaker_refusal(policy, now).and_then(Wait::duration).expect("it is open").as_secs_f64();
    assert!(wait <= seconds && wait > seconds - 0.000_1, "{wait} s, not {seconds} s");
}

#[test]
fn an_open_breaker_stays_open_for_what_is_left_of_its_wait() {
    let policy = every_part();
    let parts = Parts::new(&policy);
    open(&parts, &policy);
    assert_refuses_for(&restarted(&parts, &policy, NOW, 0.0), &policy, BEGIN, 5.0);
    let later = restarted(&parts, &policy, after(1.0), 1.5);
    assert_refuses_for(&later, &policy, BEGIN, 2.5);
    assert_eq!(later.longest_refusal(&policy, BEGIN).map(|wait| wait.as_millis()), Some(2_499));
    let probe_time = BEGIN.saturating_add(Duration::from_millis(2_500));
    let (probe, transition) = later.admit(&policy, &Ask::at(probe_time)).expect("the wait is over");
    assert_eq!(transition.map(|transition| transition.to), Some(State::HalfOpen));
    // a probe that fails opens it for longer than the time before: the streak was kept
    later.settle(&policy, probe_time, probe, Outcome::Failure);
    assert_refuses_for(&later, &policy, probe_time, 10.0);
    let again = restarted(&later, &policy, probe_time, 4.0);
    assert_refuses_for(&again, &policy, BEGIN, 6.0);
    assert!(again.snapshot(&policy, BEGIN).breaker.is_some_and(|breaker| breaker.streak == 1));
    assert!(admit(&restarted(&parts, &policy, NOW, 5.0), &policy, BEGIN).is_ok(), "the wait is over");
}

#[test]
fn the_wait_that_is_left_is_kept_whatever_a_new_process_draws() {
    let jittered = limits(json!({ "breaker": { "consecutive_failures": 1, "jitter": "full", "open_wait": "60s" } }));
    let parts = Parts::new(&jittered);
    end(&parts, &jittered, NOW, Outcome::Failure);
    let mut state = serde_json::to_value(parts.state(&jittered, NOW)).expect("it is data");
    for seconds in [1_u32, 10, 30, 50, 55] {
        state["breaker"]["wait_left"] = json!({ "secs": seconds, "nanos": 0 });
        let state = serde_json::from_value(state.clone()).expect("it can be read");
        let restored = Parts::restored(&jittered, BEGIN, &state, Duration::ZERO);
        assert_refuses_for(&restored, &jittered, BEGIN, seconds.into());
    }
}

#[test]
fn a_policy_of_shorter_waits_shortens_what_is_left() {
    let long = limits(json!({ "breaker": { "consecutive_failures": 1, "jitter": "none", "open_wait": "60s" } }));
    let short = limits(json!({ "breaker": { "consecutive_failures": 1, "jitter": "none", "open_wait": "2s" } }));
    let parts = Parts::new(&long);
    end(&parts, &long, NOW, Outcome::Failure);
    let restored = Parts::restored(&short, BEGIN, &parts.state(&long, NOW), Duration::from_secs(10));
    assert_refuses_for(&restored, &short, BEGIN, 2.0);
}

#[test]
fn a_half_open_breaker_has_its_probes_free_and_a_forced_one_stays_forced() {
    let policy = every_part();
    let parts = Parts::new(&policy);
    open(&parts, &policy);
    let probe = admit(&parts, &policy, after(5.0)).expect("the wait is over");
    let restored = restarted(&parts, &policy, after(5.0), 0.0);
    let breaker = restored.snapshot(&policy, BEGIN).breaker.expect("the policy has one");
    assert_eq!((breaker.state, breaker.outstanding), (State::HalfOpen, 0));
    assert!(end(&restored, &policy, BEGIN, Outcome::Success).is_some_and(|closed| closed.to == State::Closed));
    parts.settle(&policy, after(5.0), probe, Outcome::Cancelled);
    for (forced, refuses) in [(Forced::Open, true), (Forced::Closed, false)] {
        assert!(parts.force(forced).is_some());
        let restored = restarted(&parts, &policy, NOW, 1e6);
        assert_eq!(restored.breaker_refusal(&policy, BEGIN).is_some(), refuses);
        assert!(restored.reset().is_some(), "it can be released");
    }
}

#[test]
fn counts_come_back_unless_their_window_has_passed() {
    let (count, span) = (every_part(), limits(json!({ "breaker": { "window": { "span": "30s" } } })));
    for (policy, passed, expected) in [(&count, 1e6, 2), (&span, 29.0, 2), (&span, 30.0, 0)] {
        let parts = Parts::new(policy);
        end(&parts, policy, NOW, Outcome::Failure);
        end(&parts, policy, NOW, Outcome::Success);
        let restored = restarted(&parts, policy, NOW, passed).snapshot(policy, BEGIN);
        let counts = WindowCounts { calls: expected, failures: expected / 2, slow: 0 };
        assert_eq!(restored.breaker.map(|breaker| breaker.window), Some(counts), "after {passed} s");
    }
    let row = limits(json!({}));
    let parts = Parts::new(&row);
    end(&parts, &row, NOW, Outcome::Failure);
    let restored = restarted(&parts, &row, NOW, 1e6).snapshot(&row, BEGIN);
    assert_eq!(restored.breaker.map(|breaker| breaker.failures), Some(1));
}

#[test]
fn a_bucket_has_refilled_meanwhile_debt_first() {
    let policy = limits(json!({ "max_wait": "3s", "rate": { "limit": "1/s", "burst": 2 } }));
    let parts = Parts::new(&policy);
    (0..2).for_each(|_| assert_eq!(end(&parts, &policy, NOW, Outcome::Success), None));
    let tokens = |parts: &Parts| parts.snapshot(&policy, BEGIN).tokens.map(Tokens::as_milli);
    for (passed, level) in [(0.0, 0), (0.5, 500), (1.5, 1_500), (9.0, 2_000)] {
        assert_eq!(tokens(&restarted(&parts, &policy, NOW, passed)), Some(level), "after {passed} s");
    }
    let booking = book(&parts, &policy, 3).expect("ready in a second");
    let restored = restarted(&parts, &policy, NOW, 0.25);
    assert_eq!(restored.snapshot(&policy, BEGIN).booked, Some(Tokens::milli(750)));
    assert_eq!(tokens(&restarted(&parts, &policy, NOW, 1.5)), Some(500));
    drop(booking);
}

#[test]
fn what_was_learned_comes_back_and_pauses_and_counts_are_as_old_as_they_are() {
    let policy = every_part();
    let parts = Parts::new(&policy);
    end(&parts, &policy, NOW, Outcome::Failure);
    parts.slow_down(&policy, NOW, Duration::from_secs(4));
    let before = parts.snapshot(&policy, NOW);
    let after = restarted(&parts, &policy, NOW, 1.0).snapshot(&policy, BEGIN);
    assert_eq!((after.limit, after.learned_limit), (Some(1), Some(1)));
    let (old, new) = (before.adaptive_rate.expect("it adapts"), after.adaptive_rate.expect("it adapts"));
    assert_eq!(new.share, old.share);
    assert_eq!(new.held.as_millis() / 10, (old.held.as_millis() - 1_000) / 10);
    assert_eq!(after.throttle, before.throttle, "the first half window is not over");
    let much_later = restarted(&parts, &policy, NOW, 16.0).snapshot(&policy, BEGIN);
    assert_eq!(much_later.throttle.map(|throttle| throttle.requests), Some(0), "halved");
    assert_eq!(much_later.adaptive_rate.map(|rate| rate.held), Some(Duration::ZERO));
}

#[test]
fn retries_that_were_used_up_are_earned_again_and_those_saved_up_fade() {
    let policy = limits(json!({ "retry_budget": { "per_second": 2, "window": "10s", "share": 1 } }));
    let budget = policy.retry_budget.expect("it has one");
    let parts = Parts::new(&policy);
    let balance = |parts: &Parts, now| parts.retry_budget().snapshot(&budget, now).balance.as_milli();
    let fresh = balance(&parts, BEGIN);
    while parts.retry_budget().try_withdraw(&budget, NOW).is_ok() {}
    assert!(balance(&restarted(&parts, &policy, NOW, 1.0), BEGIN) < 1_000);
    assert_eq!(balance(&restarted(&parts, &policy, NOW, 5.0), BEGIN), fresh);
    (0..100).for_each(|_| parts.retry_budget().deposit(&budget, NOW));
    let saved = balance(&parts, NOW);
    assert_eq!(balance(&restarted(&parts, &policy, NOW, 4.0), BEGIN), saved);
    assert_eq!(balance(&restarted(&parts, &policy, NOW, 5.0), BEGIN), saved / 2);
    assert_eq!(balance(&restarted(&parts, &policy, NOW, 1e6), BEGIN), fresh);
}

#[test]
fn a_state_of_parts_that_the_policy_lacks_is_ignored_and_an_empty_one_begins_anew() {
    let policy = every_part();
    let parts = Parts::new(&policy);
    open(&parts, &policy);
    let state = parts.state(&policy, NOW);
    let none = Parts::restored(&LimitPolicy::UNLIMITED, BEGIN, &state, Duration::ZERO);
    assert!(none.is_fresh(&LimitPolicy::UNLIMITED, BEGIN));
    let empty: PartsState = serde_json::from_str("{}").expect("it can be read");
    assert!(Parts::restored(&policy, BEGIN, &empty, Duration::ZERO).is_fresh(&policy, BEGIN));
    assert_eq!(serde_json::to_value(parts.state(&LimitPolicy::UNLIMITED, NOW)).expect("it is data"), json!({}));
}

fn any_state() -> impl Strategy<Value = PartsState> {
    let time = || prop_oneof![Just(Duration::ZERO), Just(Duration::MAX), any::<u64>().prop_map(Duration::from_nanos)];
    let states = [State::Closed, State::Open, State::HalfOpen, State::ForcedOpen, State::ForcedClosed];
    let counts = (any::<u32>(), any::<u32>(), any::<u32>());
    let breaker = (proptest::sample::select(states.to_vec()), any::<(u32, u8, u8, u64)>(), time(), counts);
    let others = (any::<(u64, u64, u32, u32, u64, u64, u64)>(), time(), time());
    (breaker, others).prop_map(|((state, numbers, wait_left, (calls, failures, slow)), (amounts, held, quiet))| {
        let ((failed, streak, successes, stale), (level, debt, share, limit, requests, accepts, retries)) =
            (numbers, amounts);
        let window = WindowCounts { calls, failures, slow };
        let state = json!({
            "breaker": {
                "state": state, "failures": failed, "streak": streak, "successes": successes, "stale": stale,
                "wait_left": wait_left, "window": window,
            },
            "bucket": { "level": level, "debt": debt },
            "adaptive_rate": { "share": share, "held": held, "quiet": quiet },
            "learned_limit": limit,
            "throttle": { "requests": requests, "accepts": accepts, "refused_milli": 0 },
            "retries": retries,
        });
        serde_json::from_value(state).expect("it can be read")
    })
}

proptest! {
    /// Whatever a file says: no panic, nothing wedged for longer than the policy's longest wait.
    #[test]
    fn c1_no_state_panics_or_wedges(state in any_state(), now: u64, passed: u64) {
        let (policy, passed) = (every_part(), Duration::from_nanos(passed));
        for now in [BEGIN, NOW, Instant::from_nanos(now), Instant::from_nanos(u64::MAX)] {
            let parts = Parts::restored(&policy, now, &state, passed);
            let snapshot = parts.snapshot(&policy, now);
            prop_assert_eq!(snapshot.in_flight, 0);
            prop_assert!(parts.longest_refusal(&policy, now).is_none_or(|wait| wait <= Duration::from_secs(120)));
            if let Ok((held, _)) = parts.admit(&policy, &Ask::at(now)) {
                parts.settle(&policy, now, held, Outcome::Failure);
            }
            let again = Parts::restored(&policy, now, &parts.state(&policy, now), Duration::ZERO);
            prop_assert_eq!(again.snapshot(&policy, now).limit, parts.snapshot(&policy, now).limit);
        }
    }
}
