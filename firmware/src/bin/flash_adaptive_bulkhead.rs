//! The flash that a bulkhead that learns its limit takes, beyond that of `flash_nothing`.

#![no_main]
#![no_std]

use core::hint::black_box as any;
use fusebox_core::{Bulkhead, BulkheadPolicy, Instant, LimitConfig, Outcome};
use fusebox_firmware::board;
use semihosting::process;

static BULKHEAD: Bulkhead = Bulkhead::new();
static POLICY: BulkheadPolicy = match BulkheadPolicy::adaptive(LimitConfig::DEFAULT) {
    Ok(policy) => policy,
    Err(_) => panic!("checked at compile time"),
};
const NOW: Instant = Instant::from_nanos(1);

#[board::entry]
fn main() -> ! {
    let policy = any(&POLICY);
    if let Ok(ticket) = BULKHEAD.admit(policy, any(NOW)) {
        any(BULKHEAD.settle(policy, any(NOW), ticket, any(Outcome::Failure)));
    }
    process::exit(0)
}
