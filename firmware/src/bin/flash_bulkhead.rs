//! The flash that a bulkhead with a fixed limit takes, beyond that of `flash_nothing`.

#![no_main]
#![no_std]

use core::hint::black_box as any;
use fusebox_core::{Bulkhead, BulkheadPolicy};
use fusebox_firmware::board;
use semihosting::process;

static BULKHEAD: Bulkhead = Bulkhead::new();
static POLICY: BulkheadPolicy = match BulkheadPolicy::new(8) {
    Ok(policy) => policy,
    Err(_) => panic!("checked at compile time"),
};

#[board::entry]
fn main() -> ! {
    if BULKHEAD.try_enter(any(&POLICY)) {
        BULKHEAD.leave();
    }
    process::exit(0)
}
