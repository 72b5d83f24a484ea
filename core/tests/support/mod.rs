//! What the tests share: hostile times, random operations on a breaker, short names, a clock that a test moves.

#![allow(dead_code, reason = "every test file uses a part of it")]

use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use fusebox_core::*;
use proptest::prelude::*;
use proptest::sample::Index;

pub(crate) mod booked;
pub(crate) mod budget;
pub(crate) mod exact;
pub(crate) mod naive_budget;
pub(crate) mod naive_throttle;

pub(crate) const MS: u64 = 1_000_000;
pub(crate) const SECOND: u64 = 1_000 * MS;
pub(crate) const DAY: u64 = 86_400 * SECOND;

/// The documented rounding of an open wait and of a lease: they end at most this much early.
pub(crate) const OPEN_TICK: u64 = 1 << 15;
pub(crate) const PROBE_TICK: u64 = 1 << 23;

pub(crate) const fn at(nanos: u64) -> Instant {
    Instant::from_nanos(nanos)
}

pub(crate) fn breaker(config: BreakerConfig) -> BreakerPolicy {
    BreakerPolicy::new(config).expect("the test's policy is in range")
}

pub(crate) fn bucket(tokens: u64, per: Duration, burst: Tokens) -> BucketPolicy {
    BucketPolicy::new(Rate { tokens, per }, burst).expect("the test's policy is in range")
}

pub(crate) fn bulkhead(cap: u32) -> BulkheadPolicy {
    BulkheadPolicy::new(cap).expect("the test's policy is in range")
}

/// A clock that stands until the test moves it; shared by threads.
#[derive(Debug, Default)]
pub(crate) struct TestClock(AtomicU64);

impl TestClock {
    pub(crate) const fn starting_at(nanos: u64) -> Self {
        Self(AtomicU64::new(nanos))
    }

    pub(crate) fn set(&self, nanos: u64) {
        self.0.store(nanos, Ordering::SeqCst);
    }

    pub(crate) fn advance(&self, nanos: u64) -> u64 {
        self.0.fetch_add(nanos, Ordering::SeqCst) + nanos
    }
}

impl Clock for TestClock {
    fn now(&self) -> Instant {
        at(self.0.load(Ordering::SeqCst))
    }
}

/// How the clock moves before an operation.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Move {
    Ahead(u64),
    Back(u64),
    To(u64),
}

impl Move {
    pub(crate) fn from(self, now: u64) -> u64 {
        match self {
            Self::Ahead(step) => now.saturating_add(step),
            Self::Back(step) => now.saturating_sub(step),
            Self::To(nanos) => nanos,
        }
    }
}

/// Steps of every size, from standing still to ten minutes; none goes back.
pub(crate) fn forward() -> impl Strategy<Value = Move> {
    prop_oneof![
        3 => Just(0),
        4 => 0..100 * MS,
        3 => 0..5 * SECOND,
        1 => 0..600 * SECOND,
        1 => Just(OPEN_TICK - 1),
        1 => Just(PROBE_TICK),
    ]
    .prop_map(Move::Ahead)
}

/// Steps ahead and back, and jumps to anywhere, both ends included.
pub(crate) fn hostile() -> impl Strategy<Value = Move> {
    prop_oneof![
        12 => forward(),
        2 => (0..10 * SECOND).prop_map(Move::Back),
        1 => Just(Move::To(0)),
        1 => Just(Move::To(u64::MAX)),
        1 => any::<u64>().prop_map(Move::To),
    ]
}

pub(crate) fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        3 => Just(Outcome::Success),
        4 => Just(Outcome::Failure),
        1 => Just(Outcome::Ignored),
        1 => Just(Outcome::Cancelled),
    ]
}

/// Small policies of every shape: what they do shows within a few operations.
pub(crate) fn small_policy() -> impl Strategy<Value = BreakerPolicy> {
    let jitter = prop_oneof![Just(Jitter::None), Just(Jitter::Equal), Just(Jitter::Full)];
    let trip = prop_oneof![6 => (1_u32..4).prop_map(Trip::Consecutive), 1 => Just(Trip::Never)];
    (trip, 1_u8..5, 1_u8..5, jitter, any::<u64>(), any::<bool>(), 1_000_u32..4_000, 20_u64..400).prop_map(
        |(trip, probes, required_successes, jitter, seed, cancelled_is_failure, open_wait_factor_milli, lease)| {
            breaker(BreakerConfig {
                trip,
                open_wait: Duration::from_millis(50),
                open_wait_factor_milli,
                open_wait_max: Duration::from_secs(2),
                jitter,
                seed,
                probes,
                required_successes,
                probe_lease: Duration::from_millis(lease),
                cancelled_is_failure,
            })
        },
    )
}

#[derive(Clone, Debug)]
pub(crate) enum Action {
    Admit,
    /// Settles one of the calls under way.
    Settle(Index, Outcome),
    Force(Forced),
    Reset,
}

pub(crate) type Operation = (Move, Action);

/// Admissions and outcomes, and now and then an operator.
pub(crate) fn operation(time: impl Strategy<Value = Move>) -> impl Strategy<Value = Operation> {
    let action = prop_oneof![
        30 => Just(Action::Admit),
        40 => (any::<Index>(), outcome()).prop_map(|(index, outcome)| Action::Settle(index, outcome)),
        1 => prop_oneof![Just(Forced::Open), Just(Forced::Closed)].prop_map(Action::Force),
        2 => Just(Action::Reset),
    ];
    (time, action)
}

/// Fewer than 256 operations, so that a generation does not wrap.
pub(crate) fn operations(time: impl Strategy<Value = Move>) -> impl Strategy<Value = Vec<Operation>> {
    prop::collection::vec(operation(time), 1..50)
}

/// What one operation did. Calls are numbered in the order of their admission.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Event {
    Admitted(usize, Stamp, Option<Transition>),
    Refused(Wait),
    Settled(usize, Stamp, Outcome, Settled),
    Forced(Forced, Option<Transition>),
    Reset(Option<Transition>),
}

impl Event {
    pub(crate) fn transition(&self) -> Option<Transition> {
        match self {
            Self::Admitted(_, _, transition) | Self::Forced(_, transition) | Self::Reset(transition) => *transition,
            Self::Settled(_, _, _, Settled::Counted(transition)) => *transition,
            Self::Refused(_) | Self::Settled(_, _, _, Settled::Stale) => None,
        }
    }
}

/// One operation of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) before: BreakerState,
    pub(crate) event: Event,
    pub(crate) after: BreakerState,
    pub(crate) now: u64,
}

/// Drives the pure step through `operations`; the policies take turns.
pub(crate) fn run(policies: &[BreakerPolicy], operations: &[Operation]) -> Vec<Step> {
    let (mut state, mut now, mut calls) = (BreakerState::NEW, 0, 0);
    let mut under_way: Vec<(usize, Stamp)> = Vec::new();
    let mut steps = Vec::new();
    for ((time, action), policy) in operations.iter().zip(policies.iter().cycle()) {
        now = time.from(now);
        let before = state;
        let event = match action {
            Action::Admit => {
                let (next, admission) = state.admit(at(now), policy);
                state = next;
                match admission {
                    Admission::Admitted(stamp, transition) => {
                        under_way.push((calls, stamp));
                        calls += 1;
                        Event::Admitted(calls - 1, stamp, transition)
                    }
                    Admission::Refused(wait) => Event::Refused(wait),
                }
            }
            Action::Settle(_, _) if under_way.is_empty() => continue,
            Action::Settle(index, outcome) => {
                let (call, stamp) = under_way.swap_remove(index.index(under_way.len()));
                let (next, settled) = state.settle(stamp, *outcome, at(now), policy);
                state = next;
                Event::Settled(call, stamp, *outcome, settled)
            }
            Action::Force(forced) => {
                let (next, transition) = state.force(*forced);
                state = next;
                Event::Forced(*forced, transition)
            }
            Action::Reset => {
                let (next, transition) = state.reset();
                state = next;
                Event::Reset(transition)
            }
        };
        steps.push(Step { before, event, after: state, now });
    }
    steps
}

/// The state and the time after a run.
pub(crate) fn end_of(steps: &[Step]) -> (BreakerState, u64) {
    steps.last().map_or((BreakerState::NEW, 0), |step| (step.after, step.now))
}
