//! Invariants F1 and B5 of the circuit: a refusal takes nothing, a settled permit returns exactly what it holds.

mod support;

use core::time::Duration;
use fusebox_core::*;
use proptest::prelude::*;
use proptest::sample::Index;
use support::*;

#[derive(Clone, Debug)]
enum Call {
    Admit(u64),
    Settle(Index, Outcome),
}

fn calls(time: impl Strategy<Value = Move>) -> impl Strategy<Value = Vec<(Move, Call)>> {
    let call = prop_oneof![
        5 => (0_u64..2_500).prop_map(Call::Admit),
        4 => (any::<Index>(), outcome()).prop_map(|(index, outcome)| Call::Settle(index, outcome)),
    ];
    prop::collection::vec((time, call), 1..80)
}

/// Policies so tight that each part refuses often; each part is missing at times.
fn tight() -> impl Strategy<Value = CircuitPolicy> {
    (
        prop::option::weighted(0.8, small_policy()),
        prop::option::weighted(0.8, (1_u32..4).prop_map(bulkhead)),
        prop::option::weighted(
            0.8,
            (1_u64..50, 2_000_u64..6_000)
                .prop_map(|(rate, burst)| bucket(rate, Duration::from_secs(1), Tokens::milli(burst))),
        ),
    )
        .prop_map(|(breaker, bulkhead, bucket)| CircuitPolicy { breaker, bulkhead, bucket })
}

proptest! {
    #[test]
    fn f1_a_refused_admission_leaves_every_part_as_it_was(policy in tight(), calls in calls(forward())) {
        let (circuit, mut now, mut permits) = (Circuit::new(), 0, Vec::new());
        for (time, call) in calls {
            now = time.from(now);
            match call {
                Call::Admit(cost) => {
                    let before = circuit.snapshot(&policy, at(now));
                    match circuit.admit(&policy, at(now), Tokens::milli(cost)) {
                        Ok((permit, _)) => permits.push(permit),
                        Err(rejection) => {
                            prop_assert_eq!(circuit.snapshot(&policy, at(now)), before, "refused by the {}", rejection.by);
                        }
                    }
                }
                Call::Settle(_, _) if permits.is_empty() => {}
                Call::Settle(index, outcome) => {
                    let permit = permits.swap_remove(index.index(permits.len()));
                    let _ = circuit.settle(&policy, at(now), permit, outcome);
                }
            }
            let expected = if policy.bulkhead.is_some() { permits.len() as u64 } else { 0 };
            prop_assert_eq!(circuit.bulkhead().in_flight(), expected);
        }
    }

    #[test]
    fn f1_the_part_that_refuses_is_the_one_that_would_refuse_alone(policy in tight(), calls in calls(forward())) {
        let (circuit, mut now) = (Circuit::new(), 0);
        let mut permits = Vec::new();
        for (time, call) in calls {
            now = time.from(now);
            let Call::Admit(cost) = call else {
                permits.pop().map(|permit| circuit.settle(&policy, at(now), permit, Outcome::Failure));
                continue;
            };
            let cost = Tokens::milli(cost);
            let closed = policy.breaker.is_some_and(|breaker| circuit.breaker().refusal(&breaker, at(now)).is_some());
            let full =
                policy.bulkhead.is_some_and(|cap| circuit.bulkhead().in_flight() >= cap.max_in_flight().into());
            let dry = policy.bucket.is_some_and(|bucket| circuit.bucket().peek(&bucket, at(now)) < cost);
            let expected = match (closed, full, dry) {
                (true, _, _) => Some(Part::Breaker),
                (_, true, _) => Some(Part::Bulkhead),
                (_, _, true) => Some(Part::Bucket),
                _ => None,
            };
            match circuit.admit(&policy, at(now), cost) {
                Ok((permit, _)) => {
                    prop_assert_eq!(expected, None);
                    permits.push(permit);
                }
                Err(rejection) => prop_assert_eq!(Some(rejection.by), expected),
            }
        }
    }

    #[test]
    fn b5_ignored_and_cancelled_return_the_tokens_and_the_slot_once(
        policy in tight(),
        cost in 1_u64..2_000,
        spend: bool,
        cancelled: bool,
    ) {
        let circuit = Circuit::new();
        let (cost, outcome) = (Tokens::milli(cost), if cancelled { Outcome::Cancelled } else { Outcome::Ignored });
        let before = circuit.snapshot(&policy, at(0));
        let (mut permit, _) = circuit.admit(&policy, at(0), cost).expect("everything is fresh");
        let held = if policy.bucket.is_some() { cost } else { Tokens::ZERO };
        prop_assert_eq!(permit.tokens(), held);
        if spend {
            permit.spend();
            prop_assert_eq!(permit.tokens(), Tokens::ZERO);
        }
        let during = circuit.snapshot(&policy, at(0));
        let counts = cancelled && policy.breaker.is_some_and(|breaker| breaker.config().cancelled_is_failure);
        let transition = circuit.settle(&policy, at(0), permit, outcome);
        prop_assert!(counts || transition.is_none());
        let after = circuit.snapshot(&policy, at(0));
        prop_assert_eq!(after.in_flight, 0);
        prop_assert_eq!(after.tokens, if spend { during.tokens } else { before.tokens });
        prop_assert!(counts || after.breaker == before.breaker);
    }

    #[test]
    fn a_success_and_a_failure_return_the_slot_and_keep_the_tokens(policy in tight(), failed: bool) {
        let circuit = Circuit::new();
        let (permit, _) = circuit.admit(&policy, at(0), Tokens::ONE).expect("everything is fresh");
        let during = circuit.snapshot(&policy, at(0));
        let _ = circuit.settle(&policy, at(0), permit, if failed { Outcome::Failure } else { Outcome::Success });
        let after = circuit.snapshot(&policy, at(0));
        prop_assert_eq!((after.in_flight, after.tokens), (0, during.tokens));
    }

    #[test]
    fn c1_no_time_and_no_cost_wedges_a_circuit(
        policy in tight(),
        calls in calls(hostile()),
        start in 0..u64::MAX / 2,
    ) {
        let (circuit, mut now, mut permits) = (Circuit::new(), 0, Vec::new());
        for (time, call) in calls {
            now = time.from(now);
            match call {
                Call::Admit(cost) => permits.extend(circuit.admit(&policy, at(now), Tokens::milli(cost))),
                Call::Settle(_, _) if permits.is_empty() => {}
                Call::Settle(index, outcome) => {
                    let (permit, _) = permits.swap_remove(index.index(permits.len()));
                    let _ = circuit.settle(&policy, at(now), permit, outcome);
                }
            }
        }
        // the clock is sane from here on, and calls end; where nothing but a probe's slot is lost, they never report
        for (permit, _) in permits {
            if policy.bulkhead.is_some() {
                let _ = circuit.settle(&policy, at(start), permit, Outcome::Cancelled);
            }
        }
        // the longest open wait, the longest lease, the refill of the largest burst, its leeway, and some polls
        let (mut now, end) = (start, start + 2 * SECOND + 400 * MS + 12 * SECOND + 200 * MS);
        while let Err(rejection) = circuit.admit(&policy, at(now), Tokens::ONE) {
            prop_assert!(now < end, "still refused by the {}", rejection.by);
            now += 50 * MS; // polls, and never trusts a hint
        }
    }
}
