//! A bucket in exact rational arithmetic, the oracle of the bucket's tests. It shares no code with the core.

use super::*;

/// With a rate of n tokens per P ns, an amount of 1 is 1 / (1000 x P) of a token: a thousandth of a token is P of them,
/// and each nanosecond brings 1000 x n.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Exact {
    /// Negative when more was taken than a bucket may give.
    pub(crate) level: i128,
    pub(crate) burst: i128,
    pub(crate) per_nano: i128,
    pub(crate) per_milli: i128,
    pub(crate) last: u64,
}

impl Exact {
    pub(crate) fn full(policy: &BucketPolicy, now: u64) -> Self {
        let per_milli = i128::try_from(policy.rate().per.as_nanos()).expect("periods are in range");
        let burst = i128::from(policy.burst().as_milli()) * per_milli;
        Self { level: burst, burst, per_nano: i128::from(policy.rate().tokens) * 1_000, per_milli, last: now }
    }

    pub(crate) fn amount(&self, cost: Tokens) -> i128 {
        i128::from(cost.as_milli()) * self.per_milli
    }

    pub(crate) fn refill(&mut self, now: u64) {
        let inflow = i128::from(now - self.last) * self.per_nano;
        (self.level, self.last) = ((self.level + inflow).min(self.burst), now);
    }

    pub(crate) fn give_back(&mut self, cost: Tokens) {
        self.level = (self.level + self.amount(cost)).min(self.burst);
    }

    /// Nanoseconds until `cost` is there, rounded up.
    pub(crate) fn wait(&self, cost: Tokens) -> u64 {
        let short = (self.amount(cost) - self.level).max(0);
        u64::try_from((short + self.per_nano - 1) / self.per_nano).expect("waits are in range")
    }

    /// What flows in within the documented slack: nothing in the exact form, 2 ns in the rounded one.
    pub(crate) fn slack(&self) -> i128 {
        let (n, per) = (self.per_nano / 1_000, self.per_milli);
        let common = gcd(n, per);
        let (n, per) = (n / common, per / common);
        let exact = n * (1_000 / gcd(1_000, per)) <= 1_000;
        if exact { 0 } else { 2 * self.per_nano }
    }
}

fn gcd(a: i128, b: i128) -> i128 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// The rates that the design names, and any other.
pub(crate) fn rate() -> impl Strategy<Value = Rate> {
    let second = Duration::from_secs(1);
    let named = [1, 2, 7, 20, 12_347, 1_000_000, 600_000_000, 999_999_937, 1_000_000_000];
    prop_oneof![
        4 => prop::sample::select(named.to_vec()).prop_map(move |tokens| Rate { tokens, per: second }),
        2 => (1_u64..=SECOND).prop_map(move |tokens| Rate { tokens, per: second }),
        1 => (1_u64..1_000).prop_map(|tokens| Rate { tokens, per: Duration::from_secs(60) }),
        2 => (1_u64..10_000_000).prop_map(|tokens| Rate { tokens, per: Duration::from_nanos(DAY) }),
        1 => Just(Rate { tokens: 1, per: Duration::from_nanos(DAY) }),
        2 => (1_u64..1_000, 1_000_u64..SECOND).prop_map(|(tokens, per)| {
            Rate { tokens, per: Duration::from_nanos(per) }
        }),
    ]
}

/// Any rate with a burst of a thousandth to 100 tokens.
pub(crate) fn any_bucket() -> impl Strategy<Value = BucketPolicy> {
    let burst = prop_oneof![Just(1_000_u64), 1_u64..5_000, 1_u64..100_000].prop_map(Tokens::milli);
    (rate(), burst).prop_map(|(rate, burst)| bucket(rate.tokens, rate.per, burst))
}

/// The time in which the burst refills, rounded up.
pub(crate) fn burst_refill(policy: &BucketPolicy) -> u64 {
    let mut empty = Exact::full(policy, 0);
    empty.level = 0;
    empty.wait(policy.burst())
}

/// The documented leeway: how late a reading may be, and how much longer a step back may deny.
pub(crate) fn leeway(policy: &BucketPolicy) -> u64 {
    burst_refill(policy).max(SECOND)
}

/// One step of a caller: time moves ahead by `ahead / 2^14` of the burst's refill and `more` ns, then tokens move.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turn {
    ahead: u64,
    more: u64,
    pub(crate) cost: u64,
    pub(crate) refund: bool,
}

impl Turn {
    pub(crate) fn step(&self, policy: &BucketPolicy) -> u64 {
        let share = u128::from(burst_refill(policy)) * u128::from(self.ahead) / (1 << 14);
        u64::try_from(share).expect("a few refills are in range") + self.more
    }

    /// A cost of nothing to a little more than the burst.
    pub(crate) fn cost(&self, policy: &BucketPolicy) -> Tokens {
        Tokens::milli((policy.burst().as_milli() * self.cost).div_ceil(1_000))
    }
}

pub(crate) fn turns() -> impl Strategy<Value = Vec<Turn>> {
    let ahead = prop_oneof![3 => Just(0), 5 => 0_u64..4_000, 1 => 0_u64..40_000];
    let more = prop_oneof![Just(0), 0_u64..4];
    let cost = prop_oneof![5 => 1_u64..400, 2 => 0_u64..=1_000, 1 => 1_000_u64..1_200];
    let turn = (ahead, more, cost, prop::bool::weighted(0.15));
    let turn = turn.prop_map(|(ahead, more, cost, refund)| Turn { ahead, more, cost, refund });
    prop::collection::vec(turn, 1..60)
}

/// Where a run starts: anywhere on the clock, with room for the run.
pub(crate) fn start() -> impl Strategy<Value = u64> {
    let last = u64::MAX - 22_000 * DAY;
    prop_oneof![Just(0), 0..last, Just(last)]
}
