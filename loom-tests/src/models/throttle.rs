//! The throttle.

use super::noon;
use crate::model::{Model, Start, StartOf};
use core::time::Duration;
use fusebox_core::{Instant, Throttle, ThrottleConfig, ThrottlePolicy, ThrottleSnapshot, ThrottleState, Wait};

/// A throttle under one policy, and another to change to.
#[derive(Debug)]
pub struct Throttling {
    policy: ThrottlePolicy,
    other: ThrottlePolicy,
}

/// An operation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Op {
    /// Asks, with a draw.
    Admit(Instant, u64),
    /// Counts a call that was accepted, or not.
    Settle(Instant, bool),
    /// Changes to the other policy.
    Change(Instant),
}

/// What an operation returned.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Admitted, or not.
    Admitted(Result<(), Wait>),
    /// Nothing is returned.
    Done,
    /// Never: every operation has something to do.
    Nothing,
}

const NOW: Instant = noon(0);
const NEXT: Instant = noon(2_500);
const EARLY: Instant = noon(-60_000);
const HALF: u64 = u64::MAX / 2;

impl Throttling {
    /// Refuses what exceeds the accepted calls, over four seconds.
    pub fn new() -> Self {
        let policy = |seconds| {
            let window = Duration::from_secs(seconds);
            ThrottlePolicy::new(ThrottleConfig { ratio_milli: 1_000, padding: 1, window })
        };
        Self { policy: policy(4).expect("in range"), other: policy(6).expect("in range") }
    }
}

impl Default for Throttling {
    fn default() -> Self {
        Self::new()
    }
}

impl Model for Throttling {
    type State = ThrottleState;
    type Op = Op;
    type Verdict = Verdict;
    type Memory = ();
    type Shared = Throttle;
    type Tickets = ();

    fn starts(&self) -> Vec<StartOf<Self>> {
        let counted = |requests, accepts| {
            let counts = ThrottleSnapshot { requests, accepts, refused_milli: 0 };
            ThrottleState::with_counts(counts, NOW, &self.policy)
        };
        let start = |name, state| Start { name, state, before: vec![] };
        vec![
            start("never touched", ThrottleState::NEW),
            start("all accepted", counted(5, 5)),
            start("one refusal short of refusing half", counted(2, 1)),
            start("most refused", counted(9, 1)),
            start("full", counted(16_383, 9_000)),
        ]
    }

    fn ops(&self) -> Vec<Op> {
        vec![
            Op::Admit(NOW, 0),
            Op::Admit(NOW, HALF),
            Op::Admit(NEXT, HALF),
            Op::Admit(EARLY, 0),
            Op::Settle(NOW, true),
            Op::Settle(NOW, false),
            Op::Settle(NEXT, false),
            Op::Change(NOW),
        ]
    }

    fn step(&self, state: &mut ThrottleState, (): &mut (), op: Op) -> Option<Verdict> {
        let (next, verdict) = match op {
            Op::Admit(now, random) => {
                let (next, admitted) = state.admit(now, random, &self.policy);
                (next, Verdict::Admitted(admitted))
            }
            Op::Settle(now, accepted) => (state.settle(now, accepted, &self.policy), Verdict::Done),
            Op::Change(now) => (state.under(&self.policy, &self.other, now), Verdict::Done),
        };
        *state = next;
        Some(verdict)
    }

    fn nothing() -> Verdict {
        Verdict::Nothing
    }

    fn shared(&self, state: &ThrottleState) -> Throttle {
        Throttle::from_state(*state)
    }

    fn run(&self, throttle: &Throttle, (): &mut (), op: Op) -> Verdict {
        match op {
            Op::Admit(now, random) => return Verdict::Admitted(throttle.try_admit(&self.policy, now, random)),
            Op::Settle(now, accepted) => throttle.settle(&self.policy, now, accepted),
            Op::Change(now) => throttle.change_policy(&self.policy, &self.other, now),
        }
        Verdict::Done
    }

    fn state(&self, throttle: &Throttle) -> ThrottleState {
        throttle.state()
    }
}
