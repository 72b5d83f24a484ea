//! A main loop and a timer interrupt race for a bucket, a breaker and a circuit, and every budget comes out exact.

#![no_main]
#![no_std]

use fusebox_firmware::{board, race};
use semihosting::{println, process};

#[board::entry]
fn main() -> ! {
    race::bucket::run();
    race::breaker::run();
    race::circuit::run();
    println!("PASSED");
    process::exit(0)
}
