//! The shipped core on emulated boards.
//!
//! | program | shows |
//! |---|---|
//! | `shared_fuse` | how a static is shared with an interrupt: the example of `docs/FIRMWARE.md` |
//! | `race` | a main loop and a timer interrupt race for one primitive, and every budget comes out exact |
//! | `unguarded`, `stuck` | the race sees a budget that is overspent, and a main loop that hangs |
//! | `spinning` | the time limit sees an interrupt that hangs, on Cortex-M3 and riscv32imac |
//! | `costs` | how many instructions an operation takes |
//! | `flash_*` | how many bytes a primitive takes, as the difference to `flash_nothing` |
//!
//! `.ci/firmware` builds and runs them all.

#![no_std]

#[cfg_attr(target_arch = "arm", path = "board/cortex_m.rs")]
#[cfg_attr(target_arch = "riscv32", path = "board/riscv.rs")]
pub mod board;
pub mod race;
mod shared;

pub use shared::Shared;
