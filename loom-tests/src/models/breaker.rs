//! The breaker's word.

mod rules;

use super::noon;
use crate::model::{Made, Model, Start, StartOf, ToldOf};
use core::time::Duration;
use fusebox_core::{
    Admission, Breaker, BreakerConfig, BreakerPolicy, BreakerState, Forced, Instant, Jitter, Outcome, Settled, Stamp,
    Ticket, Transition, Trip, Wait,
};

/// A breaker without a window.
#[derive(Debug)]
pub struct Breaking {
    policy: BreakerPolicy,
}

/// The word, and the count of stale outcomes.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    word: BreakerState,
    stale: u64,
}

/// An operation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Op {
    /// Asks for a ticket.
    Admit(Instant),
    /// Ends the call of the latest ticket.
    Settle(Outcome, Instant),
    /// Forces a state.
    Force(Forced),
    /// Closes.
    Reset,
}

/// What an operation returned.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// A ticket of this time and generation.
    Admitted(Instant, u8, Option<Transition>),
    /// No ticket.
    Refused(Wait),
    /// What an outcome, force or reset caused.
    Caused(Option<Transition>),
    /// There was no ticket to settle.
    Nothing,
}

/// The wait is one second, a lease ten.
const CONFIG: BreakerConfig = BreakerConfig {
    trip: Trip::Consecutive(2),
    open_wait: Duration::from_secs(1),
    jitter: Jitter::None,
    probes: 2,
    required_successes: 2,
    probe_lease: Duration::from_secs(10),
    ..BreakerConfig::DEFAULT
};

const EARLY: Instant = noon(-5_000);
const SOON: Instant = noon(500);
const LATE: Instant = noon(2_000);
const LOST: Instant = noon(60_000);

impl Breaking {
    /// Trips after two failures, recovers by two of at most two probes.
    pub fn new() -> Self {
        Self { policy: BreakerPolicy::new(CONFIG).expect("in range") }
    }

    /// The state after these operations of one thread.
    fn after(&self, ops: &[Op]) -> State {
        let (mut state, mut stamps) = (State { word: BreakerState::NEW, stale: 0 }, Vec::new());
        for &op in ops {
            let _ = self.step(&mut state, &mut stamps, op);
        }
        state
    }
}

impl Default for Breaking {
    fn default() -> Self {
        Self::new()
    }
}

impl Model for Breaking {
    type State = State;
    type Op = Op;
    type Verdict = Verdict;
    type Memory = Vec<Stamp>;
    type Shared = Breaker;
    type Tickets = Vec<Ticket>;

    fn starts(&self) -> Vec<StartOf<Self>> {
        let (admit, fail) = (Op::Admit(noon(0)), Op::Settle(Outcome::Failure, noon(0)));
        let open = [admit, fail, admit, fail];
        let (probe, report) = (Op::Admit(noon(1_000)), Op::Settle(Outcome::Success, noon(1_000)));
        let half_open = [&open[..], &[probe, Op::Settle(Outcome::Ignored, noon(1_000))]].concat();
        let half_way = [&half_open[..], &[probe, report]].concat();
        let start = |name, base: &[Op], before: [&[Op]; 2]| {
            let before = before.iter().any(|ops| !ops.is_empty()).then(|| before.map(<[Op]>::to_vec).to_vec());
            Start { name, state: self.after(base), before: before.unwrap_or_default() }
        };
        vec![
            start("closed", &[], [&[admit], &[admit]]),
            start("one failure short of the trip", &[admit, fail], [&[admit], &[admit]]),
            start("open", &open, [&[], &[]]),
            start("open, with a call from before", &[admit, fail], [&[admit, admit, fail], &[]]),
            start("half-open, nobody out", &half_open, [&[], &[]]),
            start("half-open, one probe out and a call from before", &[], [&[probe], &[Op::Reset]]),
            start("half-open, one probe of two out", &half_open, [&[probe], &[]]),
            start("half-open, both probes out, one has succeeded", &half_way, [&[probe], &[probe]]),
            start("forced open, with a call from before", &[], [&[admit, Op::Force(Forced::Open)], &[]]),
            start("forced closed", &[Op::Force(Forced::Closed)], [&[admit], &[admit]]),
        ]
    }

    fn ops(&self) -> Vec<Op> {
        vec![
            Op::Admit(EARLY),
            Op::Admit(SOON),
            Op::Admit(LATE),
            Op::Admit(LOST),
            Op::Settle(Outcome::Success, SOON),
            Op::Settle(Outcome::Failure, SOON),
            Op::Settle(Outcome::Cancelled, LATE),
            Op::Settle(Outcome::Success, LOST),
            Op::Force(Forced::Open),
            Op::Reset,
        ]
    }

    fn step(&self, state: &mut State, stamps: &mut Vec<Stamp>, op: Op) -> Option<Verdict> {
        let (next, verdict) = match op {
            Op::Admit(now) => match state.word.admit(now, &self.policy) {
                (next, Admission::Admitted(stamp, transition)) => {
                    stamps.push(stamp);
                    (next, Verdict::Admitted(stamp.issued(), stamp.generation(), transition))
                }
                (next, Admission::Refused(wait)) => (next, Verdict::Refused(wait)),
            },
            Op::Settle(outcome, now) => {
                let Some(stamp) = stamps.pop() else { return Some(Verdict::Nothing) };
                let (next, settled) = state.word.settle(stamp, outcome, now, &self.policy);
                match settled {
                    Settled::Counted(transition) => (next, Verdict::Caused(transition)),
                    Settled::Stale => {
                        state.stale += 1;
                        (next, Verdict::Caused(None))
                    }
                }
            }
            Op::Force(forced) => {
                let (next, transition) = state.word.force(forced);
                (next, Verdict::Caused(transition))
            }
            Op::Reset => {
                let (next, transition) = state.word.reset();
                (next, Verdict::Caused(transition))
            }
        };
        state.word = next;
        Some(verdict)
    }

    fn nothing() -> Verdict {
        Verdict::Nothing
    }

    fn shared(&self, state: &State) -> Breaker {
        Breaker::from_state(state.word)
    }

    fn run(&self, breaker: &Breaker, tickets: &mut Vec<Ticket>, op: Op) -> Verdict {
        match op {
            Op::Admit(now) => match breaker.admit(&self.policy, now) {
                Ok((ticket, transition)) => {
                    let verdict = Verdict::Admitted(ticket.issued(), ticket.generation(), transition);
                    tickets.push(ticket);
                    verdict
                }
                Err(wait) => Verdict::Refused(wait),
            },
            Op::Settle(outcome, now) => match tickets.pop() {
                Some(ticket) => Verdict::Caused(breaker.settle(&self.policy, now, ticket, outcome)),
                None => Verdict::Nothing,
            },
            Op::Force(forced) => Verdict::Caused(breaker.force(forced)),
            Op::Reset => Verdict::Caused(breaker.reset()),
        }
    }

    fn state(&self, breaker: &Breaker) -> State {
        State { word: breaker.state(), stale: breaker.snapshot(&self.policy, noon(0)).stale }
    }

    fn check_made(&self, made: &Made<'_, Self>) {
        self.demand_of_operation(made);
    }

    fn check_told(&self, start: &StartOf<Self>, told: &[ToldOf<Self>], state: &Self::State) {
        self.demand_of_execution(start, told, state);
    }
}
