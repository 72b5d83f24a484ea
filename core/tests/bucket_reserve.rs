//! Bookings ahead: T1 to T4 with debt, the order of going, and what a cancel gives back, against exact arithmetic.

mod support;

use core::time::Duration;
use fusebox_core::*;
use proptest::prelude::*;
use support::booked::*;
use support::exact::*;
use support::*;

/// Runs deeds on the atomic bucket, the pure step and the oracle. Returns what went, as (instant, amount), where a token
/// that was given back late counts against the instant of giving.
fn run(policy: &BucketPolicy, start: u64, deeds: &[(Turn, Deed)]) -> Result<Vec<(u64, i128)>, TestCaseError> {
    let (shared, mut state, mut now) = (TokenBucket::new(), BucketState::NEW, start);
    let mut oracle = Booked::full(policy, start);
    let (mut held, mut given_back, slack) = (Vec::new(), Vec::new(), oracle.exact.slack());
    for (turn, deed) in deeds {
        now += turn.step(policy);
        oracle.exact.refill(now);
        let demand = Demand::plain(turn.cost(policy).max(Tokens::milli(1)));
        let longest = if let Deed::Book(share) = deed { max_wait(policy, *share) } else { 0 };
        match deed {
            Deed::Cancel(_) | Deed::CancelLast if held.is_empty() => {}
            Deed::Cancel(_) | Deed::CancelLast => {
                let place = if let Deed::Cancel(index) = deed { index.index(held.len()) } else { held.len() - 1 };
                let (id, booking): (usize, Booking) = held.remove(place);
                let before = state.snapshot(at(now), policy);
                let (next, given) = state.cancel(&booking, at(now), policy);
                state = next;
                prop_assert_eq!(shared.cancel(policy, at(now), booking), given);
                let (amount, last) = oracle.cancel(id);
                if slack == 0 {
                    prop_assert_eq!(i128::from(given.as_milli()), amount / oracle.exact.per_milli);
                }
                if given == Tokens::ZERO && amount == 0 {
                    prop_assert_eq!(state.snapshot(at(now), policy), before);
                }
                if !last && amount > 0 {
                    given_back.push((now, -amount));
                }
            }
            Deed::Take => {
                let (next, verdict) = state.take_as(demand, at(now), policy);
                state = next;
                prop_assert_eq!(shared.try_acquire_as(policy, at(now), demand), verdict);
                if verdict.is_ok() {
                    prop_assert!(
                        oracle.exact.level + slack >= oracle.exact.amount(demand.cost),
                        "before the debt is paid"
                    );
                    oracle.accept(demand.cost, now);
                }
            }
            Deed::Book(_) => {
                let (ready, accepted) = oracle.ask(demand, longest);
                let (next, verdict) = state.book(demand, longest, at(now), policy);
                prop_assert!(verdict.is_ok() || next == state, "a denial wrote something");
                state = next;
                let twin = shared.reserve(policy, at(now), demand.cost, Duration::from_nanos(longest));
                prop_assert_eq!(&twin, &verdict, "the atomic bucket disagrees with its step");
                let tolerance = if slack == 0 { 0 } else { 3 };
                match verdict {
                    Ok(booking) => {
                        prop_assert!(booking.ready_at().as_nanos().abs_diff(now + ready) <= tolerance);
                        prop_assert!(accepted <= tolerance, "accepted {accepted} ns too early");
                        let latest = oracle.line.iter().map(|held| held.ready).max().unwrap_or(0);
                        prop_assert!(booking.ready_at().as_nanos() >= latest, "out of order");
                        held.push((oracle.accept(demand.cost, booking.ready_at().as_nanos()), booking));
                    }
                    Err(Wait::Nanos(wait)) => {
                        prop_assert!(wait > 0 && wait.abs_diff(accepted) <= tolerance, "{wait}, not {accepted}");
                        prop_assert!(state.book(demand, longest, at(now + wait), policy).1.is_ok());
                        prop_assert!(state.book(demand, longest, at(now + wait - 1), policy).1.is_err());
                    }
                    Err(wait) => {
                        prop_assert_eq!(wait, Wait::Never);
                        prop_assert!(demand.cost > policy.burst());
                    }
                }
            }
        }
        prop_assert!(state.level(at(now), policy) <= policy.burst());
        prop_assert!(oracle.exact.level >= -oracle.exact.amount(policy.debt()) - slack, "beyond the debt cap");
    }
    let mut went: Vec<_> = oracle.line.iter().filter(|held| held.goes).map(|held| (held.ready, held.amount)).collect();
    went.extend(given_back);
    went.sort_unstable();
    Ok(went)
}

proptest! {
    #[test]
    fn t1_t2_t4_bookings_go_within_the_rate_in_order_at_the_exact_time(
        policy in indebted(),
        deeds in deeds(),
        start in start(),
    ) {
        let went = run(&policy, start, &deeds)?;
        let exact = Exact::full(&policy, start);
        for (first, (from, _)) in went.iter().enumerate() {
            if first > 0 && went[first - 1].0 == *from {
                continue; // an interval holds all that happens at its start
            }
            let mut sum = 0;
            for (to, amount) in &went[first..] {
                sum += amount;
                let allowed = exact.burst + exact.per_nano * (i128::from(to - from) + 1) + exact.slack();
                prop_assert!(sum <= allowed, "{} too much from {from} to {to}", sum - allowed);
            }
        }
    }
}

/// The most that `went`, as (instant, amount), exceeds burst + rate x (length + 1 ns) by, over all intervals; in
/// thousandths, under a policy of 1 token per second.
fn excess(policy: &BucketPolicy, went: &mut [(u64, i128)]) -> i128 {
    went.sort_unstable();
    let sums = (0..went.len()).filter(|first| *first == 0 || went[first - 1].0 < went[*first].0).flat_map(|first| {
        let from = went[first].0;
        went[first..].iter().scan(0, move |sum, (to, amount)| {
            *sum += amount * i128::from(MS);
            Some(*sum - i128::from(to - from + 1))
        })
    });
    sums.max().unwrap_or(0) - i128::from(policy.burst().as_milli() * MS)
}

/// Takes, bookings and cancels of calls that leave something to others. Each counts where its cost alone is there, or
/// where it is ready when `at_ready`.
fn leaving(policy: &BucketPolicy, deeds: &[(u64, u8, u64, u64)], at_ready: bool) -> Vec<(u64, i128)> {
    let (mut state, mut now, mut held, mut went) = (BucketState::NEW, 0, Vec::new(), Vec::new());
    for (step, kind, cost, leave) in deeds {
        now += step * MS;
        let demand = Demand { cost: Tokens::milli(*cost), leave: Tokens::milli(*leave) };
        let amount = i128::from(*cost);
        if *kind == 0 {
            let (next, verdict) = state.take_as(demand, at(now), policy);
            state = next;
            went.extend(verdict.is_ok().then_some((now, amount)));
        } else if *kind == 1 && !held.is_empty() && !at_ready {
            let (there, booking): (u64, Booking) = held.remove(usize::try_from(*cost).unwrap_or(0) % held.len());
            let (next, given) = state.cancel(&booking, at(now), policy);
            state = next;
            let counted = now.max(there); // the last place is given back before its time
            went.push((counted, -i128::from(given.as_milli())));
        } else {
            let there = state.book(Demand::plain(demand.cost), u64::MAX, at(now), policy).1;
            let (next, verdict) = state.book(demand, u64::MAX, at(now), policy);
            state = next;
            if let (Ok(there), Ok(booking)) = (there, verdict) {
                let counted = if at_ready { booking.ready_at() } else { there.ready_at() };
                went.push((counted.as_nanos(), amount));
                held.push((there.ready_at().as_nanos(), booking));
            }
        }
    }
    went
}

proptest! {
    #[test]
    fn t1_bookings_that_leave_something_to_others_go_within_the_rate(
        deeds in prop::collection::vec((0_u64..4_000, 0_u8..4, 1_u64..10_000, prop_oneof![Just(0), 0_u64..9_000]), 1..40),
        at_ready: bool,
    ) {
        let policy = bucket(1, Duration::from_secs(1), Tokens::whole(10)).with_debt(Tokens::whole(10)).expect("in range");
        prop_assert!(excess(&policy, &mut leaving(&policy, &deeds, at_ready)) <= 0);
    }
}

#[test]
fn t1_who_waits_for_what_it_leaves_counts_where_its_cost_was_there_when_an_earlier_booking_is_cancelled() {
    let policy = bucket(1, Duration::from_secs(1), Tokens::whole(10)).with_debt(Tokens::whole(10)).expect("in range");
    let shared = TokenBucket::new();
    let leaving = Demand { cost: Tokens::whole(5), leave: Tokens::whole(5) };
    let first = shared.reserve(&policy, at(0), Tokens::whole(10), Duration::MAX).expect("full");
    let second = shared.reserve_as(&policy, at(0), leaving, Duration::MAX).expect("within the debt cap");
    assert_eq!((first.ready_at(), second.ready_at()), (at(0), at(10 * SECOND)));
    assert_eq!(shared.cancel(&policy, at(5 * SECOND), first), Tokens::whole(10), "no debt");
    for (now, cost) in [(5 * SECOND + 1, 10), (10 * SECOND + 1, 5)] {
        assert_eq!(shared.try_acquire(&policy, at(now), Tokens::whole(cost)), Ok(()));
    }
    let mut went = [(5 * SECOND, 5_000), (5 * SECOND, -10_000), (5 * SECOND + 1, 10_000), (10 * SECOND + 1, 5_000)];
    assert!(excess(&policy, &mut went) <= 0);
    went[0].0 = 10 * SECOND;
    assert!(excess(&policy, &mut went) > 0, "where it is ready: as the documentation says");
}

#[test]
fn h9_the_last_place_is_given_to_the_next_who_books_and_the_others_keep_theirs() {
    let policy = bucket(1, Duration::from_secs(1), Tokens::ONE).with_debt(Tokens::whole(3)).expect("in range");
    let shared = TokenBucket::new();
    let book = |now| shared.reserve(&policy, at(now), Tokens::ONE, Duration::MAX);
    let [first, second, third, fourth] = [0; 4].map(|now| book(now).expect("within the debt cap"));
    assert_eq!([&first, &second, &third, &fourth].map(|booking| booking.ready_at().as_nanos() / SECOND), [0, 1, 2, 3]);
    assert_eq!(book(0), Err(Wait::Nanos(SECOND)), "the debt cap");
    assert_eq!(shared.try_acquire(&policy, at(0), Tokens::ONE), Err(Wait::Nanos(4 * SECOND)), "they go first");

    assert_eq!(shared.cancel(&policy, at(0), second), Tokens::ZERO, "two stand behind it");
    assert_eq!(shared.cancel(&policy, at(0), fourth), Tokens::ONE);
    let newcomer = book(SECOND / 2).expect("the last place is free");
    assert_eq!(newcomer.ready_at(), at(3 * SECOND));
    assert_eq!(shared.cancel(&policy, at(SECOND / 2), newcomer), Tokens::ONE);
    assert_eq!(shared.cancel(&policy, at(SECOND / 2), third), Tokens::ONE, "all behind it have cancelled");
    assert_eq!(book(SECOND / 2).expect("free again").ready_at(), at(2 * SECOND));
    assert_eq!(shared.snapshot(&policy, at(2 * SECOND)), BucketSnapshot::default());
    assert_eq!(shared.cancel(&policy, at(3 * SECOND), first), Tokens::ZERO, "the bucket is full by now");
    assert!(shared.is_fresh(&policy, at(3 * SECOND)));
}

#[test]
fn h9_a_booking_that_is_due_is_given_back_like_any_token() {
    let policy = bucket(1, Duration::from_secs(1), Tokens::whole(3)).with_debt(Tokens::whole(3)).expect("in range");
    let shared = TokenBucket::new();
    let booking = shared.reserve(&policy, at(0), Tokens::whole(2), Duration::ZERO).expect("full");
    shared.try_acquire(&policy, at(0), Tokens::ONE).expect("one is left");
    assert_eq!(shared.cancel(&policy, at(SECOND / 2), booking), Tokens::whole(2), "nobody waits behind it");
    assert_eq!(shared.peek(&policy, at(SECOND / 2)), Tokens::milli(2_500));
}

#[test]
fn a_booking_that_would_wait_too_long_is_refused_until_its_time_is_near() {
    let policy = bucket(2, Duration::from_secs(1), Tokens::whole(2)).with_debt(Tokens::whole(10)).expect("in range");
    let shared = TokenBucket::new();
    shared.try_acquire(&policy, at(0), Tokens::whole(2)).expect("full");
    let book = |now, wait| shared.reserve(&policy, at(now), Tokens::whole(2), Duration::from_nanos(wait));
    assert_eq!(book(0, 300 * MS), Err(Wait::Nanos(700 * MS)));
    assert_eq!(book(700 * MS - 1, 300 * MS), Err(Wait::Nanos(1)));
    assert_eq!(book(700 * MS, 300 * MS).map(|booking| booking.ready_at()), Ok(at(SECOND)));
}

#[test]
fn h12_a_booking_that_can_never_be_made_is_told_so_at_once() {
    let policy = bucket(1, Duration::from_secs(1), Tokens::ONE).with_debt(Tokens::whole(100)).expect("in range");
    let shared = TokenBucket::new();
    let reserve = |now, cost| shared.reserve(&policy, now, cost, Duration::MAX);
    assert_eq!(reserve(at(0), Tokens::milli(1_001)), Err(Wait::Never), "debt does not make the burst larger");
    assert!(reserve(at(0), Tokens::ZERO).is_ok());
    assert!(reserve(Instant::MAX, Tokens::ONE).is_ok());
    assert_eq!(reserve(Instant::MAX, Tokens::ONE), Err(Wait::Never), "its time lies beyond the end of the clock");
}

#[test]
fn without_a_debt_cap_a_booking_is_an_acquisition() {
    let policy = bucket(1, Duration::from_secs(1), Tokens::ONE);
    let shared = TokenBucket::new();
    assert!(shared.reserve(&policy, at(5), Tokens::ONE, Duration::MAX).is_ok());
    let denied = shared.reserve(&policy, at(5), Tokens::ONE, Duration::MAX);
    assert_eq!(denied.map(|_| ()), shared.try_acquire(&policy, at(5), Tokens::ONE));
}
