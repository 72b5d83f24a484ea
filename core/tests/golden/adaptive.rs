//! The adaptive rate: cuts, pauses, and the way back up.

use super::table::{Cell, Table, span, wait};
use super::{MS, SECOND, START, at};
use core::time::Duration;
use fusebox_core::*;

const NOTE: &str = "\
Over a bucket with a burst of 8: at least a quarter of its rate; a cut leaves half; successes raise it by the whole in
64 s; a cooldown of 4 s; a pause of at most 60 s. The state is the share of the rate, in thousandths, and the *quiet*
or the pause (*held*) that ends 4 s after `S`. *Early*, *at* and *late* (an hour) are relative to the end of that, or,
where there is none, to 4 s after `S`. *Back* is 1 s before `S` and *far back* an hour. Times are kept in ticks of
1.05 ms, so both end up to a tick later; in the next state they are rounded to hundredths of a second. *Ask*:
when the answer to `scale` changes by time alone, and whether a new rate would do the same.";

const TICK: u64 = 1 << 20;
const LEFT: u64 = 4 * SECOND;
const END: u64 = (START + LEFT).next_multiple_of(TICK);

pub(crate) fn table() -> Table {
    let mut table = Table::new("Adaptive rate", NOTE);
    let bucket = BucketPolicy::new(Rate::per_second(1), Tokens::whole(8)).expect("in range");
    let config = AdaptiveConfig {
        floor_milli: 250,
        decrease_milli: 500,
        climb: Duration::from_secs(64),
        cooldown: Duration::from_secs(4),
        max_pause: Duration::from_secs(60),
    };
    let policy = AdaptivePolicy::new(config, &bucket).expect("in range");
    let ceiling = AdaptiveSnapshot::CEILING;
    let restored = |share, held, quiet| {
        let (held, quiet) = (Duration::from_nanos(held), Duration::from_nanos(quiet));
        AdaptiveState::restored(AdaptiveSnapshot { share, held, quiet }, at(START), &policy)
    };
    let starts = [
        ("never touched", AdaptiveState::NEW),
        ("half, rising since S", restored(ceiling / 2, 0, 0)),
        ("the least, rising since S", restored(ceiling / 4, 0, 0)),
        ("half, quiet", restored(ceiling / 2, 0, LEFT)),
        ("half, held", restored(ceiling / 2, LEFT, 0)),
    ];
    for (name, state) in starts {
        let mut enter = |event: &str, run: &dyn Fn(Instant) -> (AdaptiveState, String)| {
            let times = [
                ("far back", START - 3_600 * SECOND),
                ("back", START - SECOND),
                ("early", END - 1),
                ("at", END),
                ("late", START + 3_600 * SECOND),
            ];
            let results = times.map(|(when, now)| {
                let (next, verdict) = run(at(now));
                assert_eq!(AdaptiveRate::from_state(next).state(), next, "its word holds every state");
                let text = if next == state { "unchanged".into() } else { describe(next, now, &policy) };
                Cell { when, verdict, next: text }
            });
            table.enter(name, event, results.into());
        };
        enter("scale 1", &|now| {
            let (next, scaled) = state.scale(Tokens::ONE.into(), now, &policy);
            (next, scaled.map_or_else(wait, |demand| format!("costs {}", demand.cost)))
        });
        enter("ask", &|now| {
            let change = state.next_change(now, &policy).map(|then| then.as_nanos() - now.as_nanos());
            let change = change.map_or("stays".into(), |nanos| format!("changes in {}", span(nanos)));
            (state, change + if state.is_fresh(now, &policy) { ", as new" } else { "" })
        });
        for outcome in [Outcome::Success, Outcome::Failure, Outcome::Ignored, Outcome::Cancelled] {
            enter(&format!("{outcome:?}"), &|now| {
                let (next, adjustment) = state.settle(outcome, now, &policy);
                (next, format!("{adjustment:?}").to_lowercase())
            });
        }
        for pause in [2 * SECOND, 3_600 * SECOND] {
            enter(&format!("slow down for {}", span(pause)), &|now| {
                let (next, adjustment) = state.slow_down(pause, now, &policy);
                (next, format!("{adjustment:?}").to_lowercase())
            });
        }
    }
    table
}

fn describe(state: AdaptiveState, now: u64, policy: &AdaptivePolicy) -> String {
    let snapshot = state.snapshot(at(now), policy);
    let share = snapshot.share_milli();
    let left = |name: &str, left: Duration| {
        let hundredths = (left + Duration::from_millis(5)).as_millis() / 10;
        if hundredths == 0 { String::new() } else { format!(", {name} for {}", seconds(hundredths)) }
    };
    format!("{share}{}{}", left("held", snapshot.held), left("quiet", snapshot.quiet))
}

fn seconds(hundredths: u128) -> String {
    span(u64::try_from(hundredths).expect("a few seconds") * 10 * MS)
}
