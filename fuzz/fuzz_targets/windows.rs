//! Breakers that trip on rates against [`Calls`], which keeps every call: the counts, and each trip.
#![no_main]

use arbitrary::{Arbitrary, Unstructured};
use core::fmt;
use core::time::Duration;
use fusebox_core::*;
use fusebox_fuzz::clock::{Hands, Move};
use fusebox_fuzz::shapes::End;
use fusebox_fuzz::window::{Calls, Extent};
use libfuzzer_sys::fuzz_target;

const SLOTS: usize = 5;
const WORDS: usize = 3;

#[derive(Arbitrary, Debug)]
struct Input {
    /// A count window of this size, or a time window of this span.
    window: AnyWindow,
    policies: [AnyTrip; 2],
    start: u32,
    only_ahead: bool,
    operations: Vec<(Move, Operation)>,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum AnyWindow {
    /// The latest calls, up to 84.
    Count(u8),
    /// Slots of a fifth of a second and so many milliseconds.
    Time(u16),
}

/// Thresholds, or failures in a row.
#[derive(Clone, Copy)]
struct AnyTrip(BreakerPolicy);

impl fmt::Debug for AnyTrip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}, cancelled is failure: {}", self.0.config().trip, self.0.config().cancelled_is_failure)
    }
}

impl<'a> Arbitrary<'a> for AnyTrip {
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let rate = RateTrip {
            failure_rate_milli: if u.ratio(3, 4)? { Some(u.int_in_range(1..=1_000)?) } else { None },
            slow_rate_milli: if u.arbitrary()? { Some(u.int_in_range(1..=1_000)?) } else { None },
            slow_call: Duration::from_millis(u.int_in_range(1..=3_000)?),
            minimum_calls: u.int_in_range(1..=100)?,
            max_failures: if u.ratio(1, 4)? { Some(u.int_in_range(1..=40)?) } else { None },
            max_slow: if u.ratio(1, 4)? { Some(u.int_in_range(1..=40)?) } else { None },
        };
        let trip = if u.ratio(1, 8)? { Trip::Consecutive(u.int_in_range(1..=6)?) } else { Trip::Rate(rate) };
        let cancelled_is_failure = u.arbitrary()?;
        BreakerPolicy::new(BreakerConfig { trip, cancelled_is_failure, ..BreakerConfig::DEFAULT })
            .map(Self)
            .map_err(|_| arbitrary::Error::IncorrectFormat) // no threshold at all
    }
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Operation {
    /// So many calls that end at once, up to 64.
    Calls(u8, End),
    /// A call that ends so many milliseconds later.
    Long(u16, End),
    Admit,
    /// Settles one of the calls under way.
    Settle(u8, End),
    SwapPolicy,
    Force(bool),
    Reset,
    /// Into a window of another size or span.
    Restore(AnyWindow),
}

struct Pair<W> {
    breaker: Breaker<W>,
    calls: Calls,
    under_way: Vec<Ticket>,
    /// Failures in a row under policies that count them.
    row: u64,
    /// A threshold may have been reached before anybody looked: the policy has changed, or the window was restored.
    unseen: bool,
}

impl<W: Window> Pair<W> {
    fn settle(&mut self, policy: &BreakerPolicy, ticket: Ticket, outcome: Outcome, now: Instant) {
        let before = self.breaker.snapshot(policy, now);
        let failed =
            outcome == Outcome::Failure || outcome == Outcome::Cancelled && policy.config().cancelled_is_failure;
        let counts = failed || outcome == Outcome::Success;
        let current = ticket.generation() == before.generation;
        let enters = counts && current && matches!(before.state, State::Closed | State::ForcedClosed);
        let slow = match policy.config().trip {
            Trip::Rate(rate) => now.saturating_since(ticket.issued()) >= rate.slow_call,
            _ => false,
        };
        if enters {
            self.calls.record(failed, slow, now.as_nanos());
        }
        let transition = self.breaker.settle(policy, now, ticket, outcome);
        if before.state == State::Closed && current {
            let expected = match policy.config().trip {
                Trip::Rate(rate) => {
                    self.row = if outcome == Outcome::Success { 0 } else { self.row };
                    enters && self.calls.reaches(&rate, now.as_nanos())
                }
                Trip::Consecutive(threshold) => {
                    self.row = if failed {
                        self.row + 1
                    } else if counts {
                        0
                    } else {
                        self.row
                    };
                    failed && self.row >= threshold.into()
                }
                _ => false,
            };
            // a fast success among as many as decide need not look again
            let need_not_look = self.unseen && !failed && !slow && self.calls.joined() >= policy_minimum(policy);
            if !(need_not_look && transition.is_none()) {
                assert_eq!(transition.is_some(), expected, "{outcome:?} slow {slow}: {:?}", self.calls);
                self.unseen &= !enters;
            }
        } else if matches!(before.state, State::ForcedClosed) {
            assert_eq!(transition, None);
        }
        if transition.is_some() {
            self.forget();
        }
    }

    fn forget(&mut self) {
        self.calls.forget();
        (self.row, self.unseen) = (0, false);
    }

    fn check(&self, policy: &BreakerPolicy, now: Instant) -> BreakerSnapshot {
        let snapshot = self.breaker.snapshot(policy, now);
        let counted = matches!(snapshot.state, State::Closed | State::ForcedClosed);
        let expected = if counted { self.calls.counts(now.as_nanos()) } else { WindowCounts::NONE };
        assert_eq!(snapshot.window, expected, "{:?}", self.calls);
        if let (State::Closed, Trip::Rate(_) | Trip::Consecutive(_)) = (snapshot.state, policy.config().trip) {
            assert_eq!(u64::from(snapshot.failures), self.row);
        }
        snapshot
    }
}

fn policy_minimum(policy: &BreakerPolicy) -> usize {
    match policy.config().trip {
        Trip::Rate(rate) => rate.minimum_calls as usize,
        _ => 0,
    }
}

/// Makes a window of the same kind.
trait Made: Window + Sized {
    fn made(window: AnyWindow) -> (Self, Extent);
}

impl Made for CountWindow<WORDS> {
    fn made(window: AnyWindow) -> (Self, Extent) {
        let size = match window {
            AnyWindow::Count(size) => u16::from(size),
            AnyWindow::Time(size) => size,
        };
        let size = 1 + u32::from(size) % 84;
        (Self::new(size).expect("1 to 84"), Extent::Count(size as usize))
    }
}

impl Made for TimeWindow<SLOTS> {
    fn made(window: AnyWindow) -> (Self, Extent) {
        let more = match window {
            AnyWindow::Count(more) => u16::from(more),
            AnyWindow::Time(more) => more,
        };
        let length = Duration::from_millis(200 + u64::from(more));
        let window = Self::new(length * 5).expect("a second at least");
        let length = u64::try_from(length.as_nanos()).expect("a minute or so");
        (window, Extent::Time { slots: SLOTS as i128, length })
    }
}

fn drive<W: Made>(input: Input) {
    let Input { window, policies: [mut policy, mut other], start, only_ahead, operations } = input;
    let (window, mut extent) = W::made(window);
    let mut pair = Pair {
        breaker: Breaker::with_window(window),
        calls: Calls::new(extent),
        under_way: Vec::new(),
        row: 0,
        unseen: false,
    };
    let mut hands = Hands::at(start.into(), only_ahead);
    let (mut generations, mut generation) = (0_u32, 0_u8);
    for (by, operation) in operations.into_iter().take(80) {
        hands.turn(by);
        let mut now = off_the_edge(&mut hands, extent);
        match operation {
            Operation::Calls(calls, end) => {
                for _ in 0..=calls % 64 {
                    let Ok((ticket, caused)) = pair.breaker.admit(&policy.0, now) else { break };
                    if caused.is_some() {
                        pair.forget();
                    }
                    pair.settle(&policy.0, ticket, end.into(), now);
                }
            }
            Operation::Long(millis, end) => {
                if let Ok((ticket, caused)) = pair.breaker.admit(&policy.0, now) {
                    if caused.is_some() {
                        pair.forget();
                    }
                    hands.turn(Move::Millis(millis));
                    now = off_the_edge(&mut hands, extent);
                    pair.settle(&policy.0, ticket, end.into(), now);
                }
            }
            Operation::Admit => match pair.breaker.admit(&policy.0, now) {
                Ok((ticket, caused)) => {
                    if caused.is_some() {
                        pair.forget();
                    }
                    pair.under_way.push(ticket);
                }
                Err(wait) => hands.told(wait),
            },
            Operation::Settle(call, end) => {
                if !pair.under_way.is_empty() {
                    let ticket = pair.under_way.swap_remove(usize::from(call) % pair.under_way.len());
                    pair.settle(&policy.0, ticket, end.into(), now);
                }
            }
            Operation::SwapPolicy => {
                core::mem::swap(&mut policy, &mut other);
                pair.unseen = true;
            }
            Operation::Force(open) => {
                if pair.breaker.force(if open { Forced::Open } else { Forced::Closed }).is_some() {
                    pair.forget();
                }
            }
            Operation::Reset => {
                let _ = pair.breaker.reset();
                pair.forget();
            }
            Operation::Restore(window) => {
                let snapshot = pair.check(&policy.0, now);
                let (window, new) = W::made(window);
                extent = new;
                now = off_the_edge(&mut hands, extent);
                pair.breaker = Breaker::restore_window(snapshot, window, now);
                pair.calls = Calls::new(extent);
                pair.calls.refill(snapshot.window, hands.now);
                pair.unseen = true;
            }
        }
        let snapshot = pair.check(&policy.0, now);
        generations += u32::from(snapshot.generation.wrapping_sub(generation));
        generation = snapshot.generation;
        if generations > 250 {
            break; // a ticket is not told from one 256 generations older
        }
    }
}

/// The reading, moved a little where it lies so close to the beginning of a slot that rounding would decide.
fn off_the_edge(hands: &mut Hands, extent: Extent) -> Instant {
    if let Extent::Time { length, .. } = extent
        && hands.now % length < 2
    {
        hands.now = hands.now.saturating_add(2);
    }
    hands.reading()
}

fn run(input: Input) {
    match input.window {
        AnyWindow::Count(_) => drive::<CountWindow<WORDS>>(input),
        AnyWindow::Time(_) => drive::<TimeWindow<SLOTS>>(input),
    }
}

fuzz_target!(|input: Input| run(input));
