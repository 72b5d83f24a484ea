//! The flash that exponential backoff takes, beyond that of `flash_nothing`.

#![no_main]
#![no_std]

use core::hint::black_box as any;
use fusebox_core::{Backoff, BackoffConfig};
use fusebox_firmware::board;
use semihosting::process;

static BACKOFF: Backoff = match Backoff::new(BackoffConfig::DEFAULT) {
    Ok(backoff) => backoff,
    Err(_) => panic!("checked at compile time"),
};

#[board::entry]
fn main() -> ! {
    any(any(&BACKOFF).delay(any(1), any(1)));
    process::exit(0)
}
