//! `Window`: where a breaker keeps the latest outcomes, so that it can trip on rates.
//!
//! The window is part of a breaker's state, and usually chosen by type; the thresholds are part of the policy
//! ([`Trip::Rate`](crate::Trip::Rate)). So thresholds can be changed while the window lives on.
//!
//! | type | holds | bytes |
//! |---|---|---|
//! | [`NoWindow`] | nothing; trips on consecutive failures only | 0 |
//! | [`CountWindow<WORDS>`] | the latest calls, up to 28 for each word | 16 + 8 x `WORDS`; 48 for up to 112 calls |
//! | [`TimeWindow<SLOTS>`] | the calls of the latest span of time, in `SLOTS` slots | 40 + 8 x `SLOTS`; 120 for 10 |
//! | [`ChosenWindow<WORDS, SLOTS>`] | one of these, chosen at run time | those of the larger one, or 8 more |
//! | [`HeldWindow<H>`] | one that is kept elsewhere, and can be exchanged under a living breaker | those of `H` |
//!
//! ```
//! use fusebox_core::*;
//!
//! static BREAKER: Breaker<CountWindow> = Breaker::with_window(match CountWindow::new(100) {
//!     Ok(window) => window,
//!     Err(_) => panic!("checked at compile time"),
//! });
//! let half = RateTrip { minimum_calls: 10, ..RateTrip::DEFAULT }; // half of at least 10 calls
//! let policy = BreakerPolicy::new(BreakerConfig { trip: Trip::Rate(half), ..BreakerConfig::DEFAULT })?;
//! let now = Instant::from_nanos(0);
//!
//! for call in 0..10 {
//!     let (ticket, _) = BREAKER.admit(&policy, now).expect("fewer than 10 calls");
//!     BREAKER.settle(&policy, now, ticket, if call < 5 { Outcome::Failure } else { Outcome::Success });
//! }
//! assert_eq!(BREAKER.snapshot(&policy, now).state, State::Open);
//! # Ok::<(), PolicyError>(())
//! ```
//!
//! **What enters.** Successes and failures of calls that were admitted while the breaker was Closed or ForcedClosed, and
//! that end in the same generation. Probes do not enter. A breaker that closes, or is reset or forced, starts afresh.
//! A window records under every policy, so a change from consecutive failures to rates finds it filled, but for slow
//! calls: those are marked under rates only.
//!
//! **Guarantees.** A trip is not lost in a race: a record decides on counts that contain it, so when the record that
//! reaches a threshold returns, the breaker is open. An outcome of an older generation never enters. The cost of a
//! record does not depend on how many calls the window holds. When no call is being settled, the counts are exactly
//! those of the outcomes in the window.
//!
//! **Exceptions.** In a count window, for each record that stalls for a whole lap of others, one outcome may be missing,
//! and an older one be kept for a lap. In a time window, a rate that one of two racing calls reaches and the other, in
//! another slot, lowers again may go unseen. Each window's source says more, and what a concurrent reader may see.

mod chosen;
mod count;
mod counts;
mod held;
#[cfg(test)]
mod layouts;
mod none;
mod records;
#[cfg(test)]
mod tests;
mod time;

pub use chosen::ChosenWindow;
pub use count::CountWindow;
pub use counts::WindowCounts;
pub use held::{HeldWindow, WindowHolder};
pub use none::NoWindow;
pub use time::TimeWindow;

pub(crate) use records::{Mark, Records};
pub(crate) use time::EXACT;

/// What a breaker keeps its latest outcomes in: [`NoWindow`], [`CountWindow`], [`TimeWindow`], or one of them as a
/// [`ChosenWindow`] or a [`HeldWindow`]. Sealed.
pub trait Window: Records + Send + Sync {}
