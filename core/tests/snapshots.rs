//! A snapshot says what a breaker knows, and a breaker restored from it knows the same.

mod support;

use fusebox_core::*;
use proptest::prelude::*;
use support::*;

/// The atomic breaker after random operations under hostile time, with the calls that are still under way.
fn driven(policy: &BreakerPolicy, operations: &[Operation]) -> (Breaker, Vec<Ticket>, u64) {
    let (breaker, mut tickets, mut now) = (Breaker::new(), Vec::new(), 0);
    for (time, action) in operations {
        now = time.from(now);
        match action {
            Action::Admit => tickets.extend(breaker.admit(policy, at(now)).ok().map(|(ticket, _)| ticket)),
            Action::Settle(_, _) if tickets.is_empty() => {}
            Action::Settle(index, outcome) => {
                let ticket = tickets.swap_remove(index.index(tickets.len()));
                let _ = breaker.settle(policy, at(now), ticket, *outcome);
            }
            Action::Force(forced) => {
                let _ = breaker.force(*forced);
            }
            Action::Reset => {
                let _ = breaker.reset();
            }
        }
    }
    (breaker, tickets, now)
}

proptest! {
    #[test]
    fn snapshot_restore_snapshot_is_the_identity(
        policy in small_policy(),
        operations in operations(hostile()),
        later: u64,
    ) {
        let (breaker, _, now) = driven(&policy, &operations);
        for now in [now, later] {
            let snapshot = breaker.snapshot(&policy, at(now));
            let restored = Breaker::restore(snapshot);
            prop_assert_eq!(restored.snapshot(&policy, at(now)), snapshot);
        }
    }

    #[test]
    fn a_restored_breaker_decides_as_the_original_would(
        policy in small_policy(),
        operations in operations(hostile()),
        later: u64,
    ) {
        let (breaker, _, now) = driven(&policy, &operations);
        let restored = Breaker::restore(breaker.snapshot(&policy, at(now)));
        let (one, other) = (breaker.admit(&policy, at(later)), restored.admit(&policy, at(later)));
        match (one, other) {
            (Ok((_, one)), Ok((_, other))) => prop_assert_eq!(one, other),
            (one, other) => prop_assert_eq!(one.err(), other.err()),
        }
        prop_assert_eq!(breaker.snapshot(&policy, at(later)), restored.snapshot(&policy, at(later)));
    }

    #[test]
    fn b3_every_stale_outcome_is_counted_and_nothing_else_changes(
        policy in small_policy(),
        operations in operations(hostile()),
        outcome in outcome(),
    ) {
        let (breaker, tickets, now) = driven(&policy, &operations);
        let _ = breaker.force(Forced::Open);
        let before = breaker.snapshot(&policy, at(now));
        let calls = tickets.len() as u64;
        for ticket in tickets {
            prop_assert_eq!(breaker.settle(&policy, at(now), ticket, outcome), None);
        }
        let expected = BreakerSnapshot { stale: before.stale + calls, ..before };
        prop_assert_eq!(breaker.snapshot(&policy, at(now)), expected);
    }

    #[test]
    fn a_restored_bucket_holds_what_it_held(
        tokens in 1_u64..1_000_000_000,
        burst in 1_u64..100_000,
        level in 0_u64..200_000,
        now: u64,
    ) {
        let policy = bucket(tokens, core::time::Duration::from_secs(1), Tokens::milli(burst));
        let restored = TokenBucket::restore(&policy, at(now), Tokens::milli(level));
        prop_assert_eq!(restored.peek(&policy, at(now)), Tokens::milli(level.min(burst)));
    }
}

#[test]
fn a_snapshot_tells_what_a_call_would_be_told() {
    let policy = breaker(BreakerConfig { trip: Trip::Consecutive(1), ..BreakerConfig::DEFAULT });
    let breaker = Breaker::new();
    assert_eq!(breaker.snapshot(&policy, at(0)), BreakerSnapshot::default());
    let (ticket, _) = breaker.admit(&policy, at(0)).expect("closed");
    let _ = breaker.settle(&policy, at(0), ticket, Outcome::Failure);
    let snapshot = breaker.snapshot(&policy, at(SECOND));
    assert_eq!(snapshot.refusal, breaker.admit(&policy, at(SECOND)).err());
    assert_eq!((snapshot.state, snapshot.generation, snapshot.since), (State::Open, 1, Some(at(0))));
}
