//! Named tools run safely: admitted or refused at once, bounded while they run, retried where that helps, and settled
//! even when the call is dropped.
//!
//! ```
//! use fusebox::{CallError, ErrorCategory, Registry, ToolError};
//! use serde_json::{Value, json};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?.block_on(async {
//! let registry = Registry::new();
//! registry.register("search", async |args: Value| match args["query"].as_str() {
//!     Some(query) => Ok(json!([format!("a page about {query}")])),
//!     None => Err(ToolError::new(ErrorCategory::InvalidParameters, "query is missing")),
//! })?;
//!
//! let pages = registry.call("search", &json!({ "query": "fuses" })).await?;
//! assert_eq!(pages, json!(["a page about fuses"]));
//! assert!(matches!(registry.call("serach", &json!({})).await, Err(CallError::UnknownTool(_))));
//! # Ok::<(), Box<dyn std::error::Error>>(()) })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | type | what it is for |
//! |---|---|
//! | [`Registry`], [`Handle`] | named tools, JSON in and out, each under its own policy |
//! | [`Executor`] | one dependency under one policy, generic in output and error |
//! | [`KeyedExecutor`] | the same with a circuit for each host, tenant or other key |
//! | [`PolicyConfig`], [`Policy`] | the policy as a person writes it, and checked |
//! | [`RegistryConfig`] | all of a registry in one configuration: limits, groups, tools, rules |
//! | [`ErrorCategory`], [`Classify`] | what kind of error ended an attempt, and what follows from it |
//! | [`Rules`] | who may call what |
//! | [`CallError`], [`CallResult`] | how a call ended, as an error and as data |
//! | [`EventStream`], [`Status`], [`telemetry`] | what happens and how things stand |
//! | [`TokioClock`], [`StdClock`], [`TscClock`], [`ManualClock`], [`Sleep`] | where the time comes from, and how it is waited for |
//! | [`testing`] | tools that fail as planned, and assertions, for your tests |
//!
//! The decisions themselves (breaker, bucket, bulkhead) are made by [`fusebox_core`].
//!
//! # Features
//!
//! None is on by default, and none changes behaviour: each adds something.
//!
//! | feature | adds |
//! |---|---|
//! | `config-file` | `config_file`: a registry's configuration from TOML, overrides by environment variables, a JSON Schema of it, a watcher |
//! | `json-schema` | JSON Schemas for the arguments and outputs of tools, in `schema` |
//! | `metrics` | metrics through the facade of that name, see [`telemetry`] |
//! | `state-file` | `state_file`: a state that survives a restart |
//! | `tower` | `tower`: layers for services that are not tools |

mod attempt;
mod call_error;
mod category;
mod clock;
pub mod config;
#[cfg(feature = "config-file")]
pub mod config_file;
mod counters;
pub mod executor;
mod idempotency;
mod keyed;
mod options;
mod output_size;
mod refusal;
pub mod registry;
mod result;
pub mod rules;
#[cfg(feature = "json-schema")]
pub mod schema;
mod sleep;
#[cfg(feature = "state-file")]
pub mod state_file;
mod status;
pub mod telemetry;
pub mod testing;
mod tool;
mod tool_error;
#[cfg(feature = "tower")]
pub mod tower;

pub use attempt::{Attempt, Progress};
pub use call_error::CallError;
pub use category::{CategoryChange, CategoryRule, ErrorCategory};
pub use clock::{ManualClock, StdClock, TokioClock, TscClock};
pub use config::{ConfigError, ConfigErrors, DurationText, Policy, PolicyConfig, RateText, RegistryConfig, ToolConfig};
pub use counters::CounterSnapshot;
pub use executor::{Execution, Executor, FailedAttempt, KeyedExecutor, PartsSnapshot, PartsState, Stopped};
pub use fusebox_core::{Cause, Clock, Forced, Instant, Part, Priority, RetryBudgetSnapshot, Wait};
pub use idempotency::IdempotencyKey;
pub use options::CallOptions;
pub use refusal::{Refusal, Scope};
pub use registry::{
    Applied, AvailableTool, AvailableTools, BreakerReport, BreakerStateName, Handle, Registry, RegistryError,
    RegistryState, ToolSnapshot, TypedCallError, UnavailableTool,
};
pub use result::{AttemptReport, CallResult, ErrorKind, ErrorReport, RefusedBy};
pub use rules::{Decision, Rule, Rules, Verdict};
#[cfg(feature = "json-schema")]
pub use schema::{Schema, SchemaError, Violation, Violations};
pub use sleep::Sleep;
pub use status::Status;
pub use telemetry::{Event, EventKind, EventStream, GivenUp, Missed};
pub use tool::{BoxFuture, Tool, Typed, WithAttempt, typed, with_attempt};
pub use tool_error::{Classify, RetryHint, ToolError};

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

#[cfg(doctest)]
#[doc = include_str!("../../docs/MIGRATION.md")]
struct Migration;
