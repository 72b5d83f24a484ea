//! failsafe: its state machine, each on a thread of its own whose clock is frozen and moved by hand.
//!
//! `failsafe::clock::freeze` lends the clock to a closure and keeps it in a thread-local, so the breaker lives inside
//! that closure and is spoken to through a channel.

use crate::breaker::{BreakerSpec, BreakerSubject, BreakerUnderTest, Outcome, Trip};
use crate::time::{ClockKind, Nanos};
use core::time::Duration;
use failsafe::backoff::{Constant, constant};
use failsafe::failure_policy::{consecutive_failures, success_rate_over_time_window};
use failsafe::{FailurePolicy, StateMachine, clock};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

/// failsafe, with its test clock.
#[derive(Debug)]
pub(crate) struct Failsafe;

/// A state machine, reached through its thread.
#[derive(Debug)]
pub(crate) struct Machine {
    requests: Sender<(Nanos, Request)>,
    answers: Receiver<bool>,
}

#[derive(Debug)]
enum Request {
    Admit,
    Success,
    Failure,
}

impl BreakerSubject for Failsafe {
    type Breaker = Machine;

    fn clock(&self) -> ClockKind {
        ClockKind::Forward
    }

    fn build(&self, spec: &BreakerSpec) -> Result<Machine, String> {
        let (requests, received) = channel();
        let (answer, answers) = channel();
        let backoff = constant(Duration::from_nanos(spec.open_wait));
        match spec.trip {
            Trip::Consecutive(failures) => {
                thread::spawn(move || serve(|| consecutive_failures(failures, backoff), &received, &answer));
            }
            Trip::TimeWindow { span, failure_percent, minimum_calls } => {
                let policy = move || by_rate(span, failure_percent, minimum_calls, backoff);
                thread::spawn(move || serve(policy, &received, &answer));
            }
            Trip::CountWindow { .. } => return Err("it has no count window".to_owned()),
        }
        Ok(Machine { requests, answers })
    }

    fn cost_of_recording(&self) -> &'static str {
        "read from its source, not judged: its average is one number and its call count a fixed number of slices"
    }
}

fn by_rate(span: Nanos, failure_percent: u8, minimum_calls: u32, backoff: Constant) -> impl FailurePolicy {
    let required = 1.0 - f64::from(failure_percent) / 100.0;
    success_rate_over_time_window(required, minimum_calls, Duration::from_nanos(span), backoff)
}

/// Answers requests until the breaker is dropped. The policy reads the clock when it is made.
fn serve<P: FailurePolicy>(policy: impl FnOnce() -> P, requests: &Receiver<(Nanos, Request)>, answers: &Sender<bool>) {
    clock::freeze(|clock| {
        let machine = StateMachine::new(policy(), ());
        let mut reached = 0;
        for (now, request) in requests {
            clock.advance(Duration::from_nanos(now.saturating_sub(reached)));
            reached = reached.max(now);
            let answer = match request {
                Request::Admit => machine.is_call_permitted(),
                Request::Success => {
                    machine.on_success();
                    true
                }
                Request::Failure => {
                    machine.on_error();
                    true
                }
            };
            if answers.send(answer).is_err() {
                return;
            }
        }
    });
}

impl Machine {
    fn ask(&self, now: Nanos, request: Request) -> bool {
        self.requests.send((now, request)).expect("the breaker's thread runs");
        self.answers.recv().expect("the breaker's thread answers")
    }
}

impl BreakerUnderTest for Machine {
    type Ticket = ();

    fn admit(&self, now: Nanos) -> Option<()> {
        self.ask(now, Request::Admit).then_some(())
    }

    /// As its `call_with` and its futures do: an error that the predicate does not count is a success, and a future that
    /// is dropped reports nothing.
    fn settle(&self, now: Nanos, (): (), outcome: Outcome) {
        match outcome {
            Outcome::Success | Outcome::Ignored => self.ask(now, Request::Success),
            Outcome::Failure => self.ask(now, Request::Failure),
            Outcome::Cancelled => true,
        };
    }

    fn is_open(&self, now: Nanos) -> bool {
        !self.ask(now, Request::Admit)
    }
}
