//! The retry budget's books: exact within a half window, and bounded over several.

use crate::crew::crew;
use crate::pace::{Pace, Time};
use crate::tally::Tally;
use fastrand::Rng;
use fusebox_core::{Clock, Instant, RetryBudget, RetryBudgetConfig, RetryBudgetPolicy, Tokens};
use std::time::Duration;

const OPERATIONS: u32 = 1_500;
const HALF: u64 = 5_000_000_000;

/// What the threads have done to a budget.
#[derive(Default)]
struct Sum {
    deposits: i64,
    withdrawn: i64,
    refunded: i64,
    refused: u64,
}

/// One round: some half windows, one after another, in each of which the threads race.
pub(crate) fn run(rng: &mut Rng, threads: usize) -> Tally {
    let share_milli = rng.u32(..2_000);
    let floor_per_second = Tokens::milli(rng.u64(1_000..20_000));
    let config = RetryBudgetConfig {
        share_milli,
        floor_per_second,
        window: Duration::from_nanos(2 * HALF),
        burst: Tokens::whole(100_000),
    };
    let policy = RetryBudgetPolicy::new(config).expect("in range");
    let (budget, begin) = (RetryBudget::new(), rng.u64(..1 << 20) * HALF);
    let at_first = balance(&budget, &policy, Instant::from_nanos(begin));
    let mut total = Sum::default();
    for half in 0..3 {
        let start = begin + half * HALF;
        let before = balance(&budget, &policy, Instant::from_nanos(start));
        // readings are late by less than the half window, in which the clock stays
        let time = Time::starting_at(start, HALF / (2 * u64::from(OPERATIONS) * threads as u64));
        let sum = race(&budget, &policy, &time, rng, threads);
        let now = time.now();
        let floor = balance(&RetryBudget::new(), &policy, now)
            - balance(&RetryBudget::new(), &policy, Instant::from_nanos(start));
        let earned = i64::from(share_milli) * sum.deposits + floor;
        let expected = before + earned - 1_000 * (sum.withdrawn - sum.refunded);
        assert_eq!(balance(&budget, &policy, now), expected, "half window {half}, in thousandths of a retry");
        total.deposits += sum.deposits;
        total.withdrawn += sum.withdrawn;
        total.refunded += sum.refunded;
        total.refused += sum.refused;
    }
    let floor = i64::try_from(floor_per_second.as_milli() * 3 * HALF / 1_000_000_000).unwrap_or(i64::MAX);
    let most = at_first + i64::from(share_milli) * total.deposits + floor;
    let net = 1_000 * (total.withdrawn - total.refunded);
    assert!(net <= most, "{net} thousandths of a retry withdrawn, {most} earned");
    Tally::from([("withdrawn", total.withdrawn.unsigned_abs()), ("refused", total.refused)])
}

fn race(budget: &RetryBudget, policy: &RetryBudgetPolicy, time: &Time, rng: &mut Rng, threads: usize) -> Sum {
    let crew = crew(rng, threads, |_, rng| {
        let (mut sum, mut watch) = (Sum::default(), time.watch(Pace::Late));
        for _ in 0..OPERATIONS {
            let now = watch.read(rng);
            match rng.u8(..8) {
                0..=2 => {
                    budget.deposit(policy, now);
                    sum.deposits += 1;
                }
                3 if sum.withdrawn > sum.refunded => {
                    budget.refund(policy, now);
                    sum.refunded += 1;
                }
                _ => match budget.try_withdraw(policy, now) {
                    Ok(()) => sum.withdrawn += 1,
                    Err(_) => sum.refused += 1,
                },
            }
        }
        sum
    });
    crew.into_iter().fold(Sum::default(), |a, b| Sum {
        deposits: a.deposits + b.deposits,
        withdrawn: a.withdrawn + b.withdrawn,
        refunded: a.refunded + b.refunded,
        refused: a.refused + b.refused,
    })
}

fn balance(budget: &RetryBudget, policy: &RetryBudgetPolicy, now: Instant) -> i64 {
    i64::try_from(budget.snapshot(policy, now).balance.as_milli()).unwrap_or(i64::MAX)
}
