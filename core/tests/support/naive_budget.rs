//! A retry budget in plain wide arithmetic that walks from one half window to the next: the oracle of its tests and of its
//! fuzz target. It shares no code with the core.

use fusebox_core::RetryBudgetPolicy;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Naive {
    half: i128,
    /// The balance when the half window began, in thousandths; below zero when retries used what the floor earned later.
    start: i128,
    length: i128,
    share: i128,
    floor: i128,
    burst: i128,
}

impl Naive {
    pub(crate) fn new(policy: &RetryBudgetPolicy) -> Self {
        let config = policy.config();
        let mut naive = Self {
            half: 0,
            start: 0,
            length: (config.window.as_nanos() / 2).cast_signed(),
            share: config.share_milli.into(),
            floor: config.floor_per_second.as_milli().into(),
            burst: config.burst.as_milli().into(),
        };
        naive.start = naive.earned(naive.length);
        naive
    }

    /// A budget that holds so many thousandths at `now`, or what the policy can save where that is less.
    #[allow(dead_code, reason = "the fuzz target restores budgets from it")]
    pub(crate) fn holding(policy: &RetryBudgetPolicy, balance: i128, now: u64) -> Self {
        let mut naive = Self::new(policy);
        naive.half = i128::from(now) / naive.length;
        let earned = naive.earned(i128::from(now) % naive.length);
        naive.start = (balance - earned).min(naive.burst - naive.earned(naive.length));
        naive
    }

    fn earned(&self, nanos: i128) -> i128 {
        nanos * self.floor / 1_000_000_000
    }

    /// Follows the clock, and returns how far into the half window it is.
    fn follow(&mut self, now: u64) -> i128 {
        let (number, offset) = (i128::from(now) / self.length, i128::from(now) % self.length);
        if number == self.half - 1 {
            return 0;
        }
        if number < self.half {
            (self.start, self.half) = (self.start.max(0) - self.earned(offset), number);
        }
        let resting = self.earned(self.length);
        while self.half < number && self.start != resting {
            let end = self.start + resting;
            // what calls have saved halves, whole thousandths of it; of what the floor has earned, the rest stays
            self.start = if end > 2 * resting { resting + (end - 2 * resting) / 2 } else { end.min(resting) };
            self.half += 1;
        }
        self.half = number;
        offset
    }

    pub(crate) fn balance(&self, now: u64) -> i128 {
        let mut ahead = *self;
        let offset = ahead.follow(now);
        ahead.start + ahead.earned(offset)
    }

    fn add(&mut self, now: u64, amount: i128) {
        self.follow(now);
        self.start = (self.start + amount).min(self.burst - self.earned(self.length));
    }

    pub(crate) fn deposit(&mut self, now: u64) {
        self.add(now, self.share);
    }

    pub(crate) fn refund(&mut self, now: u64) {
        self.add(now, 1_000);
    }

    pub(crate) fn withdraw(&mut self, now: u64) -> bool {
        let allowed = self.balance(now) >= 1_000;
        if allowed {
            self.add(now, -1_000);
        } else if i128::from(now) / self.length < self.half {
            self.follow(now); // a refusal goes with a clock that went back, and otherwise leaves no trace
        }
        allowed
    }
}
