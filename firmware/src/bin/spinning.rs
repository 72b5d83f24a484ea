//! A control that must hang on Cortex-M3 and riscv32imac: the 64-bit atomic of portable-atomic, which the core avoids.
//!
//! There it is a spinning lock. An interrupt that comes while the main loop holds it spins for ever, and no firmware
//! notices: only the time limit of the emulator does.

#![no_main]
#![no_std]

use fusebox_firmware::{board, race};
use portable_atomic::{AtomicU64, Ordering};
use semihosting::{println, process};

static COUNT: AtomicU64 = AtomicU64::new(0);

#[board::entry]
fn main() -> ! {
    for period in race::periods(400) {
        race::round(period, count, || (0..300).for_each(|_| count()));
    }
    println!("PASSED");
    process::exit(0)
}

fn count() {
    COUNT.fetch_add(1, Ordering::Relaxed);
}
