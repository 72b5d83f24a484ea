//! Fifteen hostile scenarios, H1 to H15, that any circuit breaker or rate limiter can be run through.
//!
//! A library is put behind [`BreakerUnderTest`], [`LimiterUnderTest`] or [`CircuitUnderTest`]; its *subject*
//! ([`BreakerSubject`] and so on) builds one for a plain configuration. [`run_breaker`], [`run_limiter`] and
//! [`run_circuit`] run the scenarios that apply and return a [`Verdict`] for each.
//!
//! ```
//! use fusebox_conformance::*;
//!
//! /// A limiter that admits everything.
//! struct Nothing;
//!
//! impl LimiterUnderTest for Nothing {
//!     type Wait = ();
//!
//!     fn try_acquire(&self, _: Nanos, _: u32) -> Result<(), Hint> {
//!         Ok(())
//!     }
//! }
//!
//! impl LimiterSubject for Nothing {
//!     type Limiter = Self;
//!
//!     fn clock(&self) -> ClockKind {
//!         ClockKind::Any
//!     }
//!
//!     fn build(&self, _: &LimiterSpec) -> Result<Self, String> {
//!         Ok(Self)
//!     }
//! }
//!
//! let verdicts = run_limiter(&Nothing);
//! let h12 = verdicts.iter().find(|(id, _)| *id == "H12").expect("it applies to limiters");
//! assert_eq!(h12.1, Verdict::Fail("a cost of 5 was admitted under a burst of 4".to_owned()));
//! ```
//!
//! Time is an argument of every call, so no verdict depends on how fast the machine is. A library that reads a clock of
//! its own says so ([`ClockKind::Own`]): its open waits are then zero, and what cannot be judged without moving time is
//! [`Verdict::NotJudged`].
//!
//! [`compare`] runs Fusebox and its peers, [`document`] writes the result as the text of `docs/CONFORMANCE.md`.

mod breaker;
mod call;
mod catalogue;
mod circuit;
mod compare;
mod document;
mod limiter;
mod scenarios;
mod subjects;
mod time;
mod verdict;

pub use breaker::{BreakerSpec, BreakerSubject, BreakerUnderTest, Outcome, Trip};
pub use catalogue::{CATALOGUE, Role, Scenario, run_breaker, run_circuit, run_limiter};
pub use circuit::{CircuitSubject, CircuitUnderTest, Part};
pub use compare::{Compared, Row, compare};
pub use document::{document, document_path};
pub use limiter::{Hint, LimiterSpec, LimiterSubject, LimiterUnderTest};
pub use time::{ClockKind, DAY, HOUR, MILLI, Nanos, SECOND};
pub use verdict::Verdict;
