//! A control that must fail: a budget that checks, and then acts. The race must see it overspent.

#![no_main]
#![no_std]

use fusebox_firmware::race::bucket::{Budget, empty};
use fusebox_firmware::{Shared, board};
use semihosting::{println, process};

struct CheckThenAct;

static LEFT: Shared<u32> = Shared::new(0);

impl Budget for CheckThenAct {
    fn fill(tokens: u32, _: u32) {
        LEFT.replace(tokens);
    }

    fn take() -> bool {
        let left = LEFT.get();
        if left == 0 {
            return false;
        }
        LEFT.replace(left - 1); // whoever came in between is forgotten
        true
    }
}

#[board::entry]
fn main() -> ! {
    empty::<CheckThenAct>();
    println!("PASSED");
    process::exit(0)
}
