//! A retry budget in plain wide arithmetic that walks from one half window to the next: the oracle of its tests. It
//! shares no code with the core.

use super::*;

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

    fn earned(&self, nanos: i128) -> i128 {
        nanos * self.floor / i128::from(SECOND)
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

/// Budgets of every shape: with and without floor or share, short and long windows.
pub(crate) fn any_budget() -> impl Strategy<Value = RetryBudgetPolicy> {
    let window = prop_oneof![Just(10 * SECOND), SECOND..20 * SECOND, SECOND..=3_600 * SECOND];
    let share = prop_oneof![Just(0), Just(200), 0_u32..=10_000];
    let shares = (any::<u64>(), any::<u64>(), prop::bool::weighted(0.2), 0_u32..30);
    (window, share, shares).prop_map(|(window, share_milli, (floor, burst, no_floor, shift))| {
        let (least, most) = ((2_000 * SECOND).div_ceil(window), 100_000_000 * SECOND / window);
        let floor = if no_floor { 0 } else { least + (floor % (most - least + 1)) / (1 << shift) };
        let used = u128::from(floor) * u128::from(window);
        let least = u64::try_from(used.div_ceil(u128::from(SECOND))).expect("fits").max(1_000);
        let burst = least + (burst % (100_000_000 - least + 1)) / (1 << shift);
        RetryBudgetPolicy::new(RetryBudgetConfig {
            share_milli,
            floor_per_second: Tokens::milli(floor),
            window: Duration::from_nanos(window),
            burst: Tokens::milli(burst),
        })
        .expect("in range")
    })
}

/// What happens to a budget.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Budgeting {
    Deposits(u8),
    Withdraw,
    Refund,
}

pub(crate) fn budgeting() -> impl Strategy<Value = Budgeting> {
    prop_oneof![
        4 => (1_u8..40).prop_map(Budgeting::Deposits),
        6 => Just(Budgeting::Withdraw),
        1 => Just(Budgeting::Refund),
    ]
}
