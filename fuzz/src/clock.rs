//! `Move`: how the clock moves before an operation, and `Hands`: where it stands.

use arbitrary::Arbitrary;
use fusebox_core::{Instant, Wait};

/// How the clock moves.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Move {
    /// Not at all.
    Stay,
    /// Ahead by nanoseconds.
    Nanos(u16),
    /// Ahead by microseconds.
    Micros(u16),
    /// Ahead by milliseconds.
    Millis(u16),
    /// Ahead by seconds.
    Seconds(u16),
    /// To the end of the latest wait that was told, or a few nanoseconds from it.
    Told(i8),
    /// Back by microseconds.
    BackMicros(u16),
    /// Back by milliseconds.
    BackMillis(u16),
    /// Back by seconds.
    BackSeconds(u16),
    /// To anywhere.
    To(u64),
    /// To the origin.
    Origin,
    /// To the end of the clock.
    End,
}

/// A clock that a list of moves turns.
#[derive(Clone, Copy, Debug)]
pub struct Hands {
    /// The time in nanoseconds.
    pub now: u64,
    told: u64,
    only_ahead: bool,
}

impl Hands {
    /// A clock at `now`; moves back are not made if it goes `only_ahead`.
    pub fn at(now: u64, only_ahead: bool) -> Self {
        Self { now, told: now, only_ahead }
    }

    /// Moves the clock, and returns its reading.
    pub fn turn(&mut self, by: Move) -> Instant {
        const MICRO: u64 = 1_000;
        const MILLI: u64 = 1_000 * MICRO;
        const SECOND: u64 = 1_000 * MILLI;
        let now = self.now;
        let next = match by {
            Move::Stay => now,
            Move::Nanos(nanos) => now.saturating_add(nanos.into()),
            Move::Micros(micros) => now.saturating_add(u64::from(micros) * MICRO),
            Move::Millis(millis) => now.saturating_add(u64::from(millis) * MILLI),
            Move::Seconds(seconds) => now.saturating_add(u64::from(seconds) * SECOND),
            Move::Told(offset) => self.told.saturating_add_signed((offset / 16).into()),
            Move::BackMicros(micros) => now.saturating_sub(u64::from(micros) * MICRO),
            Move::BackMillis(millis) => now.saturating_sub(u64::from(millis) * MILLI),
            Move::BackSeconds(seconds) => now.saturating_sub(u64::from(seconds) * SECOND),
            Move::To(nanos) => nanos,
            Move::Origin => 0,
            Move::End => u64::MAX,
        };
        self.now = if self.only_ahead { next.max(now) } else { next };
        self.reading()
    }

    /// The reading now.
    pub fn reading(&self) -> Instant {
        Instant::from_nanos(self.now)
    }

    /// Remembers a wait for [`Move::Told`].
    pub fn told(&mut self, wait: Wait) {
        if let Wait::Nanos(nanos) = wait {
            self.told = self.now.saturating_add(nanos);
        }
    }
}
