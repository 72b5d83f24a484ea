//! The circuit: one admission over breaker, bulkhead and bucket, word by word.
//!
//! A circuit's operations are not atomic, so their oracle goes through the accesses in the order that
//! `core/src/gate/combine.rs` gives them, and each is a pure step of its part.

mod rules;

use super::noon;
use crate::model::{Model, Start, StartOf, ToldOf};
use core::time::Duration;
use fusebox_core::{
    Admission, Breaker, BreakerConfig, BreakerPolicy, BreakerState, BucketPolicy, BucketState, Bulkhead,
    BulkheadPolicy, BulkheadStamp, BulkheadState, Circuit, CircuitPolicy, Demand, Instant, Jitter, Outcome, Part,
    Permit, Rate, Rejection, Settled, Stamp, TokenBucket, Tokens, Transition, Trip, Wait,
};

/// A circuit with all of its parts.
#[derive(Debug)]
pub struct Passing {
    breaker: BreakerPolicy,
    bulkhead: BulkheadPolicy,
    bucket: BucketPolicy,
    policy: CircuitPolicy,
}

/// The words of the parts.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    breaker: BreakerState,
    stale: u64,
    bulkhead: BulkheadState,
    bucket: BucketState,
}

/// An operation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Op {
    /// Asks for a permit and a token.
    Admit(Instant),
    /// Ends the call of the latest permit.
    Settle(Outcome, Instant),
}

/// What an operation returned.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Admitted, with the transition that caused.
    Admitted(Option<Transition>),
    /// Refused.
    Refused(Rejection),
    /// The transition that an outcome caused.
    Caused(Option<Transition>),
    /// There was no permit to settle.
    Nothing,
}

/// What a thread holds, and the next access of its operation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Memory {
    permits: Vec<(BulkheadStamp, Stamp)>,
    next: Access,
}

/// An access of an operation, in the order of an admission, then of a settling.
#[derive(Clone, Debug, Default, PartialEq)]
enum Access {
    #[default]
    First,
    Enter,
    Take(BulkheadStamp),
    LetIn(BulkheadStamp),
    Refund(Rejection),
    Leave(Rejection),
    EndInBucket(BulkheadStamp, Option<Transition>),
    EndInBulkhead(BulkheadStamp, Option<Transition>),
}

const NOW: Instant = noon(0);
const LATE: Instant = noon(2_000);
const COST: Demand = Demand::plain(Tokens::ONE);

impl Passing {
    /// One probe, and as many slots and tokens.
    pub fn new(slots: u32, tokens: u64) -> Self {
        let breaker = BreakerPolicy::new(BreakerConfig {
            trip: Trip::Consecutive(1),
            open_wait: Duration::from_secs(1),
            jitter: Jitter::None,
            ..BreakerConfig::DEFAULT
        });
        let breaker = breaker.expect("in range");
        let bulkhead = BulkheadPolicy::new(slots).expect("in range");
        let bucket = BucketPolicy::new(Rate { tokens: 1, per: Duration::from_secs(60) }, Tokens::whole(tokens));
        let bucket = bucket.expect("in range");
        let policy = CircuitPolicy { breaker: Some(breaker), bulkhead: Some(bulkhead), bucket: Some(bucket) };
        Self { breaker, bulkhead, bucket, policy }
    }

    /// The next access of an admission, and its verdict if that was the last.
    fn admit(&self, state: &mut State, memory: &mut Memory, now: Instant) -> Option<Verdict> {
        memory.next = match core::mem::take(&mut memory.next) {
            // an admission that would be refused follows a clock that went back; another one changes nothing here
            Access::First => match state.breaker.admit(now, &self.breaker) {
                (next, Admission::Refused(wait)) => {
                    state.breaker = next;
                    return Some(Verdict::Refused(Rejection { by: Part::Breaker, wait }));
                }
                (_, Admission::Admitted(..)) => Access::Enter,
            },
            Access::Enter => {
                let (next, stamp) = state.bulkhead.enter(now, &self.bulkhead);
                state.bulkhead = next;
                match stamp {
                    Some(stamp) => Access::Take(stamp),
                    None => return Some(Verdict::Refused(Rejection { by: Part::Bulkhead, wait: Wait::Release })),
                }
            }
            Access::Take(slot) => {
                let (next, took) = state.bucket.take_as(COST, now, &self.bucket);
                state.bucket = next;
                match took {
                    Ok(()) => Access::LetIn(slot),
                    Err(wait) => Access::Leave(Rejection { by: Part::Bucket, wait }),
                }
            }
            Access::LetIn(slot) => {
                let (next, admission) = state.breaker.admit(now, &self.breaker);
                state.breaker = next;
                match admission {
                    Admission::Admitted(stamp, transition) => {
                        memory.permits.push((slot, stamp));
                        return Some(Verdict::Admitted(transition));
                    }
                    Admission::Refused(wait) => Access::Refund(Rejection { by: Part::Breaker, wait }),
                }
            }
            Access::Refund(rejection) => {
                state.bucket = state.bucket.give_back(COST.cost, now, &self.bucket);
                Access::Leave(rejection)
            }
            Access::Leave(rejection) => {
                state.bulkhead = state.bulkhead.leave();
                return Some(Verdict::Refused(rejection));
            }
            access @ (Access::EndInBucket(..) | Access::EndInBulkhead(..)) => {
                unreachable!("{access:?} in an admission")
            }
        };
        None
    }

    /// The next access of a settling, and its verdict if that was the last.
    fn settle(&self, state: &mut State, memory: &mut Memory, outcome: Outcome, now: Instant) -> Option<Verdict> {
        memory.next = match core::mem::take(&mut memory.next) {
            Access::First => {
                let Some((slot, stamp)) = memory.permits.pop() else { return Some(Verdict::Nothing) };
                let (next, settled) = state.breaker.settle(stamp, outcome, now, &self.breaker);
                state.breaker = next;
                let transition = match settled {
                    Settled::Counted(transition) => transition,
                    Settled::Stale => {
                        state.stale += 1;
                        None
                    }
                };
                Access::EndInBucket(slot, transition)
            }
            Access::EndInBucket(slot, transition) => {
                if matches!(outcome, Outcome::Ignored | Outcome::Cancelled) {
                    state.bucket = state.bucket.give_back(COST.cost, now, &self.bucket);
                }
                Access::EndInBulkhead(slot, transition)
            }
            Access::EndInBulkhead(slot, transition) => {
                state.bulkhead = state.bulkhead.settle(slot, outcome, now, &self.bulkhead).0;
                return Some(Verdict::Caused(transition));
            }
            access => unreachable!("{access:?} in a settling"),
        };
        None
    }
}

impl Model for Passing {
    type State = State;
    type Op = Op;
    type Verdict = Verdict;
    type Memory = Memory;
    type Shared = Circuit;
    type Tickets = Vec<Permit>;

    fn starts(&self) -> Vec<StartOf<Self>> {
        let new = State {
            breaker: BreakerState::NEW,
            stale: 0,
            bulkhead: BulkheadState::NEW,
            bucket: BucketState::with_level(self.bucket.burst(), NOW, &self.bucket),
        };
        let empty = State { bucket: BucketState::with_level(Tokens::ZERO, NOW, &self.bucket), ..new.clone() };
        let (admit, fail) = (Op::Admit(NOW), Op::Settle(Outcome::Failure, NOW));
        let start = |name, state: &State, before: &[&[Op]]| Start {
            name,
            state: state.clone(),
            before: before.iter().map(|ops| ops.to_vec()).collect(),
        };
        let open = {
            let (mut state, mut memory) = (new.clone(), Memory::default());
            for op in [admit, fail] {
                while self.step(&mut state, &mut memory, op).is_none() {}
            }
            State { bucket: new.bucket, ..state }
        };
        vec![
            start("new", &new, &[]),
            start("no token", &empty, &[]),
            start("a call under way", &new, &[&[admit], &[]]),
            start("open, the wait may be over", &open, &[]),
            start("half-open, one probe out", &open, &[&[Op::Admit(LATE)], &[]]),
            start("open, with a call from before", &new, &[&[admit], &[admit, fail]]),
        ]
    }

    fn ops(&self) -> Vec<Op> {
        vec![
            Op::Admit(NOW),
            Op::Admit(LATE),
            Op::Settle(Outcome::Success, LATE),
            Op::Settle(Outcome::Failure, LATE),
            Op::Settle(Outcome::Cancelled, LATE),
        ]
    }

    fn step(&self, state: &mut State, memory: &mut Memory, op: Op) -> Option<Verdict> {
        match op {
            Op::Admit(now) => self.admit(state, memory, now),
            Op::Settle(outcome, now) => self.settle(state, memory, outcome, now),
        }
    }

    fn nothing() -> Verdict {
        Verdict::Nothing
    }

    fn shared(&self, state: &State) -> Circuit {
        let (breaker, bulkhead) = (Breaker::from_state(state.breaker), Bulkhead::from_state(state.bulkhead));
        Circuit::from_parts(breaker, bulkhead, TokenBucket::from_state(state.bucket))
    }

    fn run(&self, circuit: &Circuit, permits: &mut Vec<Permit>, op: Op) -> Verdict {
        match op {
            Op::Admit(now) => match circuit.admit(&self.policy, now, COST) {
                Ok((permit, transition)) => {
                    permits.push(permit);
                    Verdict::Admitted(transition)
                }
                Err(rejection) => Verdict::Refused(rejection),
            },
            Op::Settle(outcome, now) => match permits.pop() {
                Some(permit) => Verdict::Caused(circuit.settle(&self.policy, now, permit, outcome)),
                None => Verdict::Nothing,
            },
        }
    }

    fn state(&self, circuit: &Circuit) -> State {
        State {
            breaker: circuit.breaker().state(),
            stale: circuit.breaker().snapshot(&self.breaker, NOW).stale,
            bulkhead: circuit.bulkhead().state(),
            bucket: circuit.bucket().state(),
        }
    }

    fn check_told(&self, start: &StartOf<Self>, told: &[ToldOf<Self>], state: &Self::State) {
        self.demand_of_execution(start, told, state);
    }
}
