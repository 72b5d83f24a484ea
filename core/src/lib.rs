//! Circuit breaker, token bucket, bulkhead and their facade as lock-free state machines over a clock that the *caller*
//! supplies. The same code runs in a Cortex-M0 interrupt handler and on a 64-core server.
//!
//! ```
//! use fusebox_core::*;
//!
//! static SENSOR: Fuse = Fuse::new(CircuitPolicy {
//!     breaker: Some(BreakerPolicy::DEFAULT), // opens after 7 consecutive failures
//!     ..CircuitPolicy::UNLIMITED
//! });
//!
//! let now = Instant::from_nanos(1_000_000); // from a timer, a cycle counter, std: any clock
//! for _ in 0..7 {
//!     let (permit, _) = SENSOR.admit(now, Tokens::ONE).expect("closed: calls go through");
//!     SENSOR.settle(now, permit, Outcome::Failure);
//! }
//! assert_eq!(SENSOR.admit(now, Tokens::ONE).unwrap_err().by, Part::Breaker);
//! ```
//!
//! # The parts
//!
//! | type | decides |
//! |---|---|
//! | [`Breaker`] | may a call go to a dependency that has been failing? |
//! | [`CountWindow`], [`TimeWindow`] | what share of a breaker's latest calls failed or were slow? |
//! | [`TokenBucket`] | do calls come too fast? |
//! | [`PriorityPolicy`] | which tokens does a call leave to more important ones? |
//! | [`AdaptiveRate`] | what rate does the service bear? |
//! | [`Bulkhead`] | are too many calls in flight? |
//! | [`Circuit`] | all of these at once, all or nothing |
//! | [`Gate`] | the same over any combination of parts |
//! | [`Fuse`] | a circuit that owns its policy |
//! | [`Panel`] | a fixed number of named circuits |
//! | [`Backoff`], [`DecorrelatedBackoff`] | how long to wait before a retry |
//! | [`RetryBudget`] | may a call be retried, or would retries become a storm? |
//! | [`Throttle`] | is it better not to send a call that would be refused anyway? |
//!
//! # Five rules
//!
//! 1. *Time is an argument.* Every operation takes `now`; any sequence of readings is legal.
//! 2. *Transitions are pure functions* ([`BreakerState`], [`BucketState`]); one loop makes them atomic.
//! 3. *State is words, policy is data.* A policy is checked once and passed by reference.
//! 4. *An admission hands out a permit, and a permit is settled once.* A [`Guard`] does so when it is dropped.
//! 5. *Effects are returned.* A [`Transition`] goes to the one caller that caused it.
//!
//! # Features
//!
//! None is on by default, and none changes behaviour.
//!
//! - `serde`: configurations, snapshots and what else is plain data can be stored and read; a configuration takes
//!   what is absent from its default and refuses unknown fields. Policies are built, and checked, from what was read.
//! - `defmt`: the same data, states and errors can be logged with `defmt` from a microcontroller.
//!
//! # Targets
//!
//! No `std`, no allocation, no unsafe code, no floats, no panics. Lock-free wherever the target has a 64-bit
//! compare-exchange. On Cortex-M3/M4 and riscv32imac a word sits in a critical section: link an implementation of the
//! `critical-section` crate. On Cortex-M0 and riscv32imc there is no compare-exchange at all: enable a backend of
//! portable-atomic in your binary, such as its `critical-section` or `unsafe-assume-single-core` feature. This crate
//! enables neither, because they exclude each other and only the binary knows.

#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    warn(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unwrap_used
    )
)]

#[cfg(any(test, loom))]
extern crate std;

pub mod adaptive;
mod backoff;
pub mod breaker;
pub mod bucket;
pub mod bulkhead;
pub mod circuit;
mod clock;
#[cfg(test)]
mod costs;
mod decorrelated;
mod error;
mod field;
mod flow;
mod fuse;
pub mod gate;
mod growth;
mod half_window;
mod jitter;
mod outcome;
pub mod panel;
mod priority;
pub mod retry_budget;
mod sync;
mod tally;
pub mod throttle;
mod time;
mod tokens;
mod wait;
pub mod window;
mod word;

#[cfg(loom)]
pub use sync::loom::Reads;

pub use adaptive::{AdaptiveConfig, AdaptivePolicy, AdaptiveRate, AdaptiveSnapshot, AdaptiveState, Adjustment};
pub use backoff::{Backoff, BackoffConfig};
pub use breaker::{
    Admission, Breaker, BreakerConfig, BreakerPolicy, BreakerSnapshot, BreakerState, Cause, Forced, RateTrip, Settled,
    Stamp, State, Ticket, Transition, Trip,
};
pub use bucket::{Booking, BucketPolicy, BucketSnapshot, BucketState, Demand, Rate, TokenBucket};
pub use bulkhead::{
    Bulkhead, BulkheadPolicy, BulkheadSnapshot, BulkheadStamp, BulkheadState, BulkheadTicket, LimitChange, LimitConfig,
};
pub use circuit::{Circuit, CircuitPolicy, CircuitSnapshot, Guard, Part, Permit, Rejection};
pub use clock::Clock;
pub use decorrelated::DecorrelatedBackoff;
pub use error::{PolicyError, Quantity};
pub use fuse::Fuse;
pub use gate::{AdaptiveBucket, Ask, Ending, Gate, Gated, Pass};
pub use jitter::Jitter;
pub use outcome::Outcome;
pub use panel::{Panel, PanelError};
pub use priority::{Class, Priority, PriorityConfig, PriorityPolicy};
pub use retry_budget::{RetryBudget, RetryBudgetConfig, RetryBudgetPolicy, RetryBudgetSnapshot, RetryBudgetState};
pub use throttle::{Throttle, ThrottleConfig, ThrottlePolicy, ThrottleSnapshot, ThrottleState};
pub use time::Instant;
pub use tokens::Tokens;
pub use wait::Wait;
pub use window::{ChosenWindow, CountWindow, HeldWindow, NoWindow, TimeWindow, Window, WindowCounts, WindowHolder};
