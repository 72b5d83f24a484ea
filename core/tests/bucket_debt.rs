//! Debt under hostile time and live changes: C1 to C3, R1, H11, H15, snapshots.

mod support;

use core::time::Duration;
use fusebox_core::*;
use proptest::prelude::*;
use support::booked::*;
use support::exact::*;
use support::*;

/// A bucket in any state with the bookings it has, and the latest time.
fn used(policy: &BucketPolicy, deeds: &[(Turn, Deed)], start: u64) -> (BucketState, Vec<Booking>, u64) {
    let (mut state, mut now, mut bookings) = (BucketState::NEW, start, Vec::new());
    for (turn, deed) in deeds {
        now += turn.step(policy);
        let demand = Demand::plain(turn.cost(policy));
        match deed {
            Deed::Take => state = state.take_as(demand, at(now), policy).0,
            Deed::Book(share) => {
                let (next, verdict) = state.book(demand, max_wait(policy, *share), at(now), policy);
                state = next;
                bookings.extend(verdict.ok());
            }
            Deed::Cancel(_) | Deed::CancelLast => {
                let Some(booking) = bookings.pop() else { continue };
                state = state.cancel(&booking, at(now), policy).0;
            }
        }
    }
    (state, bookings, now)
}

fn within_burst(policy: &BucketPolicy, cost: u64) -> Demand {
    Demand::plain(Tokens::milli(cost.min(policy.burst().as_milli())))
}

proptest! {
    #[test]
    fn c1_whatever_the_clock_did_who_waits_as_told_is_admitted_and_booked(
        policy in indebted(),
        calls in prop::collection::vec((hostile(), 0_u64..200_000, 0..3), 1..60),
        end in 0..u64::MAX / 2,
        cost in 1_u64..=100_000,
    ) {
        let (mut state, mut now, mut bookings) = (BucketState::NEW, 0, Vec::new());
        for (time, cost, kind) in calls {
            now = time.from(now);
            let demand = Demand::plain(Tokens::milli(cost));
            if kind == 0 {
                state = state.take_as(demand, at(now), &policy).0;
            } else if let (1, Some(booking)) = (kind, bookings.pop()) {
                state = state.cancel(&booking, at(now), &policy).0;
            } else {
                let (next, verdict) = state.book(demand, u64::MAX, at(now), &policy);
                state = next;
                bookings.extend(verdict.ok());
            }
            prop_assert!(state.level(at(now), &policy) <= policy.burst());
            prop_assert!(state.debt(at(now), &policy) <= policy.debt());
        }
        let demand = within_burst(&policy, cost);
        if let (denied, Err(Wait::Nanos(wait))) = state.take_as(demand, at(end), &policy) {
            prop_assert!(denied.take_as(demand, at(end + wait), &policy).1.is_ok());
            prop_assert!(denied.take_as(demand, at(end + wait - 1), &policy).1.is_err());
        }
        if let (denied, Err(Wait::Nanos(wait))) = state.book(demand, 5, at(end), &policy) {
            prop_assert!(denied.book(demand, 5, at(end + wait), &policy).1.is_ok());
        }
    }

    #[test]
    fn c2_a_step_back_lengthens_a_denial_by_the_leeway_and_the_debt_cap_at_most(
        policy in indebted(),
        deeds in deeds(),
        start in start(),
        back: u64,
        cost in 1_u64..=100_000,
    ) {
        let (state, _, latest) = used(&policy, &deeds, start);
        let (earlier, demand) = (back % (latest + 1), within_burst(&policy, cost));
        if let (denied, Err(wait)) = state.take_as(demand, at(earlier), &policy) {
            let Wait::Nanos(wait) = wait else { panic!("the cost is within the burst, not {wait:?}") };
            let empty = Exact { level: 0, ..Exact::full(&policy, 0) };
            let most = empty.wait(demand.cost) + leeway(&policy) + debt_refill(&policy) + 6;
            prop_assert!(wait <= most, "{wait} ns instead of {most}");
            prop_assert!(denied.take_as(demand, at(earlier + wait), &policy).1.is_ok());
        }
    }

    #[test]
    fn c3_an_older_now_admits_or_books_nothing_that_the_latest_would_refuse(
        policy in indebted(),
        deeds in deeds(),
        start in start(),
        back in 0_u64..1 << 52,
        cost in 1_u64..=100_000,
    ) {
        let (state, _, latest) = used(&policy, &deeds, start);
        let (earlier, demand) = (at(latest.saturating_sub(back)), within_burst(&policy, cost));
        let taken = state.take_as(demand, earlier, &policy).1;
        prop_assert!(taken.is_err() || state.take_as(demand, at(latest), &policy).1.is_ok());
        let booked = state.book(demand, u64::MAX, earlier, &policy).1;
        prop_assert!(booked.is_err() || state.book(demand, u64::MAX, at(latest), &policy).1.is_ok());
    }

    #[test]
    fn r1_a_change_of_policy_scales_the_level_and_the_debt_with_the_burst(
        old in indebted(),
        new in indebted(),
        deeds in deeds(),
        start in start(),
    ) {
        let (state, bookings, now) = used(&old, &deeds, start);
        let before = state.snapshot(at(now), &old);
        let moved = state.under(&old, &new, at(now));
        let after = moved.snapshot(at(now), &new);
        let signed = |snapshot: BucketSnapshot| {
            i128::from(snapshot.level.as_milli()) - i128::from(snapshot.debt.as_milli())
        };
        let (old_burst, new_burst) = (i128::from(old.burst().as_milli()), i128::from(new.burst().as_milli()));
        let capped = signed(after) == -i128::from(new.debt().as_milli());
        prop_assert!(signed(after) * old_burst <= (signed(before) + 1) * new_burst || capped, "minted");
        prop_assert!((signed(after) + 1) * old_burst >= signed(before) * new_burst, "took");
        if let Err(Wait::Nanos(wait)) = moved.take(new.burst(), at(now), &new).1 {
            let most = burst_refill(&new) + debt_refill(&new) + 6;
            prop_assert!(wait <= most, "more debt than the new cap: {wait} ns instead of {most}");
        }
        // a booking of the old policy gives back its cost at most
        let Some(booking) = bookings.last() else { return Ok(()) };
        let given = moved.cancel(booking, at(now), &new).1;
        prop_assert!(given <= booking.cost());
    }

    #[test]
    fn h11_a_fresh_bucket_cannot_be_told_from_a_new_one(
        policy in indebted(),
        deeds in deeds(),
        start in start(),
        idle in 0_u64..30_000,
        later in deeds(),
    ) {
        let (mut state, _, now) = used(&policy, &deeds, start);
        let refill = burst_refill(&policy) + debt_refill(&policy);
        let mut now = now + u64::try_from(u128::from(refill) * u128::from(idle) / 10_000)?;
        let fresh = state.is_fresh(at(now), &policy);
        let snapshot = state.snapshot(at(now), &policy);
        let full = BucketSnapshot { level: policy.burst(), debt: Tokens::ZERO };
        prop_assert!(!fresh || snapshot == full);
        prop_assert!(fresh || snapshot.level < policy.burst(), "a full bucket is fresh");
        if !fresh {
            return Ok(());
        }
        let mut new = BucketState::NEW;
        for (turn, deed) in later {
            now += turn.step(&policy);
            let (demand, longest) = (Demand::plain(turn.cost(&policy)), if let Deed::Book(_) = deed { u64::MAX } else { 0 });
            let ((next, verdict), (twin, expected)) =
                (state.book(demand, longest, at(now), &policy), new.book(demand, longest, at(now), &policy));
            let told = |verdict: Result<Booking, Wait>| verdict.map(|booking| booking.ready_at());
            prop_assert_eq!(told(verdict), told(expected));
            (state, new) = (next, twin);
        }
    }

    #[test]
    fn snapshot_resume_snapshot_is_the_identity_and_never_mints(
        policy in indebted(),
        deeds in deeds(),
        start in start(),
        other: u64,
    ) {
        let (state, _, now) = used(&policy, &deeds, start);
        let snapshot = state.snapshot(at(now), &policy);
        let resumed = TokenBucket::resume(&policy, at(other), snapshot);
        prop_assert_eq!(resumed.snapshot(&policy, at(other)), snapshot);
    }
}

#[test]
fn the_next_change_is_when_a_refused_demand_is_admitted_if_it_ever_is() {
    let policy = bucket(1, Duration::from_secs(1), Tokens::whole(2));
    let change = |now, milli| {
        let (empty, _) = BucketState::NEW.take(Tokens::whole(2), at(now), &policy);
        let demand = Demand::plain(Tokens::milli(milli));
        (empty.next_change(demand, at(now), &policy), empty.next_change(demand, at(now + SECOND), &policy))
    };
    assert_eq!(change(5 * SECOND, 1_000), (Some(at(6 * SECOND)), None), "refused, then admitted");
    assert_eq!(change(5 * SECOND, 1_500), (Some(at(6 * SECOND + 500 * MS)), Some(at(6 * SECOND + 500 * MS))));
    assert_eq!(change(5 * SECOND, 2_001), (None, None), "it never fits");
    assert_eq!(change(u64::MAX - SECOND, 1_500), (None, None), "beyond the end of the clock");
}

#[test]
fn snapshots_saturate_at_the_policy() {
    let policy = bucket(1, Duration::from_secs(1), Tokens::whole(2)).with_debt(Tokens::ONE).expect("in range");
    let all = Tokens::milli(u64::MAX);
    let resumed = |level, debt| {
        let snapshot = BucketSnapshot { level, debt };
        TokenBucket::resume(&policy, at(7), snapshot).snapshot(&policy, at(7))
    };
    assert_eq!(resumed(all, Tokens::ZERO), BucketSnapshot { level: Tokens::whole(2), debt: Tokens::ZERO });
    assert_eq!(resumed(Tokens::ZERO, all), BucketSnapshot { level: Tokens::ZERO, debt: Tokens::ONE });
}

#[test]
fn the_debt_is_checked_on_both_sides() {
    let plain = bucket(2, Duration::from_secs(1), Tokens::ONE);
    assert_eq!((plain.debt(), plain.with_debt(Tokens::ZERO)), (Tokens::ZERO, Ok(plain)));
    let error = plain.with_debt(Tokens::milli(u64::MAX)).expect_err("too large");
    let Quantity::Milli(max) = error.max else { panic!("a debt is in tokens") };
    assert_eq!(error.field, "debt");
    assert!(plain.with_debt(Tokens::milli(max)).is_ok() && plain.with_debt(Tokens::milli(max + 1)).is_err());
}

#[test]
fn h15_the_largest_burst_and_debt_work_at_both_ends_of_the_clock() {
    let burst = |milli| BucketPolicy::new(Rate::per_second(1_000_000_000), Tokens::milli(milli));
    let Err(PolicyError { max: Quantity::Milli(most), .. }) = burst(u64::MAX) else { panic!("too large") };
    let most = Tokens::milli(most);
    let policy = burst(most.as_milli()).and_then(|policy| policy.with_debt(most)).expect("the largest");
    for now in [0, 1, u64::MAX / 2, u64::MAX - 60 * DAY] {
        let shared = TokenBucket::new();
        let book = || shared.reserve(&policy, at(now), most, Duration::MAX);
        let (first, second) = (book().expect("the burst"), book().expect("the debt"));
        assert_eq!((first.ready_at(), second.ready_at()), (at(now), at(now + most.as_milli() / 1_000 + 1)));
        assert_eq!(shared.snapshot(&policy, at(now)).debt, most);
        assert!(book().is_err());
        assert_eq!(shared.cancel(&policy, at(now), second), most);
        assert_eq!(shared.peek(&policy, at(now)), Tokens::ZERO);
    }
}
