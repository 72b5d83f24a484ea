//! A control that must fail: a main loop that hangs. The watchdog in the race must see it.

#![no_main]
#![no_std]

use fusebox_firmware::{board, race};

#[board::entry]
fn main() -> ! {
    race::round(
        401,
        || {},
        || {
            loop {
                board::delay(1_000);
            }
        },
    );
    unreachable!("the main loop never ends")
}
