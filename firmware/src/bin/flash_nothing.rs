//! The flash that a program takes without the core: the runtime of the board and an exit.

#![no_main]
#![no_std]

use fusebox_firmware::board;
use semihosting::process;

#[board::entry]
fn main() -> ! {
    process::exit(0)
}
