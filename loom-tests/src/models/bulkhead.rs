//! The bulkhead, with a fixed limit and with one that learns.

use super::noon;
use crate::model::{Model, Start, StartOf};
use fusebox_core::{
    Bulkhead, BulkheadPolicy, BulkheadStamp, BulkheadState, BulkheadTicket, Instant, LimitChange, LimitConfig, Outcome,
};

/// A bulkhead under one policy.
#[derive(Debug)]
pub struct Entering {
    policy: BulkheadPolicy,
}

/// An operation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Op {
    /// Takes a slot that a settle will give back.
    Admit(Instant),
    /// Ends the latest call.
    Settle(Outcome, Instant),
    /// Takes a slot without a ticket.
    Enter,
    /// Gives a slot back, if any is taken.
    Leave,
}

/// What an operation returned.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Whether there was a slot.
    Entered(bool),
    /// What the limit learned.
    Learned(Option<LimitChange>),
    /// Nothing is returned.
    Left,
    /// There was no ticket to settle.
    Nothing,
}

const NOW: Instant = noon(0);

impl Entering {
    /// Two slots.
    pub fn fixed() -> Self {
        Self { policy: BulkheadPolicy::new(2).expect("in range") }
    }

    /// One to three slots.
    pub fn learning() -> Self {
        let config = LimitConfig { min: 1, max: 3, initial: 2, cut_milli: 500, ..LimitConfig::DEFAULT };
        Self { policy: BulkheadPolicy::adaptive(config).expect("in range") }
    }
}

impl Model for Entering {
    type State = BulkheadState;
    type Op = Op;
    type Verdict = Verdict;
    type Memory = Vec<BulkheadStamp>;
    type Shared = Bulkhead;
    type Tickets = Vec<BulkheadTicket>;

    fn starts(&self) -> Vec<StartOf<Self>> {
        let start = |name, state, before| Start { name, state, before };
        let (admit, succeed) = (Op::Admit(NOW), Op::Settle(Outcome::Success, NOW));
        let low = BulkheadState::with_limit(Some(1));
        vec![
            start("empty", BulkheadState::NEW, vec![]),
            start("one slot left", BulkheadState::NEW, vec![vec![admit], vec![]]),
            start("full, one of each", BulkheadState::NEW, vec![vec![admit], vec![admit]]),
            start("full, both of one", BulkheadState::NEW, vec![vec![admit, admit], vec![]]),
            start(
                "one success short of a higher limit",
                BulkheadState::NEW,
                vec![vec![admit, succeed, admit], vec![admit]],
            ),
            start("at the lowest limit", low, vec![]),
            start("at the lowest limit, one inside", low, vec![vec![admit], vec![]]),
            start(
                "at the highest limit, full",
                BulkheadState::with_limit(Some(3)),
                vec![vec![admit, admit], vec![admit]],
            ),
            start(
                "cut while a call from before runs",
                BulkheadState::NEW,
                vec![vec![admit], vec![admit, Op::Settle(Outcome::Failure, NOW)]],
            ),
        ]
    }

    fn ops(&self) -> Vec<Op> {
        vec![
            Op::Admit(NOW),
            Op::Settle(Outcome::Success, NOW),
            Op::Settle(Outcome::Failure, NOW),
            Op::Settle(Outcome::Cancelled, NOW),
            Op::Enter,
            Op::Leave,
        ]
    }

    fn step(&self, state: &mut BulkheadState, stamps: &mut Vec<BulkheadStamp>, op: Op) -> Option<Verdict> {
        let (next, verdict) = match op {
            Op::Admit(now) => {
                let (next, stamp) = state.enter(now, &self.policy);
                stamps.extend(stamp);
                (next, Verdict::Entered(stamp.is_some()))
            }
            Op::Settle(outcome, now) => {
                let Some(stamp) = stamps.pop() else { return Some(Verdict::Nothing) };
                let (next, change) = state.settle(stamp, outcome, now, &self.policy);
                (next, Verdict::Learned(change))
            }
            Op::Enter => {
                let (next, stamp) = state.enter(NOW, &self.policy);
                (next, Verdict::Entered(stamp.is_some()))
            }
            Op::Leave => (state.leave(), Verdict::Left),
        };
        *state = next;
        Some(verdict)
    }

    fn nothing() -> Verdict {
        Verdict::Nothing
    }

    fn shared(&self, state: &BulkheadState) -> Bulkhead {
        Bulkhead::from_state(*state)
    }

    fn run(&self, bulkhead: &Bulkhead, tickets: &mut Vec<BulkheadTicket>, op: Op) -> Verdict {
        match op {
            Op::Admit(now) => {
                let admitted = bulkhead.admit(&self.policy, now);
                let verdict = Verdict::Entered(admitted.is_ok());
                tickets.extend(admitted);
                verdict
            }
            Op::Settle(outcome, now) => match tickets.pop() {
                Some(ticket) => Verdict::Learned(bulkhead.settle(&self.policy, now, ticket, outcome)),
                None => Verdict::Nothing,
            },
            Op::Enter => Verdict::Entered(bulkhead.try_enter(&self.policy)),
            Op::Leave => {
                bulkhead.leave();
                Verdict::Left
            }
        }
    }

    fn state(&self, bulkhead: &Bulkhead) -> BulkheadState {
        bulkhead.state()
    }
}
