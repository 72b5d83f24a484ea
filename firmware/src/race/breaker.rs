//! One breaker, broken and mended by both sides: every failure, probe and transition is counted once.
//!
//! A round is a life: both sides report failures until it opens, the wait passes, and both send probes until it closes.
//! Each side holds its ticket for a while, so that the other one comes in between.

use super::{Side, Sides};
use crate::{Shared, board};
use core::time::Duration;
use fusebox_core::{Breaker, BreakerConfig, BreakerPolicy, Instant, Jitter, Outcome, State, Ticket, Transition, Trip};
use semihosting::println;

const ROUNDS: u32 = 400;
const FAILURES: u32 = 60;
const PROBES: u8 = 3;
const SUCCESSES: u8 = 15;
const WAIT: Duration = Duration::from_millis(1);

static BREAKER: Breaker = Breaker::new();
const POLICY: BreakerPolicy = match BreakerPolicy::new(BreakerConfig {
    trip: Trip::Consecutive(FAILURES),
    open_wait: WAIT,
    open_wait_factor_milli: 1_000,
    open_wait_max: WAIT,
    jitter: Jitter::None,
    probes: PROBES,
    required_successes: SUCCESSES,
    probe_lease: Duration::from_millis(30), // a round takes 2 ms of its clock
    ..BreakerConfig::DEFAULT
}) {
    Ok(policy) => policy,
    Err(_) => panic!("checked at compile time"),
};

/// The generations of one life, counted from its first.
const CLOSED: u8 = 0;
const HALF_OPEN: u8 = 2;
const AFTER: u8 = 3;

static NOW: Shared<Instant> = Shared::new(Instant::ORIGIN);
static LIFE: Shared<Life> = Shared::new(Life::NEW);
static SEEN: Shared<Seen> = Shared::new(Seen::NONE);
static HELD: Shared<Option<Ticket>> = Shared::new(None);

/// What one life has counted.
#[derive(Clone, Copy)]
struct Life {
    first_generation: u8,
    /// Tickets settled of the closed and of the half-open generation.
    settled: u64,
    probes_out: u8,
    /// Counted before a probe reports, and `probes_out` after it was admitted: neither makes a breaker look worse.
    successes: u8,
}

impl Life {
    const NEW: Self = Self { first_generation: 0, settled: 0, probes_out: 0, successes: 0 };
}

/// Who caused what, over all lives.
#[derive(Clone, Copy, Debug)]
struct Seen {
    probes: Sides,
    opened: Sides,
    half_opened: Sides,
    closed: Sides,
}

impl Seen {
    const NONE: Self = Self { probes: Sides::NONE, opened: Sides::NONE, half_opened: Sides::NONE, closed: Sides::NONE };
}

/// Races through all lives.
pub fn run() {
    for (round, period) in (1..).zip(super::periods(ROUNDS)) {
        live(round, period);
    }
    let seen = SEEN.get();
    for (what, sides) in [
        ("sent probes", seen.probes),
        ("opened it", seen.opened),
        ("let it half-open", seen.half_opened),
        ("closed it", seen.closed),
    ] {
        sides.expect_both(what);
    }
    println!("breaker: {ROUNDS} lives: {seen:?}");
}

fn live(round: u32, period: u32) {
    let before = BREAKER.snapshot(&POLICY, NOW.get());
    LIFE.replace(Life { first_generation: before.generation, ..Life::NEW });

    super::round(period, on_tick, || {
        while let Some(ticket) = admit(Side::Main) {
            settle(Side::Main, ticket);
        }
        pass(WAIT * 2);
        while SEEN.get().closed.sum() < round {
            if let Some(ticket) = admit(Side::Main) {
                board::delay(100);
                settle(Side::Main, ticket);
            }
        }
    });
    if let Some(ticket) = HELD.replace(None) {
        settle(Side::Main, ticket);
    }

    let (after, life, seen) = (BREAKER.snapshot(&POLICY, NOW.get()), LIFE.get(), SEEN.get());
    let transitions = [seen.opened.sum(), seen.half_opened.sum(), seen.closed.sum()];
    assert!(transitions == [round; 3], "in life {round} there were {transitions:?} transitions, period {period}");
    let generations = after.generation.wrapping_sub(before.generation);
    assert!(generations == 3, "a life of 3 transitions took {generations} generations, period {period}");
    let counted = u64::from(FAILURES) + u64::from(SUCCESSES) + after.stale - before.stale;
    assert!(life.settled == counted, "settled {}, counted {counted}, period {period}", life.settled);
    assert!((after.state, life.probes_out) == (State::Closed, 0), "something is in flight, period {period}");
}

/// The interrupt ends its last call and begins another.
fn on_tick() {
    if let Some(ticket) = HELD.replace(None) {
        settle(Side::Interrupt, ticket);
    }
    HELD.replace(admit(Side::Interrupt));
}

fn admit(side: Side) -> Option<Ticket> {
    let (ticket, transition) = BREAKER.admit(&POLICY, NOW.get()).ok()?;
    note(side, transition);
    if generation(&ticket) == HALF_OPEN {
        SEEN.update(|seen| seen.probes.add(side));
        let life = LIFE.update(|life| life.probes_out += 1);
        let allowed = PROBES.min(life.successes + 1);
        assert!(life.probes_out <= allowed, "{} probes are out, {allowed} may", life.probes_out);
    }
    Some(ticket)
}

fn settle(side: Side, ticket: Ticket) {
    let generation = generation(&ticket);
    if generation == HALF_OPEN {
        LIFE.update(|life| {
            life.successes += 1;
            life.probes_out -= 1;
        });
    }
    // what is admitted after the life is not of it
    if generation != AFTER {
        LIFE.update(|life| life.settled += 1);
    }
    let outcome = if generation == CLOSED { Outcome::Failure } else { Outcome::Success };
    note(side, BREAKER.settle(&POLICY, NOW.get(), ticket, outcome));
}

/// How many generations after the life's first the ticket was issued.
fn generation(ticket: &Ticket) -> u8 {
    ticket.generation().wrapping_sub(LIFE.get().first_generation)
}

fn note(side: Side, transition: Option<Transition>) {
    let Some(Transition { from, to, .. }) = transition else { return };
    SEEN.update(|seen| match (from, to) {
        (State::Closed, State::Open) => seen.opened.add(side),
        (State::Open, State::HalfOpen) => seen.half_opened.add(side),
        (State::HalfOpen, State::Closed) => seen.closed.add(side),
        _ => panic!("an unexpected transition from {from:?} to {to:?}"),
    });
}

fn pass(time: Duration) {
    NOW.update(|now| *now = now.saturating_add(time));
}
