//! The token bucket against [`Ledger`], an exact one: every grant, wait, level, booking and cancellation.
#![no_main]

use arbitrary::Arbitrary;
use core::time::Duration;
use fusebox_core::*;
use fusebox_fuzz::bucket::{Answer, Ledger, Place};
use fusebox_fuzz::clock::{Hands, Move};
use fusebox_fuzz::shapes::AnyBucket;
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input {
    policies: [AnyBucket; 2],
    start: u64,
    only_ahead: bool,
    operations: Vec<(Move, Operation)>,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Operation {
    Take(Amount),
    TakeAs { cost: Amount, leave: Amount },
    Book { cost: Amount, leave: Amount, max_wait: Span },
    Cancel(u8),
    CancelLast,
    Refund(Amount),
    ChangePolicy,
    Resume,
}

/// An amount of tokens.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Amount {
    Nothing,
    /// In 1/128 of the burst.
    Share(u8),
    /// What is there, and so many thousandths more or less.
    Level(i8),
    Milli(u64),
}

/// A time in terms of the policy.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Span {
    Zero,
    Nanos(u64),
    /// What the bucket would tell, and so many nanoseconds more or less.
    Told(i8),
    Ever,
}

/// The shipped bucket beside the ledger.
#[derive(Debug)]
struct Pair {
    bucket: TokenBucket,
    ledger: Ledger,
    policy: BucketPolicy,
    booked: Vec<(Booking, Place)>,
    /// What went at what time, in amounts, since the bucket was last full for certain; below zero what came back.
    gone: Vec<(u64, i128)>,
    /// Whether only takes and refunds under one policy have happened, on a clock that went ahead.
    plain: bool,
}

impl Pair {
    fn new(policy: BucketPolicy) -> Self {
        let (bucket, ledger) = (TokenBucket::new(), Ledger::full(&policy));
        Self { bucket, ledger, policy, booked: Vec::new(), gone: Vec::new(), plain: true }
    }

    fn amount(&self, amount: Amount, now: Instant) -> Tokens {
        let milli = match amount {
            Amount::Nothing => 0,
            Amount::Share(share) => (u128::from(self.policy.burst().as_milli()) * u128::from(share)).div_ceil(128),
            Amount::Level(more) => {
                self.bucket.peek(&self.policy, now).as_milli().saturating_add_signed(more.into()).into()
            }
            Amount::Milli(milli) => milli.into(),
        };
        Tokens::milli(u64::try_from(milli).expect("a share of two bursts at most"))
    }

    /// Checks an answer to what the ledger has answered. A denial writes nothing and tells the exact wait.
    fn check<T>(&self, expected: Answer, given: &Result<T, Wait>, before: &str, hands: &mut Hands) {
        let slack = self.ledger.slack();
        if expected.margin > slack + if slack > 0 { 2 * self.ledger.terms.per_nano } else { 0 } {
            assert_eq!(given.is_ok(), expected.granted, "{expected:?} {:?}", self.ledger);
            match given {
                Ok(_) => {}
                Err(Wait::Never) => assert_eq!(expected.wait, None),
                Err(wait @ Wait::Nanos(nanos)) => {
                    let expected = expected.wait.expect("the cost can never fit");
                    if expected + u128::from(hands.now) <= u64::MAX.into() {
                        assert!(
                            u128::from(*nanos).abs_diff(expected) <= self.ledger.slack_time(),
                            "told {nanos}, right is {expected}"
                        );
                    } else {
                        assert!(
                            u128::from(*nanos) + u128::from(hands.now) + self.ledger.slack_time() > u64::MAX.into()
                        );
                    }
                    hands.told(*wait);
                }
                Err(Wait::Release) => panic!("a bucket has no slots"),
            }
        }
        let now = hands.now;
        let clock_went_back = self.ledger.missing(now) + slack > self.ledger.believed(now);
        if given.is_err() && !clock_went_back {
            assert_eq!(format!("{:?}", self.bucket), before, "a denial has written");
        }
    }

    /// The same demand is admitted when the wait is over, and not a nanosecond before.
    fn check_wait(&self, demand: Demand, hands: &Hands, wait: Wait) {
        let next = self.bucket.next_change(&self.policy, hands.reading(), demand);
        let then = match wait {
            Wait::Nanos(wait) => hands.now.checked_add(wait),
            _ => None,
        };
        assert_eq!(next, then.map(Instant::from_nanos));
        if let Some(then) = then {
            let refusal = |nanos| self.bucket.refusal(&self.policy, Instant::from_nanos(nanos), demand);
            assert_eq!(refusal(then), None, "a call at the end of its wait is refused");
            assert!(refusal(then - 1).is_some(), "the wait is too long");
        }
    }

    fn take(&mut self, demand: Demand, hands: &mut Hands) {
        let (now, before) = (hands.reading(), format!("{:?}", self.bucket));
        let expected = self.ledger.ask(demand, hands.now);
        let refusal = self.bucket.refusal(&self.policy, now, demand);
        let given = self.bucket.try_acquire_as(&self.policy, now, demand);
        assert_eq!(refusal, given.err());
        self.check(expected, &given, &before, hands);
        match given {
            Ok(()) => {
                self.ledger.take(demand.cost, hands.now);
                self.gone.push((hands.now, self.ledger.terms.amount(demand.cost)));
            }
            Err(wait) => {
                self.ledger.deny(hands.now, expected);
                self.check_wait(demand, hands, wait);
            }
        }
    }

    fn book(&mut self, demand: Demand, max_wait: u64, hands: &mut Hands) {
        self.plain = false;
        let (now, before) = (hands.reading(), format!("{:?}", self.bucket));
        let (expected, place) = self.ledger.ask_ahead(demand, max_wait, hands.now);
        let given = self.bucket.reserve_as(&self.policy, now, demand, Duration::from_nanos(max_wait));
        self.check(expected, &given, &before, hands);
        match given {
            Ok(booking) => {
                let ready = booking.ready_at().as_nanos();
                assert!(u128::from(ready).abs_diff(place.ready) <= self.ledger.slack_time(), "{booking:?} {place:?}");
                assert!(ready - hands.now <= max_wait);
                assert_eq!(booking.cost(), demand.cost);
                self.ledger.take(demand.cost, hands.now);
                self.booked.push((booking, place));
            }
            Err(_) => self.ledger.deny(hands.now, expected),
        }
    }

    fn cancel(&mut self, place: usize, now: u64) {
        if self.booked.is_empty() {
            return;
        }
        let (booking, place) = self.booked.remove(place % self.booked.len());
        let right = self.ledger.cancellations(&place, now);
        let given = self.bucket.cancel(&self.policy, Instant::from_nanos(now), booking);
        let in_tokens = |amount: i128| u64::try_from(amount / self.ledger.terms.per_milli).expect("a cost");
        let slack = self.ledger.slack();
        let found = right.iter().find(|right| match right {
            Some(right) => {
                let (least, most) = (in_tokens((right - slack).max(0)), in_tokens(right + slack));
                (least..=most).contains(&given.as_milli())
            }
            None => given == Tokens::ZERO,
        });
        match found {
            Some(Some(amount)) => self.ledger.give_back(*amount, now),
            Some(None) => {}
            None => panic!("gave {given:?}, right are {right:?} of {place:?}, {:?}", self.ledger),
        }
    }

    /// T1: in any interval no more than the burst and what flows in, net of what was given back.
    fn check_intervals(&self) {
        let (terms, rounding) = (&self.ledger.terms, self.ledger.slack());
        for (first, (from, _)) in self.gone.iter().enumerate() {
            let mut sum = 0;
            for (until, amount) in &self.gone[first..] {
                sum += amount;
                assert!(sum <= terms.burst + i128::from(until - from) * terms.per_nano + rounding, "{:?}", self.gone);
            }
        }
    }

    fn check_level(&self, now: Instant) {
        let (least, most) = self.ledger.level(now.as_nanos());
        let level = self.bucket.peek(&self.policy, now);
        assert!((least..=most).contains(&level.as_milli()), "{level:?} at {now:?}: {self:?}");
        assert!(level <= self.policy.burst(), "T4");
        let snapshot = self.bucket.snapshot(&self.policy, now);
        let (least, most) = self.ledger.debt(now.as_nanos());
        assert!((least..=most).contains(&snapshot.debt.as_milli()), "{snapshot:?} {:?}", self.ledger);
        assert_eq!(snapshot.level, level);
        let missing = self.ledger.missing(now.as_nanos());
        if missing > self.ledger.slack() || missing == 0 && self.ledger.slack() == 0 {
            assert_eq!(self.bucket.is_fresh(&self.policy, now), missing == 0);
        }
    }
}

fn run(input: Input) {
    let Input { policies: [mut policy, mut other], start, only_ahead, operations } = input;
    let (mut hands, mut pair) = (Hands::at(start, only_ahead), Pair::new(policy.0));
    for (by, operation) in operations.into_iter().take(60) {
        let before = hands.now;
        let now = hands.turn(by);
        pair.plain &= hands.now >= before;
        let beyond = pair.ledger.beyond_telling(hands.now);
        if beyond {
            // the documented exception; whatever it answers, it goes on
            let _ = pair.bucket.try_acquire(&pair.policy, now, Tokens::ONE);
            let _ = pair.bucket.reserve(&pair.policy, now, Tokens::ONE, Duration::MAX);
            assert!(pair.bucket.peek(&pair.policy, now) <= pair.policy.burst());
            pair = Pair::new(policy.0);
        }
        match operation {
            Operation::Take(cost) => pair.take(Demand::plain(pair.amount(cost, now)), &mut hands),
            Operation::TakeAs { cost, leave } => {
                let demand = Demand { cost: pair.amount(cost, now), leave: pair.amount(leave, now) };
                pair.take(demand, &mut hands);
            }
            Operation::Book { cost, leave, max_wait } => {
                let demand = Demand { cost: pair.amount(cost, now), leave: pair.amount(leave, now) };
                let max_wait = match max_wait {
                    Span::Zero => 0,
                    Span::Nanos(nanos) => nanos,
                    Span::Told(more) => {
                        let wait = pair.bucket.refusal(&pair.policy, now, demand).and_then(Wait::duration);
                        let nanos = wait.unwrap_or_default().as_nanos();
                        u64::try_from(nanos).expect("told in 64 bits").saturating_add_signed(more.into())
                    }
                    Span::Ever => u64::MAX,
                };
                pair.book(demand, max_wait, &mut hands);
            }
            Operation::Cancel(place) => pair.cancel(place.into(), hands.now),
            Operation::CancelLast => pair.cancel(pair.booked.len().saturating_sub(1), hands.now),
            Operation::Refund(cost) => {
                let cost = pair.amount(cost, now);
                let missing = pair.ledger.missing(hands.now);
                pair.bucket.refund(&pair.policy, now, cost);
                pair.ledger.refund(cost, hands.now);
                pair.gone.push((hands.now, -missing.min(pair.ledger.terms.amount(cost))));
            }
            Operation::ChangePolicy => {
                let (terms, most_missing) = (pair.ledger.terms, pair.ledger.missing(hands.now) + pair.ledger.slack());
                pair.bucket.change_policy(&policy.0, &other.0, now);
                core::mem::swap(&mut policy, &mut other);
                if most_missing > terms.burst + terms.debt {
                    // with a reading that is late, when the policy changes is for the core's own tests
                    assert!(pair.bucket.peek(&policy.0, now) <= policy.0.burst());
                    pair = Pair::new(policy.0);
                } else {
                    pair.ledger.under(&policy.0, hands.now);
                    (pair.policy, pair.plain) = (policy.0, false);
                    pair.booked.clear();
                }
            }
            Operation::Resume => {
                let snapshot = pair.bucket.snapshot(&pair.policy, now);
                pair.check_level(now);
                pair.bucket = TokenBucket::resume(&pair.policy, now, snapshot);
                pair.ledger = Ledger::resume(&pair.policy, snapshot.level, snapshot.debt, hands.now);
                pair.plain = false;
                pair.booked.clear();
            }
        }
        pair.check_level(now);
    }
    if pair.plain {
        pair.check_intervals();
    }
}

fuzz_target!(|input: Input| run(input));
