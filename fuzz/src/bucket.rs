//! `Ledger`: a token bucket in exact arithmetic without a packed word, the oracle of the bucket.
//!
//! It follows the formulas of the documentation in wide integers that never wrap. With a rate of n tokens per P ns an
//! amount of 1 is 1 / (1000 x P) of a token: a thousandth of a token is P of them, and a nanosecond brings 1000 x n.

use fusebox_core::{BucketPolicy, Demand, Tokens};

/// A policy in amounts.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// What a thousandth of a token is.
    pub per_milli: i128,
    /// What a nanosecond brings.
    pub per_nano: i128,
    /// The burst.
    pub burst: i128,
    /// The most that may be booked ahead.
    pub debt: i128,
    /// By how much a level may be off: nothing where the policy is exact, 2 ns of refill where its rate is rounded.
    rounding: i128,
    /// The units that a nanosecond brings to the shipped bucket, rounded up.
    units_per_nano: i128,
}

const SECOND: i128 = 1_000_000_000;

impl Terms {
    /// The terms of `policy`.
    pub fn of(policy: &BucketPolicy) -> Self {
        let rate = policy.rate();
        let (n, per) = (i128::from(rate.tokens), i128::try_from(rate.per.as_nanos()).expect("a year at most"));
        let common = gcd(n, per);
        let (least_n, least_per) = (n / common, per / common);
        let units_per_nano = least_n * (1_000 / gcd(1_000, least_per));
        let exact = units_per_nano <= 1_000;
        Self {
            per_milli: per,
            per_nano: 1_000 * n,
            burst: i128::from(policy.burst().as_milli()) * per,
            debt: i128::from(policy.debt().as_milli()) * per,
            rounding: if exact { 0 } else { 2 * 1_000 * n },
            units_per_nano: if exact { units_per_nano } else { ceil(1_000 * n, per) },
        }
    }

    /// What `tokens` are.
    pub fn amount(&self, tokens: Tokens) -> i128 {
        i128::from(tokens.as_milli()) * self.per_milli
    }

    /// The least time in which `amount` flows in.
    fn time(&self, amount: i128) -> u128 {
        ceil(amount.max(0), self.per_nano).cast_unsigned()
    }

    /// One burst's refill or one second, whichever is longer.
    fn leeway(&self) -> i128 {
        self.burst.max(SECOND * self.per_nano)
    }
}

/// A booking as the ledger remembers it.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// The first instant at which its call may go, in nanoseconds.
    pub ready: u128,
    amount: i128,
    /// Where it ends in the inflow; `None` for a booking of nothing.
    end: Option<i128>,
}

/// What the bucket should answer.
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    /// Whether the demand is granted.
    pub granted: bool,
    /// How long it is refused otherwise, in nanoseconds; `None` for ever.
    pub wait: Option<u128>,
    /// How much more or less in the bucket would change the answer.
    pub margin: i128,
}

impl Answer {
    const ALWAYS: Self = Self { granted: true, wait: None, margin: i128::MAX };
    const NEVER: Self = Self { granted: false, wait: None, margin: i128::MAX };
}

/// A bucket.
#[derive(Clone, Copy, Debug)]
pub struct Ledger {
    /// The policy in force.
    pub terms: Terms,
    /// The inflow since the origin at which the bucket is full; `None` until something was taken.
    full_at: Option<i128>,
    /// How far the shipped bucket may be from `full_at`, beside the rounding of its inflow.
    error: i128,
}

impl Ledger {
    /// A full bucket.
    pub fn full(policy: &BucketPolicy) -> Self {
        Self { terms: Terms::of(policy), full_at: None, error: 0 }
    }

    fn inflow(&self, now: u64) -> i128 {
        i128::from(now) * self.terms.per_nano
    }

    /// What is missing to a full bucket.
    pub fn missing(&self, now: u64) -> i128 {
        self.full_at.map_or(0, |full_at| (full_at - self.inflow(now)).max(0))
    }

    /// How far the shipped level may be from the ledger's.
    pub fn slack(&self) -> i128 {
        self.terms.rounding + self.error
    }

    /// How far a wait may be from the ledger's, in nanoseconds.
    pub fn slack_time(&self) -> u128 {
        self.terms.time(self.slack())
    }

    /// Whether the readings lie further apart than 2^62 units, the most that the shipped bucket can tell.
    pub fn beyond_telling(&self, now: u64) -> bool {
        let nanos = (1 << 62) / self.terms.units_per_nano - 4;
        self.full_at.is_some_and(|full_at| (full_at - self.inflow(now)).abs() >= nanos * self.terms.per_nano)
    }

    fn owe(&mut self, missing: i128, now: u64) {
        self.full_at = Some(self.inflow(now) + missing);
    }

    /// What is missing as far as a clock that only goes ahead explains it.
    pub fn believed(&self, now: u64) -> i128 {
        self.missing(now).min(self.terms.burst + self.terms.debt + self.terms.leeway())
    }

    /// The answer to a demand at `now`.
    pub fn ask(&self, demand: Demand, now: u64) -> Answer {
        let cost = self.terms.amount(demand.cost);
        let most = (self.terms.burst - self.terms.amount(demand.leave)).max(0);
        if cost == 0 {
            return Answer::ALWAYS;
        }
        if cost > most {
            return Answer::NEVER;
        }
        let lacking = self.believed(now) + cost - most;
        Answer { granted: lacking <= 0, wait: Some(self.terms.time(lacking)), margin: lacking.abs() }
    }

    /// The answer to a booking at `now`, and the place that it would have.
    pub fn ask_ahead(&self, demand: Demand, max_wait: u64, now: u64) -> (Answer, Place) {
        let cost = self.terms.amount(demand.cost);
        let most = (self.terms.burst - self.terms.amount(demand.leave)).max(0);
        if cost == 0 {
            return (Answer::ALWAYS, Place { ready: now.into(), amount: 0, end: None });
        }
        let wanted = self.believed(now) + cost;
        let wait = self.terms.time(wanted - most);
        let place = Place { ready: u128::from(now) + wait, amount: cost, end: Some(self.inflow(now) + wanted) };
        if cost > most {
            return (Answer::NEVER, place);
        }
        let beyond_clock = (i128::from(u64::MAX) - i128::from(now)) * self.terms.per_nano - (wanted - most);
        if place.ready > u64::MAX.into() {
            return (Answer { margin: beyond_clock.abs(), ..Answer::NEVER }, place);
        }
        let room = wanted - most - self.terms.debt;
        let near = wanted - most - i128::from(max_wait) * self.terms.per_nano;
        let wait = self.terms.time(room).max(wait.saturating_sub(max_wait.into()));
        let margin = room.abs().min(near.abs()).min(beyond_clock.abs());
        (Answer { granted: room <= 0 && near <= 0, wait: Some(wait), margin }, place)
    }

    /// Follows an answer of yes.
    pub fn take(&mut self, cost: Tokens, now: u64) {
        let amount = self.terms.amount(cost);
        if amount > 0 {
            self.settle_error(now);
            let believed = self.believed(now);
            self.owe(believed + amount, now);
        }
    }

    /// Follows a denial: it moves the mark only where the clock went back beyond the leeway, and the cost can fit.
    pub fn deny(&mut self, now: u64, answer: Answer) {
        if answer.margin < i128::MAX && self.missing(now) > self.believed(now) {
            let believed = self.believed(now);
            self.owe(believed, now);
        }
    }

    /// Once the bucket is full for certain, what it was off by is gone.
    fn settle_error(&mut self, now: u64) {
        if self.full_at.is_some_and(|full_at| full_at + self.error + self.terms.rounding <= self.inflow(now)) {
            self.error = 0;
        }
    }

    /// What cancelling `place` should give back, `None` for a place in the middle of the line: all answers that rounding
    /// leaves open.
    pub fn cancellations(&self, place: &Place, now: u64) -> Vec<Option<i128>> {
        let (Some(full_at), Some(end)) = (self.full_at, place.end) else { return vec![None] };
        let missing = self.missing(now);
        let given = Some(place.amount.min(missing));
        let (apart, ahead) = ((full_at - end).abs(), missing - self.terms.burst);
        if apart == 0 && self.slack() == 0 || ahead + self.slack() <= 0 {
            vec![given]
        } else if apart <= self.slack() || ahead - self.slack() <= 0 {
            vec![given, None]
        } else {
            vec![None]
        }
    }

    /// Gives back an amount; the level never rises above the burst.
    pub fn give_back(&mut self, amount: i128, now: u64) {
        if self.full_at.is_some() {
            self.settle_error(now);
            let missing = self.missing(now);
            self.owe((missing - amount).max(0), now);
        }
    }

    /// [`Ledger::give_back`] in tokens.
    pub fn refund(&mut self, cost: Tokens, now: u64) {
        if cost > Tokens::ZERO {
            self.give_back(self.terms.amount(cost), now);
        }
    }

    /// The level after rounding down to thousandths: the lowest and the highest that are right.
    pub fn level(&self, now: u64) -> (u64, u64) {
        let missing = self.missing(now);
        let level = |missing: i128| {
            let level = (self.terms.burst - missing.max(0)).max(0) / self.terms.per_milli;
            u64::try_from(level).expect("at most the burst")
        };
        (level(missing + self.slack()), level(missing - self.slack()))
    }

    /// The debt after rounding up to thousandths: the lowest and the highest that are right.
    pub fn debt(&self, now: u64) -> (u64, u64) {
        let missing = self.missing(now);
        let debt = |missing: i128| {
            let debt = (missing - self.terms.burst).clamp(0, self.terms.debt);
            u64::try_from(ceil(debt, self.terms.per_milli)).expect("at most the cap")
        };
        (debt(missing - self.slack()), debt(missing + self.slack()))
    }

    /// Starts again from a snapshot.
    pub fn resume(policy: &BucketPolicy, level: Tokens, debt: Tokens, now: u64) -> Self {
        let mut ledger = Self::full(policy);
        let terms = ledger.terms;
        let missing = (terms.burst - terms.amount(level)).max(0) + terms.amount(debt);
        ledger.owe(missing.min(terms.burst + terms.debt), now);
        ledger
    }

    /// Moves to another policy: what is missing keeps its share of the burst, up to the new cap. The shipped bucket
    /// rounds up to one of its units, which is no more than flows in within 2 ns.
    pub fn under(&mut self, policy: &BucketPolicy, now: u64) {
        let (old, new) = (self.terms, Terms::of(policy));
        if self.full_at.is_none() {
            self.terms = new;
            return;
        }
        self.settle_error(now);
        let missing = self.missing(now).min(old.burst + old.debt);
        let slack = self.slack();
        self.terms = new;
        self.error = share_of(slack, new.burst, old.burst) + 2 * new.per_nano;
        self.owe(share_of(missing, new.burst, old.burst).min(new.burst + new.debt), now);
    }
}

/// `amount x part / whole`, rounded up.
fn share_of(amount: i128, part: i128, whole: i128) -> i128 {
    // both factors have up to 100 bits
    let exact = num_bigint::BigInt::from(amount) * part;
    let rounded = (exact + (whole - 1)) / whole;
    i128::try_from(rounded).expect("a share of a burst is in range")
}

fn ceil(a: i128, b: i128) -> i128 {
    (a + b - 1).div_euclid(b)
}

fn gcd(a: i128, b: i128) -> i128 {
    if b == 0 { a } else { gcd(b, a % b) }
}
