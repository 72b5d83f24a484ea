//! The breaker on consecutive failures against [`Model`]: every verdict, wait, transition and count.
#![no_main]

use arbitrary::Arbitrary;
use fusebox_core::*;
use fusebox_fuzz::breaker::{Answer, Call, Model};
use fusebox_fuzz::clock::{Hands, Move};
use fusebox_fuzz::shapes::{AnyBreaker, AnyState, End};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input {
    policies: [AnyBreaker; 2],
    state: AnyState,
    start: u64,
    only_ahead: bool,
    operations: Vec<(Move, Operation)>,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Operation {
    Admit,
    /// Settles one of the calls under way.
    Settle(u8, End),
    /// Settles the call that was admitted last.
    SettleLast(End),
    /// Admits and settles at once.
    Call(End),
    Drop(u8),
    ForceOpen,
    ForceClosed,
    Reset,
    SwapPolicy,
    Restore,
}

struct Pair {
    breaker: Breaker,
    model: Model,
    calls: Vec<(Ticket, Call)>,
}

impl Pair {
    fn admit(&mut self, policy: &BreakerPolicy, hands: &mut Hands) {
        let now = hands.reading();
        let (refusal, next) = (self.breaker.refusal(policy, now), self.breaker.next_change(policy, now));
        let given = self.breaker.admit(policy, now);
        let answer = match &given {
            Ok((_, transition)) => Answer::Goes(*transition),
            Err(wait) => Answer::Refused(*wait),
        };
        let call = self.model.admit(answer, hands.now, policy);
        assert_eq!(refusal, given.as_ref().err().copied(), "what was foretold is what came");
        match given {
            Ok((ticket, _)) => {
                assert_eq!(ticket.issued(), now);
                assert_eq!(next, None);
                self.calls.push((ticket, call.expect("the model agrees")));
            }
            Err(wait) => {
                hands.told(wait);
                self.check_next_change(policy, hands, wait, next);
            }
        }
    }

    /// When the answer changes by itself, it does.
    fn check_next_change(&self, policy: &BreakerPolicy, hands: &mut Hands, wait: Wait, next: Option<Instant>) {
        let Some(next) = next else { return assert_eq!(wait, Wait::Never) };
        assert!(next > hands.reading() || hands.now == u64::MAX);
        if wait == Wait::Release {
            hands.told(Wait::Nanos(next.as_nanos() - hands.now));
        }
        if next < Instant::MAX {
            let before = Instant::from_nanos(next.as_nanos() - 1);
            assert_eq!(self.breaker.refusal(policy, next), None, "the wait is over");
            assert!(self.breaker.refusal(policy, before).is_some(), "the wait is too long");
        }
    }

    fn settle(&mut self, call: usize, end: End, policy: &BreakerPolicy, now: u64) {
        if self.calls.is_empty() {
            return;
        }
        let (ticket, call) = self.calls.remove(call % self.calls.len());
        let expected = self.model.settle(call, end.into(), now, policy);
        let transition = self.breaker.settle(policy, Instant::from_nanos(now), ticket, end.into());
        assert_eq!(transition, expected);
    }
}

fn run(input: Input) {
    let Input { policies: [mut policy, mut other], state: AnyState(snapshot), start, only_ahead, operations } = input;
    let mut hands = Hands::at(start, only_ahead);
    let mut pair = Pair { breaker: Breaker::restore(snapshot), model: Model::restored(&snapshot), calls: Vec::new() };
    pair.model.observe(&pair.breaker.snapshot(&policy.0, hands.reading()));
    for (by, operation) in operations.into_iter().take(200) {
        if pair.model.generation > u64::from(snapshot.generation) + 250 {
            break; // a ticket is not told from one 256 generations older
        }
        let now = hands.turn(by);
        match operation {
            Operation::Admit => pair.admit(&policy.0, &mut hands),
            Operation::Settle(call, end) => pair.settle(call.into(), end, &policy.0, hands.now),
            Operation::SettleLast(end) => pair.settle(pair.calls.len().saturating_sub(1), end, &policy.0, hands.now),
            Operation::Call(end) => {
                let before = pair.calls.len();
                pair.admit(&policy.0, &mut hands);
                if pair.calls.len() > before {
                    pair.model.observe(&pair.breaker.snapshot(&policy.0, now));
                    pair.settle(before, end, &policy.0, hands.now);
                }
            }
            Operation::Drop(call) if !pair.calls.is_empty() => {
                let call = usize::from(call) % pair.calls.len();
                let _ = pair.calls.swap_remove(call);
            }
            Operation::Drop(_) => {}
            Operation::ForceOpen => assert_eq!(pair.breaker.force(Forced::Open), pair.model.force(Forced::Open)),
            Operation::ForceClosed => assert_eq!(pair.breaker.force(Forced::Closed), pair.model.force(Forced::Closed)),
            Operation::Reset => assert_eq!(pair.breaker.reset(), pair.model.reset()),
            Operation::SwapPolicy => core::mem::swap(&mut policy, &mut other),
            Operation::Restore => {
                let snapshot = pair.breaker.snapshot(&policy.0, now);
                pair.breaker = Breaker::restore(snapshot);
                assert_eq!(pair.breaker.snapshot(&policy.0, now), snapshot);
            }
        }
        pair.model.observe(&pair.breaker.snapshot(&policy.0, now));
    }
}

fuzz_target!(|input: Input| run(input));
