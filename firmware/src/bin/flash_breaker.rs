//! The flash that a breaker without a window takes, beyond that of `flash_nothing`.

#![no_main]
#![no_std]

use core::hint::black_box as any;
use fusebox_core::{Breaker, BreakerPolicy, Instant, Outcome};
use fusebox_firmware::board;
use semihosting::process;

static BREAKER: Breaker = Breaker::new();
static POLICY: BreakerPolicy = BreakerPolicy::DEFAULT;
const NOW: Instant = Instant::from_nanos(1);

#[board::entry]
fn main() -> ! {
    let policy = any(&POLICY);
    if let Ok((ticket, transition)) = BREAKER.admit(policy, any(NOW)) {
        any(transition);
        any(BREAKER.settle(policy, any(NOW), ticket, any(Outcome::Failure)));
    }
    process::exit(0)
}
