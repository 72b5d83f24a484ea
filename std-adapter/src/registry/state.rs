//! `RegistryState`: what a registry's circuits remember across a restart of the process.

use super::entry::Past;
use crate::config::LimitPolicy;
use crate::executor::Limiter;
use crate::{PartsState, Scope, Sleep};
use core::time::Duration;
use fusebox_core::Instant;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a registry's circuits remember across a restart of the process, by the names of tools, groups and keys.
///
/// ```
/// use fusebox::{ErrorCategory, PolicyConfig, Registry, RegistryState, ToolError};
/// use serde_json::json;
/// use std::time::Duration;
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?.block_on(async {
/// let policy: PolicyConfig = serde_json::from_value(json!({ "breaker": { "consecutive_failures": 1 } }))?;
/// let down = async |_| Err(ToolError::new(ErrorCategory::ServiceUnavailable, "maintenance"));
/// let before = Registry::new();
/// before.register_with("search", down, &policy)?.call(&json!({})).await.unwrap_err();
/// let saved = serde_json::to_string(&before.state())?;
///
/// let state: RegistryState = serde_json::from_str(&saved)?;
/// let after = Registry::new();
/// after.restore(&state, Duration::from_secs(1)); // it was saved a second ago
/// after.register_with("search", down, &policy)?;
/// assert!(after.call("search", &json!({})).await.unwrap_err().refusal().is_some(), "its breaker is still open");
/// # Ok::<(), Box<dyn std::error::Error>>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// It is plain data without any reading of a clock: times are what was left of them. Calls under way are not in it.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
pub struct RegistryState {
    /// The limits of all tools together.
    pub(super) limits: PartsState,
    pub(super) groups: BTreeMap<String, PartsState>,
    pub(super) tools: BTreeMap<String, ToolState>,
}

/// What the circuits of one tool remember.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
pub(super) struct ToolState {
    pub(super) own: PartsState,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) keys: BTreeMap<String, PartsState>,
}

/// A state that a registry was given, with the time since.
#[derive(Clone, Debug, Default)]
pub(super) struct Restored {
    pub(super) state: RegistryState,
    /// How old the state was when it was given.
    pub(super) age: Duration,
    pub(super) given: Instant,
}

impl Restored {
    /// How much time has passed since the state was taken.
    pub(super) fn passed(&self, now: Instant) -> Duration {
        self.age.saturating_add(now.saturating_since(self.given))
    }

    /// What a tool of this name goes on from. It is told once: a tool that is registered again later begins anew.
    pub(super) fn past_of<'a, C: Sleep>(&mut self, name: &str, now: Instant) -> Past<'a, C> {
        match self.state.tools.remove(name) {
            Some(state) => Past::State(state, self.passed(now)),
            None => Past::Nothing,
        }
    }

    /// The limiter of all tools together, in the place of `fresh`.
    pub(super) fn all(&self, fresh: &Limiter, now: Instant) -> Limiter {
        Limiter::restored(fresh.scope().clone(), Arc::clone(&fresh.policy()), now, &self.state.limits, self.passed(now))
    }

    /// The limiter of a group, which remembers what it did when the state was taken.
    pub(super) fn group(&mut self, name: &str, policy: Arc<LimitPolicy>, now: Instant) -> Limiter {
        let scope = Scope::Shared(name.into());
        match self.state.groups.remove(name) {
            Some(state) => Limiter::restored(scope, policy, now, &state, self.passed(now)),
            None => Limiter::new(scope, policy),
        }
    }
}
