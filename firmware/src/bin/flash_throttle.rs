//! The flash that a throttle takes, beyond that of `flash_nothing`.

#![no_main]
#![no_std]

use core::hint::black_box as any;
use fusebox_core::{Instant, Throttle, ThrottlePolicy};
use fusebox_firmware::board;
use semihosting::process;

static THROTTLE: Throttle = Throttle::new();
static POLICY: ThrottlePolicy = ThrottlePolicy::DEFAULT;
const NOW: Instant = Instant::from_nanos(1);

#[board::entry]
fn main() -> ! {
    let policy = any(&POLICY);
    let admitted = THROTTLE.try_admit(policy, any(NOW), any(1));
    if any(admitted).is_ok() {
        THROTTLE.settle(policy, any(NOW), any(true));
    }
    process::exit(0)
}
