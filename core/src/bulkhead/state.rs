//! The bulkhead's state in one word, and its transitions as pure functions.
//!
//! ```text
//!  bit   63     56 55        44 43        32 31                          0
//!        +--------+------------+------------+----------------------------+
//!        | epoch  |  progress  |   limit    |         in flight          |
//!        | 8 bits |  12 bits   |  12 bits   |          32 bits           |
//!        +--------+------------+------------+----------------------------+
//! ```
//!
//! A limit of 0 stands for one that was never changed: the policy's initial one. Under a fixed policy the upper half is
//! neither read nor written.
//!
//! **How the limit moves**: additive increase, multiplicative decrease, as TCP does it (Jacobson, "Congestion Avoidance
//! and Control", 1988; Chiu and Jain, 1989) and Netflix's concurrency-limits in its `AIMDLimit`.
//!
//! 1. *Up.* A success counts while at least half of the limit is in flight, as otherwise it says nothing about the
//!    limit. `limit` of them in a row of one epoch raise it by one: each is worth 1 / limit.
//! 2. *Down.* A failure, or a success that was slow, leaves `cut` of the limit and begins a new epoch.
//! 3. *Once per round trip.* A call learns its epoch when it enters. One that entered before the latest cut ran under
//!    the older limit, so it neither cuts again nor counts as progress.
//!
//! Rule 3 needs no clock, so no clock can spoil it. The epoch wraps: a call that sees 256 cuts come and go while it runs
//! may cause one more.

use super::policy::{BulkheadPolicy, LimitConfig};
use crate::field::Field;
use crate::outcome::Outcome;
use crate::time::Instant;
use crate::word::Packed;

const IN_FLIGHT: Field = Field::first(32);
const LIMIT: Field = IN_FLIGHT.then(12);
const PROGRESS: Field = LIMIT.then(12);
const EPOCH: Field = PROGRESS.rest();
const _: () = assert!(EPOCH.end() == 64 && EPOCH.bits() == 8);

/// The highest limit that can be learned.
pub(crate) const MAX_ADAPTIVE: u32 = 4_095;
const _: () = assert!(MAX_ADAPTIVE as u64 == LIMIT.max());

/// The bulkhead's word, decoded. Steps are functions of this value; see [`BulkheadState::enter`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct BulkheadState {
    in_flight: u32,
    /// The upper half of the word, decoded where a limit adapts.
    learned: Learned,
}

/// What was learned about the limit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
struct Learned {
    /// `None` until it first changed.
    limit: Option<u32>,
    progress: u32,
    epoch: u8,
}

/// When and in which epoch a call entered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BulkheadStamp {
    pub(crate) issued: Instant,
    pub(crate) epoch: u8,
}

/// A limit that has changed.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct LimitChange {
    /// The limit before.
    pub from: u32,
    /// The limit from now on.
    pub to: u32,
}

impl BulkheadState {
    /// A bulkhead with nothing in flight that has learned nothing.
    pub const NEW: Self = Self::with_limit(None);

    /// A bulkhead with nothing in flight and this learned limit, up to 4095.
    pub const fn with_limit(limit: Option<u32>) -> Self {
        let limit = match limit {
            Some(0) | None => None,
            Some(limit) if limit > MAX_ADAPTIVE => Some(MAX_ADAPTIVE),
            Some(limit) => Some(limit),
        };
        Self { in_flight: 0, learned: Learned { limit, progress: 0, epoch: 0 } }
    }

    /// Takes a slot for a call that begins at `now`, if there is one.
    #[inline]
    pub const fn enter(self, now: Instant, policy: &BulkheadPolicy) -> (Self, Option<BulkheadStamp>) {
        if self.in_flight >= self.limit(policy) {
            return (self, None);
        }
        let stamp = BulkheadStamp { issued: now, epoch: self.learned.epoch };
        (Self { in_flight: self.in_flight.saturating_add(1), ..self }, Some(stamp))
    }

    /// Gives a slot back and learns nothing.
    #[inline]
    pub const fn leave(self) -> Self {
        Self { in_flight: self.in_flight.saturating_sub(1), ..self }
    }

    /// Gives the slot of a call back, and learns from how it ended.
    #[inline]
    pub const fn settle(
        self,
        stamp: BulkheadStamp,
        outcome: Outcome,
        now: Instant,
        policy: &BulkheadPolicy,
    ) -> (Self, Option<LimitChange>) {
        let Some(adaptive) = policy.adaptive_config() else { return (self.leave(), None) };
        let learned = match outcome {
            Outcome::Ignored | Outcome::Cancelled => return (self.leave(), None),
            _ if stamp.epoch != self.learned.epoch => return (self.leave(), None),
            Outcome::Failure => self.learned.cut(adaptive),
            Outcome::Success if adaptive.is_slow(stamp.issued, now) => self.learned.cut(adaptive),
            Outcome::Success => self.learned.advanced(self.in_flight, adaptive),
        };
        let (from, to) = (self.limit(policy), adaptive.limit(learned.limit));
        (Self { learned, ..self.leave() }, if from == to { None } else { Some(LimitChange { from, to }) })
    }

    /// Calls in flight.
    pub const fn in_flight(self) -> u32 {
        self.in_flight
    }

    /// The limit in force.
    #[inline]
    pub const fn limit(self, policy: &BulkheadPolicy) -> u32 {
        match policy.adaptive_config() {
            Some(adaptive) => adaptive.limit(self.learned.limit),
            None => policy.max_in_flight(),
        }
    }

    /// What was learned, if anything.
    pub const fn learned(self) -> Option<u32> {
        self.learned.limit
    }

    /// Whether a new bulkhead would behave the same.
    pub const fn is_fresh(self, policy: &BulkheadPolicy) -> bool {
        let learned = match policy.adaptive_config() {
            Some(adaptive) => self.learned.progress > 0 || self.limit(policy) != adaptive.initial,
            None => false,
        };
        self.in_flight == 0 && !learned
    }

    pub(crate) const fn bits(self) -> u64 {
        let Learned { limit, progress, epoch } = self.learned;
        let limit = match limit {
            Some(limit) => limit,
            None => 0,
        };
        EPOCH.put(epoch as u64) | PROGRESS.put(progress as u64) | LIMIT.put(limit as u64) | self.in_flight as u64
    }
}

impl Learned {
    const fn cut(self, adaptive: &LimitConfig) -> Self {
        let limit = adaptive.cut(adaptive.limit(self.limit));
        Self { limit: Some(limit), progress: 0, epoch: self.epoch.wrapping_add(1) }
    }

    const fn advanced(self, in_flight: u32, adaptive: &LimitConfig) -> Self {
        let (limit, progress) = (adaptive.limit(self.limit), self.progress.saturating_add(1));
        if in_flight.saturating_mul(2) < limit || limit >= adaptive.max {
            return self;
        }
        if progress < limit {
            return Self { progress, ..self };
        }
        Self { limit: Some(limit.saturating_add(1)), progress: 0, ..self }
    }
}

impl Packed for BulkheadState {
    #[inline]
    fn pack(self) -> u64 {
        self.bits()
    }

    #[inline]
    fn unpack(bits: u64) -> Self {
        let limit = match LIMIT.get_u32(bits) {
            0 => None,
            limit => Some(limit),
        };
        let learned = Learned { limit, progress: PROGRESS.get_u32(bits), epoch: EPOCH.get_u8(bits) };
        Self { in_flight: IN_FLIGHT.get_u32(bits), learned }
    }
}
