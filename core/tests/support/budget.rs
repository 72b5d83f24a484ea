//! Retry budgets of every shape, and what happens to them.

use super::*;

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
