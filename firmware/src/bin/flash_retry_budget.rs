//! The flash that a retry budget takes, beyond that of `flash_nothing`.

#![no_main]
#![no_std]

use core::hint::black_box as any;
use fusebox_core::{Instant, RetryBudget, RetryBudgetPolicy};
use fusebox_firmware::board;
use semihosting::process;

static BUDGET: RetryBudget = RetryBudget::new();
static POLICY: RetryBudgetPolicy = RetryBudgetPolicy::DEFAULT;
const NOW: Instant = Instant::from_nanos(1);

#[board::entry]
fn main() -> ! {
    let policy = any(&POLICY);
    BUDGET.deposit(policy, any(NOW));
    let _ = any(BUDGET.try_withdraw(policy, any(NOW)));
    process::exit(0)
}
