//! A combination of five gates, two buckets, a bulkhead, a retry budget and a breaker, against their oracles: who refuses,
//! that those to its left give back, and that each learns how a call ended.
#![no_main]

#[path = "../../core/tests/support/naive_budget.rs"]
mod naive_budget;

use arbitrary::Arbitrary;
use fusebox_core::*;
use fusebox_fuzz::breaker::{Answer, Call, Model};
use fusebox_fuzz::bucket::Ledger;
use fusebox_fuzz::clock::{Hands, Move};
use fusebox_fuzz::shapes::{AnyBreaker, AnyBucket, End};
use libfuzzer_sys::fuzz_target;
use naive_budget::Naive;

#[derive(Arbitrary, Debug)]
struct Input {
    buckets: [AnyBucket; 2],
    max_in_flight: u8,
    share_milli: u8,
    breaker: AnyBreaker,
    start: u64,
    only_ahead: bool,
    operations: Vec<(Move, Operation)>,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Operation {
    /// A call that costs so many hundredths of the first burst and leaves as many thousandths of a token.
    Admit { cost: u8, leave: u8, retry: bool },
    /// Settles one of the calls under way, perhaps with its tokens spent.
    Settle { call: u8, end: End, spent: bool },
}

type Gates<'a> = (
    (
        ([Gated<'a, TokenBucket, BucketPolicy>; 2], Gated<'a, Bulkhead, BulkheadPolicy>),
        Gated<'a, RetryBudget, RetryBudgetPolicy>,
    ),
    Gated<'a, Breaker, BreakerPolicy>,
);

struct Policies {
    buckets: [BucketPolicy; 2],
    bulkhead: BulkheadPolicy,
    budget: RetryBudgetPolicy,
    breaker: BreakerPolicy,
}

/// What the gates should be.
struct Oracles {
    buckets: [Ledger; 2],
    in_flight: u64,
    budget: Naive,
    breaker: Model,
}

impl Oracles {
    /// Who refuses the call; those to its left have taken and given back.
    fn take(&mut self, policies: &Policies, ask: &Ask) -> Option<(Part, Option<Wait>)> {
        let now = ask.now.as_nanos();
        if let Some(wait) = self.breaker.refusal(now, &policies.breaker) {
            return Some((Part::Breaker, Some(wait)));
        }
        for place in 0..2 {
            let answer = self.buckets[place].ask(ask.demand, now);
            if !answer.granted {
                self.buckets[place].deny(now, answer);
                self.undo(ask, place);
                let wait = answer.wait.map_or(Some(Wait::Never), |wait| u64::try_from(wait).ok().map(Wait::Nanos));
                let in_range = answer.wait.is_none_or(|wait| wait + u128::from(now) <= u64::MAX.into());
                return Some((Part::Bucket, wait.filter(|_| in_range)));
            }
            self.buckets[place].take(ask.demand.cost, now);
        }
        if self.in_flight >= policies.bulkhead.max_in_flight().into() {
            self.undo(ask, 2);
            return Some((Part::Bulkhead, Some(Wait::Release)));
        }
        if ask.retry && !self.budget.withdraw(now) {
            self.undo(ask, 2);
            return Some((Part::RetryBudget, None)); // `retry` checks the wait
        }
        self.in_flight += 1;
        None
    }

    /// Gives back what the first buckets gave.
    fn undo(&mut self, ask: &Ask, buckets: usize) {
        for bucket in &mut self.buckets[..buckets] {
            bucket.refund(ask.demand.cost, ask.now.as_nanos());
        }
    }

    fn settle(&mut self, policies: &Policies, held: &Held, end: Outcome, spent: bool, now: u64) -> Option<Transition> {
        if !spent && matches!(end, Outcome::Ignored | Outcome::Cancelled) {
            for bucket in &mut self.buckets {
                bucket.refund(held.ask.demand.cost, now);
            }
        }
        self.in_flight -= 1;
        match (held.ask.retry, end) {
            (true, Outcome::Cancelled) if !spent => self.budget.refund(now),
            (true, _) | (false, Outcome::Cancelled) => {}
            (false, _) => self.budget.deposit(now),
        }
        self.breaker.settle(held.call, end, now, &policies.breaker)
    }
}

/// A call under way, as the oracles know it.
struct Held {
    ask: Ask,
    call: Call,
}

fn run(input: Input) {
    let Input { buckets, max_in_flight, share_milli, breaker, start, only_ahead, operations } = input;
    let config = BreakerConfig { jitter: Jitter::None, open_wait_factor_milli: 3_000, ..*breaker.0.config() };
    let budget = RetryBudgetConfig { share_milli: u32::from(share_milli) * 4, ..RetryBudgetConfig::DEFAULT };
    let policies = Policies {
        buckets: buckets.map(|bucket| bucket.0),
        bulkhead: BulkheadPolicy::new(u32::from(max_in_flight) % 8 + 1).expect("at least 1"),
        budget: RetryBudgetPolicy::new(budget).expect("in range"),
        breaker: BreakerPolicy::new(config).expect("still in range"),
    };
    let mut oracles = Oracles {
        buckets: policies.buckets.map(|policy| Ledger::full(&policy)),
        in_flight: 0,
        budget: Naive::new(&policies.budget),
        breaker: Model::restored(&BreakerSnapshot::default()),
    };
    if oracles.buckets.iter().any(|ledger| ledger.slack() > 0) {
        return; // a rate that is rounded; `bucket` has those
    }
    let states = ([TokenBucket::new(), TokenBucket::new()], Bulkhead::new(), RetryBudget::new(), Breaker::new());
    let [first, second] = [0, 1].map(|place: usize| states.0[place].gate(&policies.buckets[place]));
    let gates: Gates<'_> = (
        (([first, second], states.1.gate(&policies.bulkhead)), states.2.gate(&policies.budget)),
        states.3.gate(&policies.breaker),
    );
    let (mut hands, mut calls) = (Hands::at(start, only_ahead), Vec::new());
    for (by, operation) in operations.into_iter().take(120) {
        let now = hands.turn(by);
        if oracles.buckets.iter().any(|ledger| ledger.beyond_telling(hands.now)) || oracles.breaker.generation > 250 {
            break;
        }
        match operation {
            Operation::Admit { cost, leave, retry } => {
                let cost = Tokens::milli((policies.buckets[0].burst().as_milli() * u64::from(cost)).div_ceil(100));
                let demand = Demand { cost, leave: Tokens::milli(leave.into()) };
                let ask = Ask { demand, retry, ..Ask::at(now) };
                let expected = oracles.take(&policies, &ask);
                match gates.admit(&ask) {
                    Ok((pass, transition)) => {
                        assert_eq!(expected, None);
                        let call = oracles.breaker.admit(Answer::Goes(transition), hands.now, &policies.breaker);
                        calls.push((pass, Held { ask, call: call.expect("it goes") }));
                    }
                    Err(rejection) => {
                        let (part, wait) = expected.unwrap_or_else(|| panic!("{rejection:?} for nothing"));
                        assert_eq!(rejection.by, part);
                        assert!(wait.is_none_or(|wait| wait == rejection.wait), "{rejection:?}, right is {wait:?}");
                        hands.told(rejection.wait);
                        if part == Part::Breaker {
                            oracles.breaker.admit(Answer::Refused(rejection.wait), hands.now, &policies.breaker);
                        }
                    }
                }
            }
            Operation::Settle { call, end, spent } if !calls.is_empty() => {
                let (mut pass, held) = calls.remove(usize::from(call) % calls.len());
                if spent {
                    pass.spend();
                }
                let transition = gates.settle(now, pass, end.into());
                assert_eq!(transition, oracles.settle(&policies, &held, end.into(), spent, hands.now));
            }
            Operation::Settle { .. } => {}
        }
        oracles.breaker.observe(&states.3.snapshot(&policies.breaker, now));
        assert_eq!(states.1.in_flight(), oracles.in_flight);
        let balance = states.2.snapshot(&policies.budget, now).balance.as_milli();
        assert_eq!(i128::from(balance), oracles.budget.balance(hands.now).max(0));
        for (place, ledger) in oracles.buckets.iter().enumerate() {
            assert_eq!(states.0[place].peek(&policies.buckets[place], now).as_milli(), ledger.level(hands.now).0);
        }
    }
}

fuzz_target!(|input: Input| run(input));
