//! `Bulkhead`: a cap on the calls in flight.
//!
//! ```
//! use fusebox_core::{Bulkhead, BulkheadPolicy};
//!
//! static BULKHEAD: Bulkhead = Bulkhead::new();
//! let policy = BulkheadPolicy::new(1)?;
//! assert!(BULKHEAD.try_enter(&policy));
//! assert!(!BULKHEAD.try_enter(&policy));
//! BULKHEAD.leave();
//! assert!(BULKHEAD.try_enter(&policy));
//! # Ok::<(), fusebox_core::PolicyError>(())
//! ```
//!
//! **Guarantees.** Never more than the limit in flight under one limit. Lowering the limit takes no slot away: calls
//! in flight finish, new ones wait until the count is below the new limit.
//!
//! **Cost.** One load and one compare-exchange to enter and to leave; a refusal is one load. 8 bytes; no allocation.

use crate::error::{PolicyError, check_count};
use crate::word::{Packed, Word};

/// A checked cap on the calls in flight.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BulkheadPolicy {
    max_in_flight: u32,
}

impl BulkheadPolicy {
    /// At most `max_in_flight` calls at a time, 1 to 2^32-1.
    ///
    /// # Errors
    /// When the cap is 0, under which no call could ever go.
    pub const fn new(max_in_flight: u32) -> Result<Self, PolicyError> {
        match check_count("max_in_flight", max_in_flight as u64, 1, u32::MAX as u64) {
            Ok(()) => Ok(Self { max_in_flight }),
            Err(error) => Err(error),
        }
    }

    /// The cap.
    pub const fn max_in_flight(&self) -> u32 {
        self.max_in_flight
    }
}

/// The number of calls in flight: state only, the policy is an argument. See the [module documentation](self).
#[derive(Debug)]
pub struct Bulkhead {
    word: Word<InFlight>,
}

/// The bulkhead's word: a count of calls, all 64 bits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct InFlight(u64);

impl InFlight {
    const fn enter(self, policy: &BulkheadPolicy) -> (Self, bool) {
        if self.0 < policy.max_in_flight as u64 { (Self(self.0.saturating_add(1)), true) } else { (self, false) }
    }

    const fn leave(self) -> Self {
        Self(self.0.saturating_sub(1))
    }
}

impl Packed for InFlight {
    fn pack(self) -> u64 {
        self.0
    }

    fn unpack(bits: u64) -> Self {
        Self(bits)
    }
}

impl Bulkhead {
    /// A bulkhead with nothing in flight.
    pub const fn new() -> Self {
        Self { word: Word::from_bits(0) }
    }

    /// Takes a slot if fewer calls are in flight than the policy allows. A refusal only reads.
    #[inline]
    #[must_use = "a slot that was taken must be left again"]
    pub fn try_enter(&self, policy: &BulkheadPolicy) -> bool {
        self.word.transition(|in_flight| in_flight.enter(policy))
    }

    /// Gives a slot back. Call it once for each slot taken; with none taken it does nothing.
    #[inline]
    pub fn leave(&self) {
        self.word.transition(|in_flight| (in_flight.leave(), ()));
    }

    /// Calls in flight.
    pub fn in_flight(&self) -> u64 {
        self.word.load().0
    }
}

impl Default for Bulkhead {
    fn default() -> Self {
        Self::new()
    }
}
