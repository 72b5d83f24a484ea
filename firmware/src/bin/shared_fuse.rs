//! A fuse that the main loop and an interrupt share: a static, with no lock around it.

#![no_main]
#![no_std]

use core::time::Duration;
use fusebox_core::{BreakerPolicy, BulkheadPolicy, CircuitPolicy, Fuse, Instant, Outcome, Part, Rejection, Tokens};
use fusebox_firmware::board;
use portable_atomic::{AtomicBool, AtomicU32, Ordering};
use semihosting::{println, process};

/// The bus to a sensor: one reading at a time, and none for a while after seven in a row have failed.
static SENSOR: Fuse = Fuse::new(CircuitPolicy {
    breaker: Some(BreakerPolicy::DEFAULT),
    bulkhead: match BulkheadPolicy::new(1) {
        Ok(policy) => Some(policy),
        Err(_) => panic!("checked at compile time"),
    },
    ..CircuitPolicy::UNLIMITED
});

/// The time of this program. When the count wraps, the clock goes back; that costs an open breaker one wait.
static MILLIS: AtomicU32 = AtomicU32::new(0);
static UNPLUGGED: AtomicBool = AtomicBool::new(true);

fn now() -> Instant {
    Instant::ORIGIN.saturating_add(Duration::from_millis(MILLIS.load(Ordering::Relaxed).into()))
}

/// Called by the main loop and by the interrupt.
fn read_sensor() -> Result<Option<u16>, Rejection> {
    let (permit, _) = SENSOR.admit(now(), Tokens::ONE)?;
    let reading = if UNPLUGGED.load(Ordering::Relaxed) { None } else { Some(17) };
    let outcome = if reading.is_some() { Outcome::Success } else { Outcome::Failure };
    SENSOR.settle(now(), permit, outcome);
    Ok(reading)
}

fn on_timer() {
    MILLIS.store(MILLIS.load(Ordering::Relaxed) + 100, Ordering::Relaxed); // nobody else writes it
    let _ = read_sensor(); // refused while the main loop is in the middle of a reading
}

#[board::entry]
fn main() -> ! {
    board::start(20_000, on_timer);
    let refused = loop {
        if let Err(rejection) = read_sensor()
            && rejection.by == Part::Breaker
        {
            break rejection;
        }
    };
    println!("refused by the {}, ask again in {:?}", refused.by, refused.retry_after());

    UNPLUGGED.store(false, Ordering::Relaxed);
    while read_sensor() != Ok(Some(17)) {}
    println!("PASSED");
    process::exit(0)
}
