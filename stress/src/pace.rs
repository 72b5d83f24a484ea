//! `Time`: a clock that ticks with every reading, and `Watch`: how one thread reads it, late or not at all honestly.

use fastrand::Rng;
use fusebox_core::{Clock, Instant};
use std::sync::atomic::{AtomicU64, Ordering};

/// A clock that all threads share. Each reading moves it by a step, so a thread that is interrupted is late by what
/// the others have read, and no real time decides anything.
#[derive(Debug)]
pub(crate) struct Time {
    nanos: AtomicU64,
    step: u64,
}

impl Time {
    pub(crate) const fn starting_at(nanos: u64, step: u64) -> Self {
        Self { nanos: AtomicU64::new(nanos), step }
    }

    /// Moves the clock ahead, and reads it.
    pub(crate) fn advance(&self, nanos: u64) -> Instant {
        Instant::from_nanos(self.nanos.fetch_add(nanos, Ordering::SeqCst) + nanos)
    }

    pub(crate) fn watch(&self, pace: Pace) -> Watch<'_> {
        Watch { time: self, pace, held: None }
    }
}

impl Clock for Time {
    fn now(&self) -> Instant {
        self.advance(self.step)
    }
}

/// How a thread reads the clock.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pace {
    /// A reading for each operation.
    Prompt,
    /// Sometimes an older reading, kept for a few operations.
    Late,
    /// Sometimes no reading of the clock at all: its ends, or any time between.
    Hostile,
}

/// A thread's own way to read the clock.
#[derive(Debug)]
pub(crate) struct Watch<'a> {
    time: &'a Time,
    pace: Pace,
    held: Option<Instant>,
}

impl Watch<'_> {
    pub(crate) fn read(&mut self, rng: &mut Rng) -> Instant {
        match (self.pace, self.held) {
            (Pace::Late, Some(held)) => {
                if rng.u8(..4) == 0 {
                    self.held = None;
                }
                held
            }
            (Pace::Late, None) => {
                let now = self.time.now();
                if rng.u8(..8) == 0 {
                    self.held = Some(now);
                }
                now
            }
            (Pace::Hostile, _) => match rng.u8(..16) {
                0 => Instant::ORIGIN,
                1 => Instant::MAX,
                2 => Instant::from_nanos(rng.u64(..)),
                _ => self.time.now(),
            },
            (Pace::Prompt, _) => self.time.now(),
        }
    }
}
