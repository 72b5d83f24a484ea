//! The flash that a breaker with a window of the latest seconds takes, beyond that of `flash_nothing`.

#![no_main]
#![no_std]

use core::hint::black_box as any;
use core::time::Duration;
use fusebox_core::{Breaker, BreakerConfig, BreakerPolicy, Instant, Outcome, RateTrip, TimeWindow, Trip};
use fusebox_firmware::board;
use semihosting::process;

static BREAKER: Breaker<TimeWindow> = Breaker::with_window(match TimeWindow::new(Duration::from_secs(30)) {
    Ok(window) => window,
    Err(_) => panic!("checked at compile time"),
});
static POLICY: BreakerPolicy = match BreakerPolicy::new(CONFIG) {
    Ok(policy) => policy,
    Err(_) => panic!("checked at compile time"),
};
const CONFIG: BreakerConfig = BreakerConfig { trip: Trip::Rate(RateTrip::DEFAULT), ..BreakerConfig::DEFAULT };
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
