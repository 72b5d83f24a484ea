//! The race: a main loop and the timer's interrupt work on one primitive, round after round.
//!
//! An emulator that counts instructions interrupts at the same ones each time it runs. So each round has a period of
//! its own, from 401 to 1,600 ticks, and the interrupt comes at other places of an operation.

pub mod breaker;
pub mod bucket;
pub mod circuit;

use crate::{Shared, board};

/// How many interrupts a round may have. The longest takes a few hundred; a main loop that comes to no end takes more.
const WATCHDOG: u32 = 10_000;
const PERIODS: core::ops::Range<u32> = 401..1_601;
/// Coprime to the number of periods, so that neighbouring rounds differ much and no period comes twice.
const STRIDE: u32 = 7;

static INTERRUPTS: Shared<u32> = Shared::new(0);
static HANDLER: Shared<fn()> = Shared::new(|| {});

/// The periods of `rounds` rounds, spread over all there are.
pub fn periods(rounds: u32) -> impl Iterator<Item = u32> {
    let span = PERIODS.end - PERIODS.start;
    (0..rounds).map(move |round| PERIODS.start + round * STRIDE % span)
}

/// Runs `main_loop` while `handler` interrupts it every `period` ticks. Fails when that takes too many interrupts.
pub fn round(period: u32, handler: fn(), main_loop: impl FnOnce()) {
    INTERRUPTS.replace(0);
    HANDLER.replace(handler);
    board::start(period, watched);
    main_loop();
    board::stop();
}

fn watched() {
    let interrupts = INTERRUPTS.update(|count| *count += 1);
    assert!(interrupts < WATCHDOG, "the watchdog: the main loop does not come to an end");
    HANDLER.get()();
}

/// Who did something.
#[derive(Clone, Copy)]
pub enum Side {
    /// The main loop.
    Main,
    /// The interrupt.
    Interrupt,
}

/// How often each side did something.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sides {
    main: u32,
    interrupt: u32,
}

impl Sides {
    /// Neither did.
    pub const NONE: Self = Self { main: 0, interrupt: 0 };

    /// One more by `side`.
    pub const fn add(&mut self, side: Side) {
        match side {
            Side::Main => self.main += 1,
            Side::Interrupt => self.interrupt += 1,
        }
    }

    /// Both together.
    pub const fn sum(self) -> u32 {
        self.main + self.interrupt
    }

    /// Fails unless both sides did it: otherwise there was no race.
    pub fn expect_both(self, what: &str) {
        assert!(self.main > 0 && self.interrupt > 0, "both sides should have {what}: {self:?}");
    }
}
