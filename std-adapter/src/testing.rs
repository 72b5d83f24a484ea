//! Help for tests of code that calls through Fusebox: tools that fail as planned, and checks that say what they saw.
//!
//! Time is paused rather than slept. With tokio's `test-util` feature among your development dependencies, a test under
//! `#[tokio::test(start_paused = true)]` takes no time: whenever every task waits, tokio's clock jumps to the next
//! deadline. Timeouts, backoff and the breaker's waits follow, since [`TokioClock`](crate::TokioClock) is the default.
//!
//! ```
//! use fusebox::testing::{Fault, Faults, assert_that, faulty, nothing_in_flight};
//! use fusebox::{BreakerStateName, ErrorCategory, PolicyConfig, Registry};
//! use serde_json::json;
//! use std::time::Duration;
//!
//! // in a test: #[tokio::test(start_paused = true)]
//! # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?.block_on(async {
//! let policy: PolicyConfig = serde_json::from_value(json!({
//!     "timeout": "1s", "max_retries": 0, "breaker": { "consecutive_failures": 2, "open_wait": "5s" }
//! }))?;
//! let outage = Faults::sequence([Fault::Hang, Fault::Error(ErrorCategory::Network)]);
//! let registry = Registry::new();
//! registry.register_with("search", faulty(async |query| Ok(query), &outage), &policy)?;
//!
//! for _ in 0..3 {
//!     registry.call("search", &json!("fuses")).await.expect_err("it hangs, fails, and is not asked again");
//! }
//! assert_eq!(outage.calls(), 2);
//! tokio::time::advance(Duration::from_secs(5)).await;
//! registry.call("search", &json!("fuses")).await?;
//!
//! assert_that(&registry.snapshot()[0]).has_state(BreakerStateName::Closed).has_failed(2).has_succeeded(1).has_opened(1);
//! nothing_in_flight(&registry);
//! # Ok::<(), Box<dyn std::error::Error>>(()) })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Where only a circuit's decisions matter, [`ManualClock`](crate::ManualClock) is moved by hand and needs no runtime.

mod assertions;
mod faults;
mod faulty_tool;

pub use assertions::{AssertSnapshot, assert_that, every_call_accounted_for, nothing_in_flight};
pub use faults::{Fault, Faults};
pub use faulty_tool::{FaultyTool, faulty};
