//! Parts without an executor: what is admitted, booked, kept under another policy and brought across a restart.

mod memory;
mod sequences;

use super::*;
use crate::config::{Policy, PolicyConfig};
use fusebox_core::{Part, State, Tokens};
use serde_json::{Value, json};

const NOW: Instant = Instant::from_nanos(1_000_000_000);

fn limits(config: Value) -> LimitPolicy {
    let config: PolicyConfig = serde_json::from_value(config).expect("the test's configuration can be read");
    Policy::new(&config).expect("the test's policy is in range").limits
}

fn after(seconds: f64) -> Instant {
    NOW.saturating_add(Duration::from_secs_f64(seconds))
}

/// Every part there is, each with little room; but for the throttle, which here refuses nobody after a few failures.
fn every_part() -> LimitPolicy {
    fastrand::seed(7);
    limits(json!({
        "max_wait": "10s",
        "breaker": { "window": { "calls": 10 }, "minimum_calls": 3, "jitter": "none" },
        "rate": { "limit": "1/s", "burst": 10, "adaptive": { "decrease": 0.5 } },
        "priorities": { "low": { "reserve": 0.5 } },
        "bulkhead": { "max_in_flight": 3, "adaptive": { "initial": 2 } },
        "throttle": { "padding": 1_000 },
    }))
}

fn without(change: impl FnOnce(&mut LimitPolicy)) -> LimitPolicy {
    let mut limits = every_part();
    change(&mut limits);
    limits
}

fn admit(parts: &Parts, policy: &LimitPolicy, now: Instant) -> Result<Held, Part> {
    parts.admit(policy, &Ask::at(now)).map(|(held, _)| held).map_err(|rejection| rejection.by)
}

fn end(parts: &Parts, policy: &LimitPolicy, now: Instant, outcome: Outcome) -> Option<Transition> {
    let held = admit(parts, policy, now).expect("there is room");
    parts.settle(policy, now, held, outcome)
}

fn open(parts: &Parts, policy: &LimitPolicy) {
    let opened = (0..3).filter_map(|_| end(parts, policy, NOW, Outcome::Failure)).last();
    assert_eq!(opened.map(|transition| transition.to), Some(State::Open));
}

#[test]
fn f1_a_refusal_names_its_part_and_leaves_all_as_they_were() {
    let policy = every_part();
    for part in [Part::Breaker, Part::Bulkhead, Part::Bucket, Part::AdaptiveRate] {
        let parts = Parts::new(&policy);
        let mut held = Vec::new();
        match part {
            Part::Breaker => open(&parts, &policy),
            Part::Bulkhead => held.extend([admit(&parts, &policy, NOW), admit(&parts, &policy, NOW)]),
            Part::Bucket => (0..10).for_each(|_| assert_eq!(end(&parts, &policy, NOW, Outcome::Success), None)),
            _ => parts.slow_down(&policy, NOW, Duration::from_secs(3)),
        }
        let before = parts.snapshot(&policy, NOW);
        assert_eq!(admit(&parts, &policy, NOW).expect_err("one part refuses"), part);
        assert_eq!(parts.snapshot(&policy, NOW), before);
        for held in held {
            parts.settle(&policy, NOW, held.expect("two fit"), Outcome::Cancelled);
        }
    }
}

#[test]
fn b5_a_cancelled_call_leaves_all_parts_as_if_it_had_never_been() {
    let policy = every_part();
    let parts = Parts::new(&policy);
    let before = parts.snapshot(&policy, NOW);
    let held = admit(&parts, &policy, NOW).expect("all is fresh");
    assert_eq!(held.issued, NOW);
    assert_ne!(parts.snapshot(&policy, NOW), before);
    parts.settle(&policy, NOW, held, Outcome::Cancelled);
    assert_eq!(parts.snapshot(&policy, NOW), before);
}

#[test]
fn a_spent_call_gives_back_its_slot_and_not_its_tokens() {
    let policy = every_part();
    let parts = Parts::new(&policy);
    let mut held = admit(&parts, &policy, NOW).expect("all is fresh");
    held.spend();
    parts.settle(&policy, NOW, held, Outcome::Ignored);
    let snapshot = parts.snapshot(&policy, NOW);
    assert_eq!((snapshot.in_flight, snapshot.tokens), (0, Some(Tokens::whole(9))));
}

/// All policies that lack some of the parts.
fn subsets() -> impl Iterator<Item = LimitPolicy> {
    (0_u8..64).map(|lacks| {
        without(|limits| {
            let lacks = |part: u8| lacks & (1 << part) != 0;
            limits.circuit.breaker = limits.circuit.breaker.filter(|_| !lacks(0));
            limits.window = limits.window.filter(|_| !lacks(1));
            limits.circuit.bulkhead = limits.circuit.bulkhead.filter(|_| !lacks(2));
            limits.adaptive_rate = limits.adaptive_rate.filter(|_| !lacks(3) && !lacks(4));
            limits.circuit.bucket = limits.circuit.bucket.filter(|_| !lacks(4));
            limits.throttle = limits.throttle.filter(|_| !lacks(5));
        })
    })
}

#[test]
fn r1_a_call_that_ends_under_another_policy_leaks_nothing() {
    let full = every_part();
    for before in subsets() {
        for now_lacking in subsets() {
            for outcome in [Outcome::Success, Outcome::Cancelled] {
                let parts = Parts::new(&full);
                open(&parts, &full);
                let later = after(60.0); // the open wait is over, and the call is the probe
                parts.change_policy(&full, &before, later);
                let held = admit(&parts, &before, later).expect("there is room");
                parts.change_policy(&before, &now_lacking, later);
                let transition = parts.settle(&now_lacking, later, held, outcome);
                parts.change_policy(&now_lacking, &full, later);
                let snapshot = parts.snapshot(&full, later);
                assert_eq!(snapshot.in_flight, 0);
                let breaker = snapshot.breaker.expect("the policy has one");
                assert_eq!(breaker.outstanding, 0, "the probe's slot is free again");
                let counted = before.circuit.breaker.is_some() && now_lacking.circuit.breaker.is_some();
                let closes = counted && outcome == Outcome::Success;
                assert_eq!(transition.map(|transition| transition.to), closes.then_some(State::Closed));
                if outcome == Outcome::Cancelled && now_lacking.circuit.bucket.is_some() {
                    assert_eq!(snapshot.tokens, Some(Tokens::whole(10)));
                }
            }
        }
    }
}

#[test]
fn r1_a_bucket_keeps_its_share_also_while_the_policy_lacks_it() {
    let policy = every_part();
    let parts = Parts::new(&policy);
    (0..5).for_each(|_| assert_eq!(end(&parts, &policy, NOW, Outcome::Success), None));
    let larger = limits(json!({ "rate": { "limit": "1/h", "burst": 100 } }));
    parts.change_policy(&policy, &larger, NOW);
    assert_eq!(parts.snapshot(&larger, NOW).tokens, Some(Tokens::whole(50)), "half of it, as before");
    let none = limits(json!({ "rate": { "enabled": false } }));
    parts.change_policy(&larger, &none, NOW);
    parts.change_policy(&none, &none, NOW);
    parts.change_policy(&none, &policy, NOW);
    assert_eq!(parts.snapshot(&policy, NOW).tokens, Some(Tokens::whole(5)));
}

#[test]
fn r1_what_was_learned_stays_under_another_policy_and_while_it_lacks_the_part() {
    let (policy, now) = (every_part(), after(1_000.0));
    let parts = Parts::new(&policy);
    end(&parts, &policy, now, Outcome::Failure);
    let learned = parts.snapshot(&policy, now);
    assert_eq!((learned.limit, learned.adaptive_rate.map(|rate| rate.share_milli())), (Some(1), Some(499)));
    assert_eq!(learned.throttle.map(|throttle| throttle.requests), Some(1));
    let none = LimitPolicy::UNLIMITED;
    parts.change_policy(&policy, &none, now);
    assert_eq!(parts.snapshot(&none, now), PartsSnapshot::default());
    let twice = limits(json!({
        "rate": { "limit": "2/s", "adaptive": { "decrease": 0.5 } },
        "bulkhead": { "adaptive": { "min": 1 } },
        "throttle": { "window": "1s" },
    }));
    parts.change_policy(&none, &twice, now);
    let kept = parts.snapshot(&twice, now);
    assert_eq!((kept.limit, kept.throttle.map(|throttle| throttle.requests)), (Some(1), Some(1)));
    let rate = kept.adaptive_rate.expect("it adapts").share_milli();
    assert!((245..=250).contains(&rate), "the same rate is half the share of a limit twice as high: {rate}");
}

#[test]
fn r1_a_retry_budget_keeps_its_balance() {
    let budget = |window: &str| limits(json!({ "retry_budget": { "window": window, "per_second": 1, "share": 1 } }));
    let (first, second, now) = (budget("10s"), budget("10m"), after(1_000.0));
    let parts = Parts::new(&first);
    let balance = |policy: &LimitPolicy| parts.snapshot(policy, now).retry_budget.map(|budget| budget.balance);
    let earning = first.retry_budget.expect("it has one");
    (0..100).for_each(|_| parts.retry_budget().deposit(&earning, now));
    let earned = balance(&first);
    parts.change_policy(&first, &second, now);
    assert_eq!(balance(&second), earned);
}

#[test]
fn r1_a_breaker_keeps_its_state_whatever_window_it_gets_and_the_window_only_where_it_is_the_same() {
    let (count, row) = (every_part(), limits(json!({ "breaker": { "jitter": "none" } })));
    let span = limits(json!({ "breaker": { "window": { "span": "30s" }, "minimum_calls": 3, "jitter": "none" } }));
    let stricter = without(|limits| {
        limits.circuit.breaker = self::limits(json!({ "breaker": { "window": { "calls": 10 } } })).circuit.breaker;
    });
    let parts = Parts::new(&count);
    let calls = |policy| parts.snapshot(policy, NOW).breaker.map(|breaker| breaker.window.calls);
    end(&parts, &count, NOW, Outcome::Failure);
    parts.change_policy(&count, &stricter, NOW);
    assert_eq!(calls(&stricter), Some(1), "other thresholds on the same window");
    parts.change_policy(&stricter, &span, NOW);
    assert_eq!(calls(&span), Some(0), "another window begins empty");
    parts.change_policy(&span, &count, NOW);
    assert_eq!(calls(&count), Some(0));
    parts.change_policy(&count, &limits(json!({ "breaker": { "enabled": false } })), NOW);
    open(&parts, &count);
    for (old, new) in [(&count, &span), (&span, &row), (&row, &count)] {
        parts.change_policy(old, new, NOW);
        let wait = parts.longest_refusal(new, NOW).expect("it is open");
        assert_eq!(wait.as_secs_f64().round(), 5.0);
        assert_eq!(parts.breaker_refusal(new, NOW).and_then(Wait::duration), Some(wait));
    }
    let opened = end(&parts, &count, after(5.0), Outcome::Success).expect("the probe closes it");
    assert_eq!(opened.to, State::Closed);
    let row_parts = Parts::new(&row);
    (0..6).for_each(|_| assert_eq!(end(&row_parts, &row, NOW, Outcome::Failure), None));
    assert!(end(&row_parts, &row, NOW, Outcome::Failure).is_some(), "without a window failures in a row count");
}

#[test]
fn a_call_of_each_priority_asks_for_what_the_policy_says() {
    let (plain, classes) = (limits(json!({})), every_part());
    for priority in Priority::ALL {
        assert_eq!(Parts::demand(&plain, priority), Demand::plain(priority.cost()));
        let leave = if priority == Priority::Low { Tokens::whole(5) } else { Tokens::ZERO };
        assert_eq!(Parts::demand(&classes, priority), Demand { cost: priority.cost(), leave });
    }
}

/// A booking of one token.
fn book(parts: &Parts, policy: &LimitPolicy, max_wait: u64) -> Option<Booking> {
    parts.book(policy, NOW, Demand::plain(Tokens::ONE), Duration::from_secs(max_wait))
}

#[test]
fn bookings_are_ready_in_their_order_and_their_calls_take_nothing_more() {
    let policy = limits(json!({ "max_wait": "2s", "rate": { "limit": "1/s", "burst": 1 } }));
    let parts = Parts::new(&policy);
    let bookings: Vec<_> = core::iter::from_fn(|| book(&parts, &policy, 2)).collect();
    let ready: Vec<_> = bookings.iter().map(|booking| booking.ready_at().saturating_since(NOW).as_secs()).collect();
    assert_eq!(ready, [0, 1, 2], "no longer than a call may wait");
    assert_eq!(admit(&parts, &policy, NOW).expect_err("those who booked go first"), Part::Bucket);
    let before = parts.snapshot(&policy, NOW);
    assert_eq!((before.tokens, before.booked), (Some(Tokens::ZERO), Some(Tokens::whole(2))));
    for booking in bookings {
        let ask = Ask { demand: Demand::plain(booking.cost()), booked: true, ..Ask::at(NOW) };
        let (held, _) = parts.admit(&policy, &ask).expect("it has paid");
        parts.settle(&policy, NOW, held, Outcome::Success);
    }
    assert_eq!(parts.snapshot(&policy, NOW), before);
    assert!(book(&parts, &limits(json!({ "rate": { "enabled": false } })), 2).is_none(), "no bucket");
}

#[test]
fn a_booking_that_is_cancelled_or_whose_call_is_gives_its_tokens_back() {
    let policy = every_part();
    let parts = Parts::new(&policy);
    let before = parts.snapshot(&policy, NOW);
    let booking = book(&parts, &policy, 0).expect("full");
    parts.cancel(&policy, NOW, booking);
    assert_eq!(parts.snapshot(&policy, NOW), before);
    let booking = book(&parts, &policy, 0).expect("full");
    let ask = Ask { demand: Demand::plain(booking.cost()), booked: true, ..Ask::at(NOW) };
    let (held, _) = parts.admit(&policy, &ask).expect("it has paid");
    parts.settle(&policy, NOW, held, Outcome::Cancelled);
    assert_eq!(parts.snapshot(&policy, NOW), before);
    let booking = book(&parts, &policy, 0).expect("full");
    parts.cancel(&LimitPolicy::UNLIMITED, NOW, booking);
}

#[test]
fn a_booking_pays_the_present_rate_and_waits_out_a_pause_that_is_short_enough() {
    let policy = every_part();
    let parts = Parts::new(&policy);
    end(&parts, &policy, NOW, Outcome::Failure); // half the rate
    let booking = book(&parts, &policy, 0).expect("nearly full");
    assert!(booking.cost() > Tokens::whole(2) && booking.cost() < Tokens::milli(2_010), "{booking:?}");
    parts.cancel(&policy, NOW, booking);
    parts.slow_down(&policy, NOW, Duration::from_secs(3));
    assert!(book(&parts, &policy, 2).is_none(), "the pause is longer");
    let booking = book(&parts, &policy, 3).expect("the pause is no longer");
    let ask = |now| Ask { demand: Demand::plain(booking.cost()), booked: true, ..Ask::at(now) };
    assert_eq!(parts.admit(&policy, &ask(NOW)).expect_err("a pause").by, Part::AdaptiveRate);
    let (held, _) = parts.admit(&policy, &ask(after(3.0))).expect("the pause is over");
    parts.settle(&policy, after(3.0), held, Outcome::Success);
}

#[test]
fn who_waits_as_long_as_it_was_asked_to_is_not_refused_for_a_fraction() {
    let policy = every_part();
    for nanos in [0, 1, 1_048_577, 250_000_000, 3_000_000_001] {
        let (parts, asked) = (Parts::new(&policy), Duration::from_nanos(nanos));
        parts.slow_down(&policy, NOW, asked);
        assert!(admit(&parts, &policy, NOW.saturating_add(asked)).is_ok(), "after {asked:?}");
        if let Some(early) = asked.checked_sub(Duration::from_nanos(1 << 20)) {
            let early = NOW.saturating_add(early);
            assert_eq!(admit(&parts, &policy, early).expect_err("it comes too early"), Part::AdaptiveRate);
        }
    }
}

#[test]
fn there_is_room_while_neither_a_slot_nor_a_probe_must_be_waited_for() {
    let policy = every_part();
    let parts = Parts::new(&policy);
    let first = admit(&parts, &policy, NOW).expect("a slot");
    assert!(parts.has_room(&policy, NOW));
    let second = admit(&parts, &policy, NOW).expect("a slot");
    assert!(!parts.has_room(&policy, NOW), "the learned limit is 2 and not 3");
    for held in [first, second] {
        parts.settle(&policy, NOW, held, Outcome::Ignored);
    }
    open(&parts, &policy);
    assert!(parts.has_room(&policy, NOW), "time decides, and no other call");
    let probe = admit(&parts, &policy, after(5.0)).expect("the wait is over");
    assert!(!parts.has_room(&policy, after(5.0)));
    parts.settle(&policy, after(5.0), probe, Outcome::Ignored);
    assert!(parts.has_room(&policy, after(5.0)));
}

#[test]
fn parts_are_fresh_until_one_of_them_has_something_to_remember() {
    let policy = every_part();
    assert!(Parts::new(&policy).is_fresh(&policy, NOW));
    let uses: [fn(&Parts, &LimitPolicy); 7] = [
        |parts, policy| drop(admit(parts, policy, NOW)),
        |parts, policy| assert_eq!(end(parts, policy, NOW, Outcome::Failure), None),
        |parts, policy| assert_eq!(end(parts, policy, NOW, Outcome::Success), None),
        |parts, policy| assert!(book(parts, policy, 1).is_some()),
        |parts, policy| parts.slow_down(policy, NOW, Duration::from_secs(1)),
        |parts, _| assert!(parts.force(Forced::Open).is_some()),
        |parts, policy| {
            let budget = policy.retry_budget.expect("on by default");
            parts.retry_budget().try_withdraw(&budget, NOW).expect("the floor's");
        },
    ];
    for (number, used) in uses.iter().enumerate() {
        let parts = Parts::new(&policy);
        used(&parts, &policy);
        assert!(!parts.is_fresh(&policy, NOW), "use {number}");
        assert!(parts.is_fresh(&LimitPolicy::UNLIMITED, NOW), "a part that the policy lacks is not asked");
    }
    let parts = Parts::new(&policy);
    assert!(parts.force(Forced::Open).is_some() && parts.reset().is_some());
    assert!(parts.is_fresh(&policy, NOW));
    let throttled = LimitPolicy { throttle: policy.throttle, ..LimitPolicy::UNLIMITED };
    end(&parts, &throttled, NOW, Outcome::Success);
    assert!(!parts.is_fresh(&throttled, NOW) && parts.is_fresh(&throttled, after(1e4)));
}

#[test]
fn a_throttle_draws_for_each_call_and_refuses_a_share() {
    let policy = limits(
        json!({ "throttle": { "enabled": true }, "rate": { "enabled": false }, "breaker": { "enabled": false } }),
    );
    let parts = Parts::new(&policy);
    fastrand::seed(7);
    // what is refused here counts as a request too, so the share grows slowly beyond (900 - 2 x 100) / 908
    let outcomes = |parts: &Parts, accepted: u32, refused: u32| {
        let outcomes = [(accepted, Outcome::Success), (refused, Outcome::Failure)];
        for (calls, outcome) in outcomes {
            for _ in 0..calls {
                let held = parts.admit(&without_throttle(&policy), &Ask::at(NOW)).expect("nothing refuses").0;
                let ((_, slot), rest) = held.taken;
                let held = Held { taken: ((Some(()), slot), rest), ..held };
                parts.settle(&policy, NOW, held, outcome);
            }
        }
    };
    outcomes(&parts, 100, 800);
    let refused = (0..100).filter(|_| admit(&parts, &policy, NOW).is_err()).count();
    assert!((60..95).contains(&refused), "{refused} of 100");
    assert_eq!(admit(&Parts::new(&policy), &policy, NOW).err(), None);
}

fn without_throttle(policy: &LimitPolicy) -> LimitPolicy {
    LimitPolicy { throttle: None, ..*policy }
}
