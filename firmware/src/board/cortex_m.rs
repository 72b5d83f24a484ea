//! microbit (Cortex-M0) and lm3s6965evb (Cortex-M3): the system timer that every Cortex-M has.

use crate::Shared;
use cortex_m::Peripherals;
use cortex_m::peripheral::SYST;
use cortex_m::peripheral::syst::SystClkSource;
use cortex_m_rt::exception;

pub use cortex_m::asm::delay;
pub use cortex_m_rt::entry;

static TIMER: Shared<Option<SYST>> = Shared::new(None);
static HANDLER: Shared<fn()> = Shared::new(|| {});
const LONGEST: u32 = 0x00FF_FFFF;

/// Calls `handler` from the timer's interrupt every `period` ticks, until [`stop`].
pub fn start(period: u32, handler: fn()) {
    HANDLER.replace(handler);
    with_timer(|timer| {
        restart(timer, period);
        timer.enable_interrupt();
    });
}

/// Ends the interrupts of [`start`].
pub fn stop() {
    with_timer(SYST::disable_interrupt);
}

/// The ticks of the timer while `operation` runs; at most 2^24.
pub fn ticks(operation: impl FnOnce()) -> u32 {
    with_timer(|timer| restart(timer, LONGEST));
    let before = SYST::get_current();
    operation();
    before.wrapping_sub(SYST::get_current()) & LONGEST // it counts down, and from 0 on to LONGEST
}

/// The instructions that [`delay`] executes in its loop of a subtraction and a branch.
pub const fn instructions_of_delay(cycles: u32) -> u32 {
    2 * (cycles + 1)
}

fn restart(timer: &mut SYST, period: u32) {
    timer.set_clock_source(SystClkSource::Core);
    timer.set_reload(period - 1);
    timer.clear_current();
    timer.enable_counter();
}

fn with_timer(operate: impl FnOnce(&mut SYST)) {
    let mut timer = TIMER.replace(None).or_else(|| Peripherals::take().map(|all| all.SYST));
    if let Some(timer) = &mut timer {
        operate(timer);
    }
    TIMER.replace(timer);
}

#[exception]
fn SysTick() {
    HANDLER.get()();
}
