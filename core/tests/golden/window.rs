//! The closed breaker with a window: which outcome reaches a threshold, and what the window then holds.

use super::table::{Cell, Table};
use super::{SECOND, START, at};
use core::time::Duration;
use fusebox_core::*;

const SLOW: u64 = 2 * SECOND;
const SPAN: u64 = 10 * SECOND;

fn policy() -> BreakerPolicy {
    let rate = RateTrip {
        failure_rate_milli: Some(500),
        slow_rate_milli: Some(750),
        slow_call: Duration::from_nanos(SLOW),
        minimum_calls: 4,
        max_failures: Some(5),
        max_slow: None,
    };
    BreakerPolicy::new(BreakerConfig { trip: Trip::Rate(rate), ..BreakerConfig::DEFAULT }).expect("in range")
}

const COUNT: &str = "\
The latest 10 calls; opens when, of at least 4, half failed or three quarters were slow (2 s or longer), or when 5
failed. The event is the end of a call that began at `S`; *early*, *at* and *late* are relative to its being slow. A
state is *calls / failed / slow*.";

pub(crate) fn by_count() -> Table {
    let mut table = Table::new("Breaker with a count window", COUNT);
    for (calls, failures, slow) in [
        (0, 0, 0),
        (2, 2, 0),
        (3, 0, 0),
        (3, 1, 0),
        (3, 2, 0),
        (3, 0, 2),
        (3, 0, 3),
        (9, 4, 0),
        (10, 0, 0),
        (10, 4, 0),
        (10, 0, 7),
    ] {
        let counts = WindowCounts { calls, failures, slow };
        for outcome in [Outcome::Success, Outcome::Failure, Outcome::Ignored, Outcome::Cancelled] {
            let results = [("early", SLOW - 1), ("at", SLOW), ("late", 3_600 * SECOND)].map(|(when, took)| {
                let window = CountWindow::<4>::new(10).expect("in range");
                let breaker = Breaker::restore_window(holding(counts), window, at(START));
                cell(when, &breaker, START, START + took, outcome)
            });
            table.enter(&text(counts), &format!("{outcome:?}"), results.into());
        }
    }
    table
}

const TIME: &str = "\
The calls of the latest 10 s in slots of 1 s, under the same thresholds. The state's calls ended in one slot, that of
`S`; the event is a call that begins and ends at one time. The window moves by whole slots: *early* is in the last slot
in which it still has them, *at* in the next one, *late* an hour after. *Back* is 5 s before `S`, and *far back* 1 h.";

pub(crate) fn by_time() -> Table {
    let mut table = Table::new("Breaker with a time window", TIME);
    for (calls, failures, slow) in [(0, 0, 0), (3, 1, 0), (3, 2, 0), (3, 3, 0), (9, 4, 0)] {
        let counts = WindowCounts { calls, failures, slow };
        for outcome in [Outcome::Success, Outcome::Failure, Outcome::Cancelled] {
            let times = [
                ("far back", START - 3_600 * SECOND),
                ("back", START - 5 * SECOND),
                ("early", START + SPAN - SECOND / 4),
                ("at", START + SPAN + SECOND / 4),
                ("late", START + 3_600 * SECOND),
            ];
            let results = times.map(|(when, now)| {
                let window = TimeWindow::<10>::new(Duration::from_nanos(SPAN)).expect("in range");
                let breaker = Breaker::restore_window(holding(counts), window, at(START + SECOND / 2));
                cell(when, &breaker, now, now, outcome)
            });
            table.enter(&text(counts), &format!("{outcome:?}"), results.into());
        }
    }
    table
}

fn holding(window: WindowCounts) -> BreakerSnapshot {
    BreakerSnapshot { window, ..BreakerSnapshot::default() }
}

fn cell<W: Window>(when: &'static str, breaker: &Breaker<W>, issued: u64, ends: u64, outcome: Outcome) -> Cell {
    let policy = policy();
    let (ticket, _) = breaker.admit(&policy, at(issued)).expect("closed");
    let transition = breaker.settle(&policy, at(ends), ticket, outcome);
    let after = breaker.snapshot(&policy, at(ends));
    let verdict = match transition {
        Some(Transition { from: State::Closed, to: State::Open, cause }) => format!("counted: {cause:?}"),
        None => "counted".into(),
        other => panic!("closed: {other:?}"),
    };
    let next = match after.state {
        State::Closed => text(after.window),
        State::Open => {
            assert_eq!(after.window, WindowCounts::NONE, "an open breaker starts afresh");
            "→ open since now".into()
        }
        other => panic!("from closed to {other:?}"),
    };
    Cell { when, verdict, next }
}

fn text(WindowCounts { calls, failures, slow }: WindowCounts) -> String {
    format!("{calls} / {failures} / {slow}")
}
