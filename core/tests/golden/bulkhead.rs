//! The bulkhead: slots that are taken and given back, and a limit that learns.

use super::table::{Cell, Table};
use super::{SECOND, START, at};
use core::time::Duration;
use fusebox_core::*;

const OUTCOMES: [Outcome; 4] = [Outcome::Success, Outcome::Failure, Outcome::Ignored, Outcome::Cancelled];

const FIXED: &str = "At most 2 in flight. Time does not matter. More than that come from a policy that was changed.";

pub(crate) fn fixed() -> Table {
    let mut table = Table::new("Bulkhead", FIXED);
    let (policy, wide) = (fixed_policy(2), fixed_policy(3));
    for in_flight in 0..=3 {
        let state = holding(in_flight, BulkheadState::NEW, &wide);
        let name = format!("{in_flight} in flight");
        let cell = |verdict: &str, next: BulkheadState| {
            let next = if next == state { "unchanged".into() } else { format!("{} in flight", next.in_flight()) };
            vec![Cell { when: "at", verdict: verdict.into(), next }]
        };
        let (next, stamp) = state.enter(at(START), &policy);
        table.enter(&name, "enter", cell(if stamp.is_some() { "admitted" } else { "refused" }, next));
        table.enter(&name, "leave", cell("left", state.leave()));
        for outcome in OUTCOMES {
            let (next, changed) = state.settle(stamp_of(BulkheadState::NEW, &wide), outcome, at(START), &policy);
            assert_eq!(changed, None, "a fixed limit does not learn");
            table.enter(&name, &format!("{outcome:?}"), cell("left", next));
        }
    }
    table
}

const ADAPTIVE: &str = "\
A limit that begins at 4 and lies between 2 and 6; overload leaves half of it; a call is slow when it took longer than
1 s. The event is the end of a call that entered at `S`; *at* is 1 s after that, *early* and *late* as above. *Earlier
epoch*: it entered before the latest cut. *n to raise it*: the successes that it takes until the limit rises.";

pub(crate) fn adaptive() -> Table {
    let mut table = Table::new("Bulkhead that adapts", ADAPTIVE);
    let policy = BulkheadPolicy::adaptive(LimitConfig {
        min: 2,
        max: 6,
        initial: 4,
        cut_milli: 500,
        slow_after: Some(Duration::from_secs(1)),
    })
    .expect("in range");
    let success = |state: BulkheadState| state.settle(stamp_of(state, &policy), Outcome::Success, at(START), &policy).0;
    let cut = |state: BulkheadState| state.settle(stamp_of(state, &policy), Outcome::Failure, at(START), &policy).0;
    let new = BulkheadState::NEW;
    let raised_soon = (0..3).fold(holding(4, new, &policy), |state, _| holding(4, success(state), &policy));
    let starts = [
        ("limit 4, 1 in flight", holding(1, new, &policy)),
        ("limit 4, 2 in flight", holding(2, new, &policy)),
        ("limit 4, 4 in flight, 3 successes", raised_soon),
        ("limit 6, 6 in flight", holding(6, BulkheadState::with_limit(Some(6)), &policy)),
        ("limit 2 after a cut, 2 in flight", holding(2, cut(holding(1, new, &policy)), &policy)),
    ];
    for (name, state) in starts {
        for (caller, from) in [("", state), (", earlier epoch", cut(cut(state)))] {
            let stamp = stamp_of(from, &policy);
            for outcome in OUTCOMES {
                let results = [("early", SECOND - 1), ("at", SECOND), ("late", 3_600 * SECOND)].map(|(when, took)| {
                    let (next, changed) = state.settle(stamp, outcome, at(START + took), &policy);
                    assert_eq!(Bulkhead::from_state(next).state(), next, "its word holds every state");
                    let verdict = changed.map_or("left".into(), |LimitChange { from, to }| format!("{from} to {to}"));
                    let progress = 1
                        + (0..10)
                            .scan(holding(6, next, &policy), |state, _| {
                                *state = holding(6, success(*state), &policy);
                                Some(state.limit(&policy))
                            })
                            .take_while(|limit| *limit == next.limit(&policy))
                            .count();
                    let to_raise = if progress > 10 { "at its top".into() } else { format!("{progress} to raise it") };
                    let (limit, in_flight) = (next.limit(&policy), next.in_flight());
                    Cell { when, verdict, next: format!("limit {limit}, {in_flight} in flight, {to_raise}") }
                });
                table.enter(name, &format!("{outcome:?}{caller}"), results.into());
            }
        }
    }
    table
}

fn fixed_policy(max_in_flight: u32) -> BulkheadPolicy {
    BulkheadPolicy::new(max_in_flight).expect("in range")
}

/// As many calls in flight, with what `state` has learned.
fn holding(in_flight: u32, mut state: BulkheadState, policy: &BulkheadPolicy) -> BulkheadState {
    let wide = fixed_policy(policy.max_in_flight().max(in_flight));
    assert!(state.in_flight() <= 6, "a bulkhead that counts below zero is not emptied one by one");
    while state.in_flight() > in_flight {
        state = state.leave();
    }
    while state.in_flight() < in_flight {
        state = state.enter(at(START), &wide).0;
    }
    state
}

fn stamp_of(state: BulkheadState, policy: &BulkheadPolicy) -> BulkheadStamp {
    holding(0, state, policy).enter(at(START), policy).1.expect("there is a slot")
}
