//! The rate that adapts.

use super::noon;
use crate::model::{Model, Start, StartOf};
use core::time::Duration;
use fusebox_core::{
    AdaptiveConfig, AdaptivePolicy, AdaptiveRate, AdaptiveState, Adjustment, BucketPolicy, Demand, Instant, Outcome,
    Rate, Tokens, Wait,
};

/// A rate under one policy, and another to change to.
#[derive(Debug)]
pub struct Adapting {
    policy: AdaptivePolicy,
    other: AdaptivePolicy,
}

/// An operation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Op {
    /// Asks what a token costs.
    Scale(Instant),
    /// Learns how a call ended.
    Settle(Outcome, Instant),
    /// Learns of a pause.
    SlowDown(Instant),
    /// Changes to the other policy.
    Change,
}

/// What an operation returned.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// The demand, scaled.
    Scaled(Result<Demand, Wait>),
    /// What became of the rate.
    Adjusted(Adjustment),
    /// Nothing is returned.
    Done,
    /// Never: every operation has something to do.
    Nothing,
}

const NOW: Instant = noon(0);
const LATE: Instant = noon(5_000);
const EARLY: Instant = noon(-600_000);
const PAUSE: Duration = Duration::from_secs(3);

impl Adapting {
    /// Between a tenth of 10 per second and all of it.
    pub fn new() -> Self {
        let policy = |rate| {
            let bucket = BucketPolicy::new(Rate::per_second(rate), Tokens::whole(20)).expect("in range");
            AdaptivePolicy::new(AdaptiveConfig { decrease_milli: 500, ..AdaptiveConfig::DEFAULT }, &bucket)
        };
        Self { policy: policy(10).expect("in range"), other: policy(20).expect("in range") }
    }
}

impl Default for Adapting {
    fn default() -> Self {
        Self::new()
    }
}

impl Model for Adapting {
    type State = AdaptiveState;
    type Op = Op;
    type Verdict = Verdict;
    type Memory = ();
    type Shared = AdaptiveRate;
    type Tickets = ();

    fn starts(&self) -> Vec<StartOf<Self>> {
        let cut = AdaptiveState::NEW.settle(Outcome::Failure, noon(0), &self.policy).0;
        let rising = cut.settle(Outcome::Success, noon(2_000), &self.policy).0;
        let held = AdaptiveState::NEW.slow_down(3_000_000_000, noon(-1_000), &self.policy).0;
        let start = |name, state| Start { name, state, before: vec![] };
        vec![
            start("never touched", AdaptiveState::NEW),
            start("just cut", cut),
            start("rising", rising),
            start("in a pause", held),
        ]
    }

    fn ops(&self) -> Vec<Op> {
        vec![
            Op::Scale(NOW),
            Op::Scale(EARLY),
            Op::Settle(Outcome::Success, LATE),
            Op::Settle(Outcome::Failure, NOW),
            Op::Settle(Outcome::Failure, LATE),
            Op::SlowDown(NOW),
            Op::SlowDown(LATE),
            Op::Change,
        ]
    }

    fn step(&self, state: &mut AdaptiveState, (): &mut (), op: Op) -> Option<Verdict> {
        let (next, verdict) = match op {
            Op::Scale(now) => {
                let (next, scaled) = state.scale(Tokens::ONE.into(), now, &self.policy);
                (next, Verdict::Scaled(scaled))
            }
            Op::Settle(outcome, now) => {
                let (next, adjustment) = state.settle(outcome, now, &self.policy);
                (next, Verdict::Adjusted(adjustment))
            }
            Op::SlowDown(now) => {
                let wait = u64::try_from(PAUSE.as_nanos()).expect("fits");
                let (next, adjustment) = state.slow_down(wait, now, &self.policy);
                (next, Verdict::Adjusted(adjustment))
            }
            Op::Change => (state.under(&self.policy, &self.other), Verdict::Done),
        };
        *state = next;
        Some(verdict)
    }

    fn nothing() -> Verdict {
        Verdict::Nothing
    }

    fn shared(&self, state: &AdaptiveState) -> AdaptiveRate {
        AdaptiveRate::from_state(*state)
    }

    fn run(&self, rate: &AdaptiveRate, (): &mut (), op: Op) -> Verdict {
        match op {
            Op::Scale(now) => Verdict::Scaled(rate.scale(&self.policy, now, Tokens::ONE.into())),
            Op::Settle(outcome, now) => Verdict::Adjusted(rate.settle(&self.policy, now, outcome)),
            Op::SlowDown(now) => Verdict::Adjusted(rate.slow_down(&self.policy, now, PAUSE)),
            Op::Change => {
                rate.change_policy(&self.policy, &self.other);
                Verdict::Done
            }
        }
    }

    fn state(&self, rate: &AdaptiveRate) -> AdaptiveState {
        rate.state()
    }
}
