//! The bucket: what is taken, booked, cancelled and given back at every level, and what a change of policy leaves.

use super::table::{Cell, Table, span, wait};
use super::{SECOND, START, at};
use fusebox_core::*;

const HOUR: u64 = 3_600 * SECOND;

fn policy(per_second: u64, burst: u64, debt: u64) -> BucketPolicy {
    let policy = BucketPolicy::new(Rate::per_second(per_second), Tokens::whole(burst)).expect("in range");
    policy.with_debt(Tokens::whole(debt)).expect("in range")
}

/// What the bucket holds at the start, in thousandths; negative while some is booked ahead.
fn holding(milli: i64) -> BucketState {
    let (level, debt) = if milli < 0 { (0, milli.unsigned_abs()) } else { (milli.unsigned_abs(), 0) };
    let snapshot = BucketSnapshot { level: Tokens::milli(level), debt: Tokens::milli(debt) };
    BucketState::restored(snapshot, at(START), &policy(1, 3, 2))
}

const NOTE: &str = "\
One token a second, a burst of 3, at most 2 booked ahead. The state is what the bucket holds at `S`, or owes. *Early*,
*at* and *late* (an hour) are relative to the moment at which the demand fits, or at which the bucket can take back
what is given without being full; where that is `S`, there is no *early*. *Back* is 1 s before `S`, *far back* an hour.";

pub(crate) fn table() -> Table {
    let mut table = Table::new("Bucket", NOTE);
    let policy = policy(1, 3, 2);
    let takes: &[(&str, u64, u64)] = &[
        ("take 0", 0, 0),
        ("take 0.5", 500, 0),
        ("take 1", 1_000, 0),
        ("take 3", 3_000, 0),
        ("take 3.001", 3_001, 0),
        ("take 1, leave 1", 1_000, 1_000),
        ("take 1, leave 2.001", 1_000, 2_001),
    ];
    for milli in [3_000, 1_500, 0, -2_000] {
        let state = holding(milli);
        let name = describe(state, START, &policy);
        for (event, cost, leave) in takes {
            let demand = Demand { cost: Tokens::milli(*cost), leave: Tokens::milli(*leave) };
            let missing = (*cost as i64 + *leave as i64 - milli).max(0) as u64;
            let results = times(missing * 1_000_000).into_iter().map(|(when, now)| {
                let (next, taken) = state.take_as(demand, at(now), &policy);
                let verdict = taken.map_or_else(wait, |()| "admitted".into());
                Cell { when, verdict, next: after(state, next, now, &policy) }
            });
            table.enter(&name, event, results.collect());
        }
        for given in [1_000, 3_000] {
            let room = (3_000 - milli - given).max(0) as u64;
            let results = times(room * 1_000_000).into_iter().map(|(when, now)| {
                let next = state.give_back(Tokens::milli(given as u64), at(now), &policy);
                Cell { when, verdict: "taken back".into(), next: after(state, next, now, &policy) }
            });
            table.enter(&name, &format!("give back {}", given / 1_000), results.collect());
        }
    }
    never_touched(&mut table, &policy);
    table
}

fn never_touched(table: &mut Table, policy: &BucketPolicy) {
    let state = BucketState::NEW;
    let times = || [("origin", 0), ("end of the clock", u64::MAX)].into_iter();
    for (event, cost) in [("take 0", 0), ("take 1", 1_000), ("take 3", 3_000), ("take 3.001", 3_001)] {
        let results = times().map(|(when, now)| {
            let (next, taken) = state.take(Tokens::milli(cost), at(now), policy);
            let verdict = taken.map_or_else(wait, |()| "admitted".into());
            Cell { when, verdict, next: after(state, next, now, policy) }
        });
        table.enter("never touched", event, results.collect());
    }
    let results = times().map(|(when, now)| {
        let next = state.give_back(Tokens::ONE, at(now), policy);
        Cell { when, verdict: "taken back".into(), next: after(state, next, now, policy) }
    });
    table.enter("never touched", "give back 1", results.collect());
}

const BOOKINGS: &str = "\
The same bucket. *Early*, *at* and *late* (an hour) are relative to the moment at which the booking is possible, or, for
a cancel, at which the bucket has no debt any more. `A` is booked at `S` before the others, a token each; a token that
is taken after it is taken at once.";

pub(crate) fn bookings() -> Table {
    let mut table = Table::new("Bookings", BOOKINGS);
    let policy = policy(1, 3, 2);
    for milli in [3_000, 500, -1_000, -2_000] {
        let state = holding(milli);
        for (event, cost, max_wait) in [
            ("book 0, to go now", 0, 0),
            ("book 1, to go now", 1_000, 0),
            ("book 1, to go within 1.5 s", 1_000, SECOND * 3 / 2),
            ("book 1, to go within an hour", 1_000, HOUR),
            ("book 3, to go within an hour", 3_000, HOUR),
            ("book 3.001, to go within an hour", 3_001, HOUR),
        ] {
            let (missing, room) = ((cost - milli).max(0) as u64, (cost - milli - 2_000).max(0) as u64);
            let possible = (missing * 1_000_000).saturating_sub(max_wait).max(room * 1_000_000);
            let results = times(possible).into_iter().map(|(when, now)| {
                let demand = Demand::plain(Tokens::milli(cost as u64));
                let (next, booked) = state.book(demand, max_wait, at(now), &policy);
                let ready = |booking: Booking| format!("booked, goes in {}", span(booking.ready_at().as_nanos() - now));
                Cell { when, verdict: booked.map_or_else(wait, ready), next: after(state, next, now, &policy) }
            });
            table.enter(&describe(state, START, &policy), event, results.collect());
        }
    }
    cancels(&mut table, &policy);
    table
}

/// What a cancel gives back, by what the bucket held before `A` and by what came after it.
fn cancels(table: &mut Table, policy: &BucketPolicy) {
    for (name, milli, behind) in [
        ("`A` alone, of a full bucket", 3_000, 0),
        ("`A` alone, 1 in debt", 0, 0),
        ("1 taken after `A`, no debt", 3_000, 1),
        ("`B` booked after `A`, no debt", 2_000, 1),
        ("`B` booked after `A`, 1 in debt", 1_000, 1),
        ("`B` booked after `A`, 2 in debt", 0, 1),
    ] {
        let book = |state: BucketState| {
            let (next, booked) = state.book(Demand::plain(Tokens::ONE), HOUR, at(START), policy);
            (next, booked.expect("within the debt"))
        };
        let (mut state, first) = book(holding(milli));
        let mut last = None;
        for _ in 0..behind {
            let (next, booking) = book(state);
            (state, last) = (next, Some(booking));
        }
        let name = format!("{name}: {}", describe(state, START, policy));
        let debt = state.debt(at(START), policy).as_milli() * 1_000_000;
        for (event, booking) in [("cancel `A`", Some(&first)), ("cancel `B`", last.as_ref())] {
            let Some(booking) = booking.filter(|_| event != "cancel `B`" || name.contains("`B`")) else { continue };
            let results = times(debt).into_iter().map(|(when, now)| {
                let (next, given) = state.cancel(booking, at(now), policy);
                Cell { when, verdict: format!("gives back {given}"), next: after(state, next, now, policy) }
            });
            table.enter(&name, event, results.collect());
        }
    }
}

const POLICIES: &str = "\
The same bucket under another policy from `S` on: the level stays the same share of the burst, and debt is a level below
zero. *At* is `S`, *late* an hour after it.";

pub(crate) fn policies() -> Table {
    let mut table = Table::new("Bucket under another policy", POLICIES);
    let old = policy(1, 3, 2);
    for milli in [3_000, 1_000, 0, -1_000, -2_000] {
        let state = holding(milli);
        for (event, new) in [
            ("a burst of 6, debt 2", policy(1, 6, 2)),
            ("a burst of 1, debt 2", policy(1, 1, 2)),
            ("a burst of 3, no debt", policy(1, 3, 0)),
            ("2 a second", policy(2, 3, 2)),
        ] {
            let results = [("at", START), ("late", START + HOUR)].map(|(when, now)| {
                let next = describe(state.under(&old, &new, at(now)), now, &new);
                Cell { when, verdict: "converted".into(), next }
            });
            table.enter(&describe(state, START, &old), event, results.into());
        }
    }
    table
}

/// Relative to the moment `boundary` nanoseconds after the start.
fn times(boundary: u64) -> Vec<(&'static str, u64)> {
    let moment = START + boundary;
    let mut times = vec![("far back", START - HOUR), ("back", START - SECOND)];
    times.extend((boundary > 0).then_some(("early", moment - 1)));
    times.extend([("at", moment), ("late", moment + HOUR)]);
    times
}

fn after(before: BucketState, next: BucketState, now: u64, policy: &BucketPolicy) -> String {
    if next == before { "unchanged".into() } else { describe(next, now, policy) }
}

/// What a bucket holds or owes, and exactly when it will be full.
fn describe(state: BucketState, now: u64, policy: &BucketPolicy) -> String {
    assert_eq!(TokenBucket::from_state(state).state(), state, "its word holds every state");
    let BucketSnapshot { level, debt } = state.snapshot(at(now), policy);
    let holds = if debt > Tokens::ZERO { format!("owes {debt}") } else { format!("holds {level}") };
    let full = match state.take(policy.burst(), at(now), policy).1 {
        Err(Wait::Nanos(nanos)) => format!("full in {}", span(nanos)),
        Ok(()) => "full".into(),
        Err(never) => panic!("the burst always fits: {never:?}"),
    };
    format!("{holds}, {full}")
}
