//! A breaker with a window against a naive one: lists of calls, wide times, thresholds as they are written down.

mod support;

use core::time::Duration;
use fusebox_core::*;
use proptest::prelude::*;
use std::collections::VecDeque;
use support::*;

/// A call as the oracle keeps it.
#[derive(Clone, Copy, Debug)]
struct Call {
    failed: bool,
    slow: bool,
    /// The number of the slot in which it ended, without any wrapping.
    slot: i128,
}

/// What a window must do.
trait Oracle {
    fn record(&mut self, call: Call);
    fn forget(&mut self);
    fn counts(&mut self, now: u64) -> WindowCounts;
    fn capacity(&self) -> u64;
}

fn count<'a>(calls: impl Iterator<Item = &'a Call>) -> WindowCounts {
    let mut counts = WindowCounts::NONE;
    for call in calls {
        counts.calls += 1;
        counts.failures += u32::from(call.failed);
        counts.slow += u32::from(call.slow);
    }
    counts
}

/// The latest `size` calls.
struct Latest {
    size: usize,
    calls: VecDeque<Call>,
}

impl Oracle for Latest {
    fn record(&mut self, call: Call) {
        self.calls.push_back(call);
        if self.calls.len() > self.size {
            self.calls.pop_front();
        }
    }

    fn forget(&mut self) {
        self.calls.clear();
    }

    fn counts(&mut self, _: u64) -> WindowCounts {
        count(self.calls.iter())
    }

    fn capacity(&self) -> u64 {
        self.size as u64
    }
}

/// The calls of the latest `slots` slots of a clock that only goes forward.
struct Recent {
    slots: i128,
    length: i128,
    calls: Vec<Call>,
}

impl Oracle for Recent {
    fn record(&mut self, call: Call) {
        self.calls.push(call);
    }

    fn forget(&mut self) {
        self.calls.clear();
    }

    fn counts(&mut self, now: u64) -> WindowCounts {
        let slot = i128::from(now) / self.length;
        count(self.calls.iter().filter(|call| call.slot > slot - self.slots))
    }

    fn capacity(&self) -> u64 {
        u64::MAX
    }
}

fn reached(rate: &RateTrip, counts: WindowCounts, capacity: u64) -> bool {
    let share = |part: u32, rate: Option<u32>| {
        rate.is_some_and(|rate| f64::from(part) / f64::from(counts.calls) >= f64::from(rate) / 1_000.0)
    };
    let enough = u64::from(counts.calls) >= u64::from(rate.minimum_calls).min(capacity);
    enough && (share(counts.failures, rate.failure_rate_milli) || share(counts.slow, rate.slow_rate_milli))
        || rate.max_failures.is_some_and(|count| counts.failures >= count)
        || rate.max_slow.is_some_and(|count| counts.slow >= count)
}

/// One call of a run: how long after the one before it starts, how long it takes, how it ends.
#[derive(Clone, Debug)]
enum Turn {
    Call(u64, u64, Outcome),
    /// A call that is settled after the one that follows.
    Overtaken(u64, Outcome),
    Reset,
    Force(Forced),
}

fn turn() -> impl Strategy<Value = Turn> {
    let pause = || prop_oneof![6 => Just(0), 4 => 0..400 * MS, 1 => 0..20 * SECOND];
    let length = prop_oneof![3 => Just(0), 1 => Just(SECOND), 1 => 0..2 * SECOND];
    let outcome = || prop_oneof![10 => Just(Outcome::Success), 5 => Just(Outcome::Failure), 1 => outcome()];
    prop_oneof![
        60 => (pause(), length, outcome()).prop_map(|(pause, length, outcome)| Turn::Call(pause, length, outcome)),
        10 => (pause(), outcome()).prop_map(|(pause, outcome)| Turn::Overtaken(pause, outcome)),
        1 => Just(Turn::Reset),
        1 => prop_oneof![Just(Forced::Open), Just(Forced::Closed)].prop_map(Turn::Force),
    ]
}

fn rates() -> impl Strategy<Value = RateTrip> {
    let rate = || prop_oneof![1 => Just(None), 2 => (200_u32..=1_000).prop_map(Some)];
    let most = || prop_oneof![2 => Just(None), 1 => (2_u32..30).prop_map(Some)];
    (rate(), rate(), 1_u32..40, most(), most()).prop_filter_map(
        "at least one threshold",
        |(failure_rate_milli, slow_rate_milli, minimum_calls, max_failures, max_slow)| {
            let slow_call = Duration::from_secs(1);
            let rate =
                RateTrip { failure_rate_milli, slow_rate_milli, slow_call, minimum_calls, max_failures, max_slow };
            let config = BreakerConfig { trip: Trip::Rate(rate), ..BreakerConfig::DEFAULT };
            BreakerPolicy::new(config).ok().map(|_| rate)
        },
    )
}

fn agree<W: Window>(
    breaker: &Breaker<W>,
    oracle: &mut impl Oracle,
    rate: RateTrip,
    length: i128,
    turns: &[Turn],
) -> Result<(), TestCaseError> {
    let policy = breaker_with(rate);
    let mut now = SECOND + 500; // no slot begins at a time of this form, so that rounding decides nothing
    let mut late: Option<(Ticket, Outcome)> = None;
    for turn in turns {
        let mut settling: Vec<(Ticket, Outcome)> = Vec::new();
        match turn {
            Turn::Reset => {
                let _ = breaker.reset();
                oracle.forget();
            }
            Turn::Force(forced) => {
                if breaker.force(*forced).is_some() {
                    oracle.forget();
                }
            }
            Turn::Call(pause, length, outcome) => {
                now += pause / 1_000 * 1_000;
                if let Ok((ticket, _)) = breaker.admit(&policy, at(now)) {
                    now += length / 1_000 * 1_000;
                    settling.push((ticket, *outcome));
                    settling.extend(late.take());
                }
            }
            Turn::Overtaken(pause, outcome) => {
                now += pause / 1_000 * 1_000;
                if late.is_none()
                    && let Ok((ticket, _)) = breaker.admit(&policy, at(now))
                {
                    late = Some((ticket, *outcome));
                }
            }
        }
        for (ticket, outcome) in settling {
            let before = breaker.snapshot(&policy, at(now));
            let enters = matches!(before.state, State::Closed | State::ForcedClosed)
                && matches!(outcome, Outcome::Success | Outcome::Failure)
                && ticket.generation() == before.generation;
            let slow = at(now).saturating_since(ticket.issued()) >= rate.slow_call;
            if enters {
                oracle.record(Call { failed: outcome == Outcome::Failure, slow, slot: i128::from(now) / length });
            }
            let transition = breaker.settle(&policy, at(now), ticket, outcome);
            if before.state == State::Closed {
                let trips = enters && reached(&rate, oracle.counts(now), oracle.capacity());
                prop_assert_eq!(transition.is_some(), trips, "{:?} of {:?}", oracle.counts(now), rate);
            }
            if transition.is_some() {
                oracle.forget();
            }
        }
        let snapshot = breaker.snapshot(&policy, at(now));
        let expected = match snapshot.state {
            State::Closed | State::ForcedClosed => oracle.counts(now),
            _ => WindowCounts::NONE,
        };
        prop_assert_eq!(snapshot.window, expected, "after {:?}", turn);
    }
    Ok(())
}

fn breaker_with(rate: RateTrip) -> BreakerPolicy {
    breaker(BreakerConfig { trip: Trip::Rate(rate), cancelled_is_failure: false, ..BreakerConfig::DEFAULT })
}

proptest! {
    #[test]
    fn b2_b3_and_h7_a_count_window_holds_the_latest_calls_and_trips_on_them(
        size in prop_oneof![1_u32..6, 1_u32..=84, 26_u32..31, 54_u32..59],
        rate in rates(),
        turns in prop::collection::vec(turn(), 1..400),
    ) {
        let breaker = Breaker::with_window(CountWindow::<3>::new(size)?);
        agree(&breaker, &mut Latest { size: size as usize, calls: VecDeque::new() }, rate, 1, &turns)?;
    }

    #[test]
    fn b2_b3_and_h7_a_time_window_holds_the_latest_slots_and_trips_on_them(
        millis in 1_000_u64..20_000,
        rate in rates(),
        turns in prop::collection::vec(turn(), 1..400),
    ) {
        let breaker = Breaker::with_window(TimeWindow::<7>::new(Duration::from_millis(millis * 7))?);
        let length = i128::from(millis * MS);
        agree(&breaker, &mut Recent { slots: 7, length, calls: Vec::new() }, rate, length, &turns)?;
    }
}
