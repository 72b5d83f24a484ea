//! When to retry against the formulas as they are written: backoff with every jitter, decorrelated backoff, and the retry
//! budget.
#![no_main]

#[path = "../../core/tests/support/naive_budget.rs"]
mod naive_budget;

use arbitrary::Arbitrary;
use core::time::Duration;
use fusebox_core::*;
use fusebox_fuzz::clock::{Hands, Move};
use fusebox_fuzz::growth::power;
use libfuzzer_sys::fuzz_target;
use naive_budget::Naive;

#[derive(Arbitrary, Debug)]
enum Input {
    Backoff { base: Span, factor_milli: u32, cap: Span, jitter: AnyJitter, draws: Vec<(Retry, u64)> },
    Decorrelated { base: Span, cap: Span, draws: Vec<(Option<Span>, u64)> },
    Budget { policies: [AnyBudget; 2], start: u64, only_ahead: bool, operations: Vec<(Move, Operation)> },
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Span {
    Nanos(u64),
    Millis(u16),
    Seconds(u64),
    Year(i8),
}

impl From<Span> for Duration {
    fn from(span: Span) -> Self {
        match span {
            Span::Nanos(nanos) => Self::from_nanos(nanos),
            Span::Millis(millis) => Self::from_millis(millis.into()),
            Span::Seconds(seconds) => Self::from_secs(seconds),
            Span::Year(more) => Self::from_nanos(YEAR.saturating_add_signed(more.into())),
        }
    }
}

const SECOND: u64 = 1_000_000_000;
const YEAR: u64 = 365 * 86_400 * SECOND;

#[derive(Arbitrary, Clone, Copy, Debug)]
enum AnyJitter {
    None,
    Equal,
    Full,
}

/// The number of a retry.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Retry {
    Early(u8),
    Any(u32),
}

#[derive(Arbitrary, Clone, Copy, Debug)]
struct AnyBudget {
    share_milli: u16,
    /// Thousandths per second; none if it is even.
    floor: u32,
    /// In ns, from the shortest window that is allowed.
    window: u64,
    /// In thousandths, from the least burst that is allowed.
    burst: u32,
    /// Taken literally, in range or not.
    raw: bool,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Operation {
    Deposit(u8),
    Withdraw,
    Refund,
    ChangePolicy,
    Restore,
}

fn in_range(base: Duration, cap: Duration) -> bool {
    let year = Duration::from_nanos(YEAR);
    base <= year && cap >= base && cap <= year
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

/// `span x random / 2^64`
fn drawn(span: u64, random: u64) -> u64 {
    u64::try_from((u128::from(span) * u128::from(random)) >> 64).expect("less than the span")
}

fn backoff(config: BackoffConfig, draws: &[(Retry, u64)]) {
    let BackoffConfig { base, factor_milli, cap, jitter } = config;
    let backoff = Backoff::new(config);
    let right = in_range(base, cap) && (1_000..=100_000).contains(&factor_milli);
    assert_eq!(backoff.is_ok(), right, "{backoff:?}");
    let Ok(backoff) = backoff else { return };
    for &(retry, random) in draws {
        let number = match retry {
            Retry::Early(number) => number.into(),
            Retry::Any(number) => number,
        };
        let delay = nanos(backoff.delay(number, random));
        let (least, most) = match number {
            // beyond this a factor that is not whole makes exact numbers of many thousand bits
            0..=255 => power(nanos(base), factor_milli, nanos(cap), number),
            _ => (power(nanos(base), factor_milli, nanos(cap), 255).0, nanos(cap)),
        };
        let band = |full: u64| match jitter {
            Jitter::None => full,
            Jitter::Equal => full - drawn(full / 2, random),
            _ => full - drawn(full, random),
        };
        assert!(delay <= nanos(cap));
        assert!(
            (band(least)..=band(most)).contains(&delay),
            "retry {number}: {delay}, right is {} to {}",
            band(least),
            band(most)
        );
        assert!(nanos(backoff.delay(number.saturating_add(1), random)) >= delay, "delays do not fall");
    }
}

fn decorrelated(base: Duration, cap: Duration, draws: &[(Option<Span>, u64)]) {
    let backoff = DecorrelatedBackoff::new(base, cap);
    assert_eq!(backoff.is_ok(), in_range(base, cap), "{backoff:?}");
    let Ok(backoff) = backoff else { return };
    let (base, cap) = (nanos(base), nanos(cap));
    let mut last = None;
    for &(previous, random) in draws {
        let previous = previous.map(Duration::from).or(last);
        let delay = backoff.delay(previous, random);
        let three_times = previous.map_or(base.into(), |previous| previous.as_nanos()) * 3;
        if let Ok(top) = u64::try_from(three_times) {
            let expected = base + drawn(top.saturating_sub(base), random);
            assert_eq!(nanos(delay), expected.min(cap));
        } else {
            assert!((base..=cap).contains(&nanos(delay)));
        }
        last = Some(delay);
    }
}

/// The checked policy, if the numbers are within the documented ranges; that they are is checked too.
fn budget_policy(any: AnyBudget) -> Option<RetryBudgetPolicy> {
    let floor = if any.floor.is_multiple_of(2) { 0 } else { u64::from(any.floor) % 100_000_001 };
    let earned = |window: u64| (u128::from(floor) * u128::from(window)).div_ceil(SECOND.into());
    let (least, most) = (SECOND, 3_600 * SECOND);
    let (least, most) = match floor {
        0 => (least, most),
        floor => (least.max((2_000 * SECOND).div_ceil(floor)), most.min(100_000_000 * SECOND / floor)),
    };
    if !any.raw && least > most {
        return None;
    }
    let window = if any.raw { any.window } else { least + any.window % (most - least + 1) };
    let least_burst = u64::try_from(earned(window).max(1_000)).expect("a product of small numbers");
    let burst =
        if any.raw { any.burst.into() } else { least_burst + u64::from(any.burst) % (100_000_001 - least_burst) };
    let config = RetryBudgetConfig {
        share_milli: if any.raw { any.share_milli.into() } else { u32::from(any.share_milli) % 10_001 },
        floor_per_second: Tokens::milli(floor),
        window: Duration::from_nanos(window),
        burst: Tokens::milli(burst),
    };
    let right = config.share_milli <= 10_000
        && (least..=most).contains(&window)
        && (least_burst..=100_000_000).contains(&burst);
    let policy = RetryBudgetPolicy::new(config);
    assert_eq!(policy.is_ok(), right, "{policy:?} of {config:?}");
    policy.ok()
}

struct Pair {
    budget: RetryBudget,
    naive: Naive,
}

impl Pair {
    fn withdraw(&mut self, policy: &RetryBudgetPolicy, hands: &mut Hands) {
        let before = format!("{:?}", self.budget);
        let went_back = self.naive;
        let now = hands.reading();
        let refusal = self.budget.refusal(policy, now);
        let given = self.budget.try_withdraw(policy, now);
        assert_eq!(given.is_ok(), self.naive.withdraw(hands.now));
        assert_eq!(refusal, given.err());
        let Err(wait) = given else { return };
        if format!("{went_back:?}") == format!("{:?}", self.naive) {
            assert_eq!(format!("{:?}", self.budget), before, "F1: a refusal has written");
        }
        hands.told(wait);
        match wait {
            Wait::Nanos(wait) => {
                if let Some(then) = hands.now.checked_add(wait) {
                    assert!(self.naive.balance(then) >= 1_000, "{wait} is too short: {:?}", self.naive);
                    assert!(wait > 0 && self.naive.balance(then - 1) < 1_000, "{wait} is too long: {:?}", self.naive);
                }
            }
            Wait::Never => assert_eq!(policy.config().floor_per_second, Tokens::ZERO),
            Wait::Release => panic!("a budget has no slots"),
        }
    }

    fn change_policy(&mut self, old: &RetryBudgetPolicy, new: &RetryBudgetPolicy, now: Instant) {
        let fresh = self.budget.is_fresh(old, now);
        let balance = self.naive.balance(now.as_nanos()).max(0);
        if fresh {
            assert_eq!(balance, Naive::new(old).balance(now.as_nanos()));
        }
        self.budget.change_policy(old, new, now);
        self.naive = if fresh { Naive::new(new) } else { Naive::holding(new, balance, now.as_nanos()) };
    }
}

fn budget(policies: [AnyBudget; 2], start: u64, only_ahead: bool, operations: Vec<(Move, Operation)>) {
    let [Some(mut policy), Some(mut other)] = policies.map(budget_policy) else { return };
    let mut hands = Hands::at(start, only_ahead);
    let mut pair = Pair { budget: RetryBudget::new(), naive: Naive::new(&policy) };
    for (by, operation) in operations.into_iter().take(150) {
        let now = hands.turn(by);
        match operation {
            Operation::Deposit(calls) => {
                for _ in 0..=calls {
                    pair.budget.deposit(&policy, now);
                    pair.naive.deposit(hands.now);
                }
            }
            Operation::Withdraw => pair.withdraw(&policy, &mut hands),
            Operation::Refund => {
                pair.budget.refund(&policy, now);
                pair.naive.refund(hands.now);
            }
            Operation::ChangePolicy => {
                pair.change_policy(&policy, &other, now);
                core::mem::swap(&mut policy, &mut other);
            }
            Operation::Restore => {
                let snapshot = pair.budget.snapshot(&policy, now);
                pair.budget = RetryBudget::restore(&policy, now, snapshot);
                let balance = pair.naive.balance(hands.now).max(0);
                pair.naive = Naive::holding(&policy, balance, hands.now);
            }
        }
        let balance = pair.budget.snapshot(&policy, now).balance;
        assert_eq!(i128::from(balance.as_milli()), pair.naive.balance(hands.now).max(0), "{:?}", pair.naive);
        assert!(balance <= policy.config().burst);
    }
}

fn run(input: Input) {
    match input {
        Input::Backoff { base, factor_milli, cap, jitter, draws } => {
            // mostly in range
            let factor_milli = if factor_milli > 1 << 31 { factor_milli } else { 1_000 + factor_milli % 99_001 };
            let jitter = match jitter {
                AnyJitter::None => Jitter::None,
                AnyJitter::Equal => Jitter::Equal,
                AnyJitter::Full => Jitter::Full,
            };
            backoff(BackoffConfig { base: base.into(), factor_milli, cap: cap.into(), jitter }, &draws);
        }
        Input::Decorrelated { base, cap, draws } => decorrelated(base.into(), cap.into(), &draws),
        Input::Budget { policies, start, only_ahead, operations } => budget(policies, start, only_ahead, operations),
    }
}

fuzz_target!(|input: Input| run(input));
