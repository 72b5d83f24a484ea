//! The breaker without a window: five modes, and a half-open one with every count of probes.

use super::table::{Cell, Table, span, wait};
use super::{MS, SECOND, START, at};
use core::time::Duration;
use fusebox_core::*;

const LEASE: u64 = 5 * SECOND;
const GENERATION: u8 = 255;
const OUTCOMES: [Outcome; 4] = [Outcome::Success, Outcome::Failure, Outcome::Ignored, Outcome::Cancelled];

const CONFIG: BreakerConfig = BreakerConfig {
    trip: Trip::Consecutive(3),
    open_wait: Duration::from_secs(10),
    open_wait_factor_milli: 2_000,
    open_wait_max: Duration::from_secs(60),
    jitter: Jitter::None,
    seed: 0,
    probes: 2,
    required_successes: 2,
    probe_lease: Duration::from_nanos(LEASE),
    cancelled_is_failure: false,
};

const NOTE: &str = "\
Trips after 3 failures in a row. Open for 10 s, then 20 s, 40 s and at most 60 s, without jitter. At most 2 probes,
which must succeed twice; a lease of 5 s. Generation 255, so that the next one is 0.

*Early*, *at* and *late* are relative to the end of the open wait, or of the latest probe's lease; a closed or forced
breaker looks at no time. *Late* is the end of the clock and *back* is 1 s before `S`. An *earlier probe* was admitted
1 s before the latest. States that no sequence of calls reaches, such as more probes than the ramp allows, come from
a policy that was changed meanwhile or from a restored snapshot.";

pub(crate) fn table() -> Table {
    let mut table = Table::new("Breaker", NOTE);
    let policy = policy(CONFIG);
    for start in starts() {
        let state = BreakerState::restored(start);
        let name = named(start, START);
        let boundary = match start.state {
            State::Open => START + open_wait(start.streak),
            _ => START + LEASE,
        };
        let mut enter = |event: &str, run: &dyn Fn(u64) -> (BreakerState, Did)| {
            let times = [("back", START - SECOND), ("early", boundary - 1), ("at", boundary), ("late", u64::MAX)];
            table.enter(&name, event, times.map(|(when, now)| cell(when, state, run(now), now, &policy)).into());
        };

        enter("admit", &|now| admit(state, now, &policy));
        enter("next change", &|now| {
            let after = state.next_change(at(now), &policy).map(|then| format!("in {}", span(then.as_nanos() - now)));
            (state, (after.unwrap_or("not by time alone, or not refused".into()), None))
        });
        let issuers: &[(&str, u64)] = match start.state {
            State::HalfOpen => &[(", latest probe", START), (", earlier probe", START - SECOND)],
            _ => &[("", START - SECOND)],
        };
        for (issuer, issued) in issuers {
            let stamp = stamp(GENERATION, *issued);
            for outcome in OUTCOMES {
                enter(&format!("{outcome:?}{issuer}"), &|now| settle(state, stamp, outcome, now, &policy));
            }
        }
        let older = stamp(GENERATION - 1, START);
        for outcome in OUTCOMES {
            enter(&format!("{outcome:?}, older generation"), &|now| settle(state, older, outcome, now, &policy));
        }
        for forced in [Forced::Open, Forced::Closed] {
            enter(&format!("force {}", format!("{forced:?}").to_lowercase()), &|_| told(state.force(forced)));
        }
        enter("reset", &|_| told(state.reset()));
    }
    table
}

const OTHERS: &str = "\
Rules of a policy that the table above does not show, from the states in which they
matter, 1 s after `S`.";

/// What other policies do where they differ.
pub(crate) fn other_policies() -> Table {
    let mut table = Table::new("Breaker under other policies", OTHERS);
    let closed = |failures| BreakerSnapshot { failures, ..snapshot(State::Closed) };
    let rate = |max_failures| Trip::Rate(RateTrip { minimum_calls: 4, max_failures, ..RateTrip::DEFAULT });
    let cases = [
        ("trips after 1 failure", BreakerConfig { trip: Trip::Consecutive(1), ..CONFIG }, closed(0)),
        ("never trips", BreakerConfig { trip: Trip::Never, ..CONFIG }, closed(u32::MAX)),
        ("half of at least 4 calls, no window", BreakerConfig { trip: rate(None), ..CONFIG }, closed(2)),
        ("half of at least 4 calls, no window", BreakerConfig { trip: rate(None), ..CONFIG }, closed(3)),
        ("the same or 2 failures, no window", BreakerConfig { trip: rate(Some(2)), ..CONFIG }, closed(1)),
        ("Cancelled is a failure", BreakerConfig { cancelled_is_failure: true, ..CONFIG }, closed(2)),
        ("Cancelled is a failure", BreakerConfig { cancelled_is_failure: true, ..CONFIG }, probing(1, 0, 0)),
        ("1 success closes", BreakerConfig { required_successes: 1, ..CONFIG }, probing(1, 0, 0)),
        ("at most 1 probe", BreakerConfig { probes: 1, ..CONFIG }, probing(1, 1, 0)),
    ];
    for (name, config, start) in cases {
        let (policy, state) = (policy(config), BreakerState::restored(start));
        let name = format!("{name}: {}", named(start, START));
        for outcome in OUTCOMES {
            let step = settle(state, stamp(GENERATION, START), outcome, START + SECOND, &policy);
            let cells = vec![cell("at", state, step, START + SECOND, &policy)];
            table.enter(&name, &format!("{outcome:?}"), cells);
        }
    }
    table
}

fn starts() -> Vec<BreakerSnapshot> {
    let closed = |failures| BreakerSnapshot { failures, ..snapshot(State::Closed) };
    let open = |streak| BreakerSnapshot { streak, since: Some(at(START)), ..snapshot(State::Open) };
    let forced_closed = |failures| BreakerSnapshot { failures, ..snapshot(State::ForcedClosed) };
    let mut starts = vec![closed(0), closed(1), closed(2), closed(3), closed(u32::MAX), open(0), open(1), open(15)];
    starts.extend([snapshot(State::ForcedOpen), forced_closed(0), forced_closed(2)]);
    for successes in 0..=1 {
        starts.extend((0..=successes + 2).map(|outstanding| probing(outstanding, successes, 0)));
    }
    starts.push(probing(1, 0, 15));
    starts
}

fn snapshot(state: State) -> BreakerSnapshot {
    BreakerSnapshot { state, generation: GENERATION, ..BreakerSnapshot::default() }
}

fn probing(outstanding: u8, successes: u8, streak: u8) -> BreakerSnapshot {
    BreakerSnapshot { outstanding, successes, streak, since: Some(at(START)), ..snapshot(State::HalfOpen) }
}

fn policy(config: BreakerConfig) -> BreakerPolicy {
    BreakerPolicy::new(config).expect("in range")
}

/// The wait as `NOTE` states it.
fn open_wait(streak: u8) -> u64 {
    [10, 20, 40].get(usize::from(streak)).copied().unwrap_or(60) * SECOND
}

/// A call of `generation` that was admitted at `issued`.
fn stamp(generation: u8, issued: u64) -> Stamp {
    let closed = BreakerState::restored(BreakerSnapshot { generation, ..snapshot(State::Closed) });
    match closed.admit(at(issued), &BreakerPolicy::DEFAULT).1 {
        Admission::Admitted(stamp, None) => {
            assert_eq!((stamp.generation(), stamp.issued()), (generation, at(issued)), "a stamp tells what it holds");
            stamp
        }
        other => panic!("closed: {other:?}"),
    }
}

/// A verdict, and the transition that came with it.
type Did = (String, Option<Transition>);

fn admit(state: BreakerState, now: u64, policy: &BreakerPolicy) -> (BreakerState, Did) {
    let refusal = state.refusal(at(now), policy);
    match state.admit(at(now), policy) {
        (next, Admission::Admitted(_, transition)) => {
            assert_eq!(refusal, None, "what is admitted is not said to be refused");
            (next, ("admitted".into(), transition))
        }
        (next, Admission::Refused(refused)) => {
            assert_eq!(refusal, Some(refused), "a refusal is said before as it is met");
            (next, (wait(refused), None))
        }
    }
}

fn settle(s: BreakerState, stamp: Stamp, outcome: Outcome, now: u64, policy: &BreakerPolicy) -> (BreakerState, Did) {
    match s.settle(stamp, outcome, at(now), policy) {
        (next, Settled::Counted(transition)) => (next, ("counted".into(), transition)),
        (next, Settled::Stale) => (next, ("stale".into(), None)),
    }
}

fn told((next, transition): (BreakerState, Option<Transition>)) -> (BreakerState, Did) {
    (next, (if transition.is_some() { "told" } else { "nothing to tell" }.into(), transition))
}

fn cell(when: &'static str, before: BreakerState, step: (BreakerState, Did), now: u64, p: &BreakerPolicy) -> Cell {
    let (next, (mut verdict, transition)) = step;
    if let Some(Transition { from, to, cause }) = transition {
        assert_eq!((from, to), (before.state(), next.state()), "a transition names the states on both its sides");
        verdict.push_str(&format!(": {cause:?}"));
    }
    let next = if next == before { "unchanged".into() } else { arrow(next.snapshot(at(now), p), now) };
    Cell { when, verdict, next }
}

fn arrow(next: BreakerSnapshot, now: u64) -> String {
    let arrow = match next.generation {
        GENERATION => "",
        _ => "→ ",
    };
    assert!([GENERATION, GENERATION.wrapping_add(1)].contains(&next.generation), "one generation at a time");
    format!("{arrow}{}", named(next, now))
}

fn named(snapshot: BreakerSnapshot, now: u64) -> String {
    let BreakerSnapshot { failures, streak, outstanding, successes, .. } = snapshot;
    let since = snapshot.since.map(|since| match since.as_nanos() {
        START => String::new(),
        since if now.checked_sub(since).is_some_and(|rounding| rounding < 9 * MS) => ", since now".into(),
        since => format!(", since {}", span(since)),
    });
    let since = since.unwrap_or_default();
    let streak = if streak > 0 { format!(", streak {streak}") } else { String::new() };
    match snapshot.state {
        State::Closed => format!("closed, {failures} failed"),
        State::Open => format!("open{streak}{since}"),
        State::HalfOpen => format!("half-open, {outstanding} out, {successes} ok{streak}{since}"),
        State::ForcedOpen => "forced open".into(),
        State::ForcedClosed => format!("forced closed, {failures} failed"),
    }
}
