//! The retry budget.

use super::noon;
use crate::model::{Model, Start, StartOf};
use core::time::Duration;
use fusebox_core::{Instant, RetryBudget, RetryBudgetConfig, RetryBudgetPolicy, RetryBudgetState, Tokens, Wait};

/// A budget under one policy, and another to change to.
#[derive(Debug)]
pub struct Retrying {
    policy: RetryBudgetPolicy,
    other: RetryBudgetPolicy,
}

/// An operation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Op {
    /// Counts a call.
    Deposit(Instant),
    /// Takes a retry.
    Withdraw(Instant),
    /// Gives a retry back.
    Refund(Instant),
    /// Changes to the other policy.
    Change(Instant),
}

/// What an operation returned.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Withdrawn, or not.
    Withdrew(Result<(), Wait>),
    /// Nothing is returned.
    Done,
    /// Never: every operation has something to do.
    Nothing,
}

const NOW: Instant = noon(0);
/// The next half window.
const NEXT: Instant = noon(1_200);
const LATE: Instant = noon(5_000);
const EARLY: Instant = noon(-60_000);

impl Retrying {
    /// Two calls earn a retry, two seconds earn one; four are saved at most.
    pub fn new() -> Self {
        let policy = |burst| {
            let (window, floor_per_second) = (Duration::from_secs(4), Tokens::milli(500));
            let burst = Tokens::whole(burst);
            RetryBudgetPolicy::new(RetryBudgetConfig { share_milli: 500, floor_per_second, window, burst })
        };
        Self { policy: policy(4).expect("in range"), other: policy(2).expect("in range") }
    }
}

impl Default for Retrying {
    fn default() -> Self {
        Self::new()
    }
}

impl Model for Retrying {
    type State = RetryBudgetState;
    type Op = Op;
    type Verdict = Verdict;
    type Memory = ();
    type Shared = RetryBudget;
    type Tickets = ();

    fn starts(&self) -> Vec<StartOf<Self>> {
        let holding = |milli| RetryBudgetState::with_balance(Tokens::milli(milli), NOW, &self.policy);
        let start = |name, state| Start { name, state, before: vec![] };
        vec![
            start("never touched", RetryBudgetState::NEW),
            start("one retry left", holding(1_000)),
            start("half a retry short", holding(500)),
            start("nothing left", holding(0)),
            start("half a retry short of the burst", holding(3_500)),
            start("full", holding(4_000)),
        ]
    }

    fn ops(&self) -> Vec<Op> {
        vec![
            Op::Deposit(NOW),
            Op::Deposit(NEXT),
            Op::Withdraw(NOW),
            Op::Withdraw(NEXT),
            Op::Withdraw(LATE),
            Op::Withdraw(EARLY),
            Op::Refund(NOW),
            Op::Change(NOW),
        ]
    }

    fn step(&self, state: &mut RetryBudgetState, (): &mut (), op: Op) -> Option<Verdict> {
        let (next, verdict) = match op {
            Op::Deposit(now) => (state.deposit(now, &self.policy), Verdict::Done),
            Op::Withdraw(now) => {
                let (next, withdrew) = state.withdraw(now, &self.policy);
                (next, Verdict::Withdrew(withdrew))
            }
            Op::Refund(now) => (state.refund(now, &self.policy), Verdict::Done),
            Op::Change(now) => (state.under(&self.policy, &self.other, now), Verdict::Done),
        };
        *state = next;
        Some(verdict)
    }

    fn nothing() -> Verdict {
        Verdict::Nothing
    }

    fn shared(&self, state: &RetryBudgetState) -> RetryBudget {
        RetryBudget::from_state(*state)
    }

    fn run(&self, budget: &RetryBudget, (): &mut (), op: Op) -> Verdict {
        match op {
            Op::Deposit(now) => budget.deposit(&self.policy, now),
            Op::Withdraw(now) => return Verdict::Withdrew(budget.try_withdraw(&self.policy, now)),
            Op::Refund(now) => budget.refund(&self.policy, now),
            Op::Change(now) => budget.change_policy(&self.policy, &self.other, now),
        }
        Verdict::Done
    }

    fn state(&self, budget: &RetryBudget) -> RetryBudgetState {
        budget.state()
    }
}
