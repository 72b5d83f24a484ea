//! The throttle: what is refused by which draw, and how counts fade.

use super::table::{Cell, Table, span, wait};
use super::{SECOND, START, at};
use core::time::Duration;
use fusebox_core::*;

const NOTE: &str = "\
Refuses (requests - 2 x accepts) / (requests + 8) of the calls; a window of 60 s, so counts halve every 30 s. The state
is *requests / accepts*. The lowest draw is refused first, the highest never. *Early*, *at* and *late* (an hour) are
relative to the end of the half window that contains `S`, *back* is half a window before `S`, *far back* an hour. *Ask*:
the share refused, when the counts halve, and whether a new throttle would do the same.";

/// A length of which `START` is not a multiple; the half window that contains it begins 4 s before.
const HALF: u64 = 30 * SECOND;

pub(crate) fn table() -> Table {
    let mut table = Table::new("Throttle", NOTE);
    let config = ThrottleConfig { ratio_milli: 2_000, padding: 8, window: Duration::from_nanos(2 * HALF) };
    let policy = ThrottlePolicy::new(config).expect("in range");
    for (requests, accepts) in [(0, 0), (4, 2), (12, 1), (16_383, 0), (16_383, 16_383)] {
        let counts = ThrottleSnapshot { requests, accepts, refused_milli: 0 };
        let state = ThrottleState::with_counts(counts, at(START), &policy);
        let mut enter = |event: &str, run: &dyn Fn(Instant) -> (ThrottleState, String)| {
            let boundary = START - START % HALF + HALF;
            let times = [
                ("far back", START - 3_600 * SECOND),
                ("back", START - HALF),
                ("early", boundary - 1),
                ("at", boundary),
                ("late", START + 3_600 * SECOND),
            ];
            let results = times.map(|(when, now)| {
                let (next, verdict) = run(at(now));
                assert_eq!(Throttle::from_state(next).state(), next, "its word holds every state");
                let ThrottleSnapshot { requests, accepts, .. } = next.counts(at(now), &policy);
                let counts = format!("{requests} / {accepts}");
                Cell { when, verdict, next: if next == state { format!("unchanged: {counts}") } else { counts } }
            });
            table.enter(&format!("{requests} / {accepts}"), event, results.into());
        };
        for (draw, random) in [("lowest", 0), ("middle", 1 << 63), ("highest", u64::MAX)] {
            enter(&format!("admit, {draw} draw"), &|now| {
                let (next, admitted) = state.admit(now, random, &policy);
                (next, admitted.map_or_else(wait, |()| "admitted".into()))
            });
        }
        enter("ask", &|now| {
            let change = state.next_change(now, &policy).map(|nanos| format!("changes in {}", span(nanos)));
            let share = state.counts(now, &policy).refused_milli;
            let fresh = if state.is_fresh(now, &policy) { ", as new" } else { "" };
            (state, format!("refuses {share} of 1000, {}{fresh}", change.unwrap_or("stays".into())))
        });
        for (event, accepted) in [("accepted", true), ("not accepted", false)] {
            enter(event, &|now| (state.settle(now, accepted, &policy), "counted".into()));
        }
    }
    table
}
