//! `Clock`: where a guard reads the time. The core itself never does.

use crate::time::Instant;

/// A source of [`Instant`]s. All primitives that share state must be given readings of one clock.
pub trait Clock {
    /// The time now.
    fn now(&self) -> Instant;
}

impl<C: Clock + ?Sized> Clock for &C {
    fn now(&self) -> Instant {
        (**self).now()
    }
}
