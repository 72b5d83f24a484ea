//! The RISC-V machine `virt`: the machine timer that the privileged architecture has.

use crate::Shared;
use core::ptr::{with_exposed_provenance, with_exposed_provenance_mut};
use riscv::interrupt::{self, Interrupt};
use riscv_rt::core_interrupt;

pub use riscv::asm::delay;
pub use riscv_rt::entry;

const MTIME: usize = 0x0200_BFF8;
const MTIMECMP: usize = 0x0200_4000;

static HANDLER: Shared<fn()> = Shared::new(|| {});
static PERIOD: Shared<u32> = Shared::new(0);

/// Calls `handler` from the timer's interrupt every `period` ticks, until [`stop`].
pub fn start(period: u32, handler: fn()) {
    HANDLER.replace(handler);
    PERIOD.replace(period);
    schedule();
    // SAFETY: no critical section is entered here, so none is broken by interrupts that begin.
    #[expect(unsafe_code, reason = "switching interrupts on can break a critical section of the caller")]
    unsafe {
        interrupt::enable_interrupt(Interrupt::MachineTimer);
        interrupt::enable();
    }
}

/// Ends the interrupts of [`start`].
pub fn stop() {
    interrupt::disable_interrupt(Interrupt::MachineTimer);
}

/// The ticks of the timer while `operation` runs.
pub fn ticks(operation: impl FnOnce()) -> u32 {
    let before = now();
    operation();
    now().wrapping_sub(before)
}

/// The instructions that [`delay`] executes in its loop of a subtraction and a branch.
pub const fn instructions_of_delay(cycles: u32) -> u32 {
    2 * (1 + cycles / 2)
}

/// The low half of the time; its 32 bits wrap after seven minutes, later than any program here ends.
fn now() -> u32 {
    // SAFETY: on this machine the address holds the timer's register, which can be read at any time.
    #[expect(unsafe_code, reason = "a register is reached by its address")]
    unsafe {
        with_exposed_provenance::<u32>(MTIME).read_volatile()
    }
}

fn schedule() {
    let next = now().wrapping_add(PERIOD.get());
    // SAFETY: as above; the register belongs to this file alone.
    #[expect(unsafe_code, reason = "a register is reached by its address")]
    unsafe {
        with_exposed_provenance_mut::<u64>(MTIMECMP).write_volatile(next.into());
    }
}

#[core_interrupt(Interrupt::MachineTimer)]
fn on_timer() {
    schedule();
    HANDLER.get()();
}
