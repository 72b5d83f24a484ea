//! `Registry`: named tools, each under its own policy.
//!
//! ```
//! use fusebox::{PolicyConfig, Registry};
//! use serde_json::json;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
//! let registry = Registry::new();
//! let policy: PolicyConfig = serde_json::from_value(json!({ "timeout": "2s", "rate": { "limit": "100/min" } }))?;
//! registry.register_with("echo", async |args| Ok(args), &policy)?;
//!
//! assert_eq!(registry.call("echo", &json!("hello")).await?, json!("hello"));
//! assert_eq!(registry.snapshot()[0].counters.succeeded, 1);
//! # Ok::<(), Box<dyn std::error::Error>>(()) })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! **Configuration.** [`Registry::apply`] puts a [`RegistryConfig`] in force on top of what the program gave: limits of all
//! tools together and of groups, each tool's policy, its names, who may call it, what its arguments and its output must
//! be. State is kept: an open breaker stays open, a bucket keeps its fill level.
//!
//! **Order of a call.** The rules, the JSON Schema of the arguments, the breaker, the limits of the registry, of the tool's
//! groups and its own; then the attempts; then the JSON Schema of the output and its length; and where the tool could not
//! serve the call, its fallback. What the rules or the schema refuse touches no circuit.
//!
//! **Cost.** A lookup takes no lock and never waits for a registration. Registering, replacing and removing copy the table
//! of names, which is meant to change rarely.

mod applied;
mod available;
mod checks;
mod entry;
mod error;
mod handle;
mod plan;
mod record;
mod slot;
mod snapshot;
mod state;

pub use applied::Applied;
pub use available::{AvailableTool, AvailableTools, UnavailableTool};
pub use error::{RegistryError, TypedCallError};
pub use handle::Handle;
pub use snapshot::{BreakerReport, BreakerStateName, ToolSnapshot};
pub use state::RegistryState;

use crate::clock::TokioClock;
use crate::config::{ConfigErrors, RegistryConfig, ToolConfig};
use crate::telemetry::EventStream;
use crate::tool::Tool;
use crate::{CallError, CallOptions, CallResult, ConfigError, Execution, PolicyConfig, Sleep, Status, ToolError};
use arc_swap::ArcSwap;
use core::time::Duration;
use entry::Entry;
use record::{Names, Record};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use slot::Slot;
use std::fmt;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

/// Named tools, each under its own policy. Cheap to clone; clones are one registry. See the
/// [module documentation](self).
pub struct Registry<C: Sleep = TokioClock> {
    inner: Arc<Inner<C>>,
}

struct Inner<C: Sleep> {
    names: ArcSwap<Names<C>>,
    /// Held while the registry changes; calls and lookups do not take it.
    record: Mutex<Record<C>>,
    clock: C,
}

impl Registry {
    /// An empty registry whose tools have the default policy unless they bring their own.
    pub fn new() -> Self {
        let Ok(registry) = Self::with_defaults(PolicyConfig::default()) else {
            unreachable!("the defaults are within their ranges, which a test checks")
        };
        registry
    }

    /// An empty registry with defaults of your own: what a tool's policy leaves open comes from them.
    ///
    /// # Errors
    /// The first default that is not allowed.
    pub fn with_defaults(defaults: PolicyConfig) -> Result<Self, ConfigError> {
        Self::with_clock(defaults, TokioClock::new())
    }

    /// The registry of this process, created empty on first use.
    pub fn global() -> &'static Self {
        static GLOBAL: LazyLock<Registry> = LazyLock::new(Registry::new);
        &GLOBAL
    }
}

impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}

impl<C: Sleep + Clone> Registry<C> {
    /// An empty registry with defaults and a clock of your own.
    ///
    /// # Errors
    /// The first default that is not allowed.
    pub fn with_clock(defaults: PolicyConfig, clock: C) -> Result<Self, ConfigError> {
        let record = Mutex::new(Record::new(defaults)?);
        Ok(Self { inner: Arc::new(Inner { names: ArcSwap::default(), record, clock }) })
    }

    /// Adds a tool under the registry's default policy.
    ///
    /// # Errors
    /// When the name is empty or taken.
    pub fn register(&self, name: &str, tool: impl Tool) -> Result<Handle<C>, RegistryError> {
        self.register_with(name, tool, ToolConfig::default())
    }

    /// Adds a tool under a policy or a whole configuration of its own. What an applied configuration says of this name goes
    /// before it; what both leave open comes from the defaults.
    ///
    /// # Errors
    /// When the name or an alias is empty or taken, or the configuration is not allowed; nothing was changed.
    pub fn register_with(
        &self,
        name: &str,
        tool: impl Tool,
        config: impl Into<ToolConfig>,
    ) -> Result<Handle<C>, RegistryError> {
        self.put(name, Arc::new(tool), config.into(), false)
    }

    /// Puts another tool, or another policy, in the place of the one with this name, or adds it.
    ///
    /// The state lives on (an open breaker stays open, a bucket keeps its fill level, calls in flight still count), and
    /// so do the counters and the handles. Calls under way end with the old tool, its timeouts and its retries; breaker,
    /// rate limit and bulkhead are those of the new policy for them too.
    ///
    /// # Errors
    /// When the name or an alias is empty or another tool's, or the configuration is not allowed; nothing was changed.
    pub fn replace(
        &self,
        name: &str,
        tool: impl Tool,
        config: impl Into<ToolConfig>,
    ) -> Result<Handle<C>, RegistryError> {
        self.put(name, Arc::new(tool), config.into(), true)
    }

    /// Removes a tool with its state and its aliases, and says whether there was one; an alias is not a tool. Calls under
    /// way end as they would have.
    pub fn remove(&self, name: &str) -> bool {
        self.edit(|record| record.remove(name, &self.inner.clock))
    }

    /// Puts a configuration in force in the place of the one before, on top of what the program gave at registration.
    ///
    /// All of it is put in force or, where anything in it is not allowed, nothing. State is kept where a tool or a group has
    /// its name in both. What it says of a name that is not registered holds once it is. It must be allowed by itself as
    /// well as together with what the program gave.
    ///
    /// # Errors
    /// All that is not allowed; nothing was changed.
    pub fn apply(&self, config: &RegistryConfig) -> Result<Applied, ConfigErrors> {
        self.edit(|record| record.apply(config, &self.inner.clock))
    }

    /// What the circuits remember across a restart: what breakers are open and for how long yet, how full buckets are, what
    /// limits have learned. Save it now and then, with `state_file` (a feature) for one.
    pub fn state(&self) -> RegistryState {
        self.inner.record().state(self.inner.clock.now())
    }

    /// Goes on from a state that was taken `age` ago: an open breaker stays open for what is left of its wait, a bucket has
    /// refilled.
    ///
    /// Call it before the first call is made: circuits that there are already, with their counters, are put aside. Tools and
    /// groups that come later take up what the state has of their names. Limits of all tools together are restored under the
    /// policy in force, so apply a configuration first.
    pub fn restore(&self, state: &RegistryState, age: Duration) {
        self.edit(|record| record.restore(state, age, &self.inner.clock));
    }

    /// The configuration in force, with what the program gave at registration.
    pub fn config(&self) -> RegistryConfig {
        self.inner.record().config()
    }

    /// The tool of this name or alias, looked up once: calls through a handle are not looked up again.
    pub fn handle(&self, name: &str) -> Option<Handle<C>> {
        self.inner.slot(name).map(|slot| Handle::new(slot, Arc::clone(&self.inner)))
    }

    /// What happens from now on, for a subscriber who may be slow: `capacity` events wait for it, at least 1, and of those
    /// that are missed it learns how many. Calls never wait for it.
    ///
    /// ```
    /// use fusebox::{EventKind, Registry};
    /// use serde_json::json;
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
    /// let registry = Registry::new();
    /// registry.register("echo", async |args| Ok(args))?;
    /// let mut events = registry.subscribe(100);
    /// registry.call("echo", &json!("hello")).await?;
    ///
    /// let event = events.next().await.expect("the registry is there")?;
    /// assert_eq!(event.tool.as_deref(), Some("echo"));
    /// assert!(matches!(event.kind, EventKind::AttemptEnded { attempt: 1, error: None, .. }));
    /// # Ok::<(), Box<dyn std::error::Error>>(()) })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn subscribe(&self, capacity: usize) -> EventStream {
        self.inner.record().hub().subscribers.subscribe(capacity)
    }

    /// Records metrics from now on through the recorder of the `metrics` crate that is installed; see
    /// [`telemetry`](crate::telemetry) for their names. Install it before. The first `max_tools` tools that are called have a
    /// label of their own.
    #[cfg(feature = "metrics")]
    pub fn record_metrics(&self, max_tools: usize) {
        self.inner.record().hub().recording.start(max_tools);
    }

    /// Brings the gauges of the metrics up to date, such as before they are scraped; everything else is recorded as it
    /// happens. Without [`Registry::record_metrics`] it does nothing.
    #[cfg(feature = "metrics")]
    pub fn record_gauges(&self) {
        for entry in self.inner.entries() {
            let executor = entry.executor();
            executor.telemetry().show(&executor.levels());
        }
    }

    /// All that a status page shows: each tool's state and counters, which circuits are open, and the sums.
    pub fn status(&self) -> Status {
        Status::of(self.snapshot())
    }

    /// Which tools an agent may be offered now, and when the others return: those whose breaker refuses calls.
    pub fn available(&self) -> AvailableTools {
        AvailableTools::of(self.inner.entries().iter().map(Arc::as_ref))
    }

    /// As [`Registry::available`], without the tools that the rules deny to callers of this role.
    pub fn available_to(&self, role: Option<&str>) -> AvailableTools {
        let entries = self.inner.entries();
        AvailableTools::of(entries.iter().map(Arc::as_ref).filter(|entry| !entry.is_denied_to(role)))
    }

    /// The state and the counters of every tool, by name.
    pub fn snapshot(&self) -> Vec<ToolSnapshot> {
        self.inner.entries().iter().map(|entry| ToolSnapshot::of(entry)).collect()
    }

    fn put(
        &self,
        name: &str,
        tool: Arc<dyn Tool>,
        config: ToolConfig,
        may_replace: bool,
    ) -> Result<Handle<C>, RegistryError> {
        let slot = self.edit(|record| record.put(name, tool, config, may_replace, &self.inner.clock))?;
        Ok(Handle::new(slot, Arc::clone(&self.inner)))
    }

    /// Makes a change and puts the names in place that hold after it, one change after another.
    fn edit<R>(&self, change: impl FnOnce(&mut Record<C>) -> R) -> R {
        let mut record = self.inner.record();
        let result = change(&mut record);
        self.inner.names.store(Arc::new(record.names()));
        result
    }
}

impl<C: Sleep<Delay: Send> + Clone + Send + Sync + 'static> Registry<C> {
    /// Calls a tool with the default options.
    ///
    /// # Errors
    /// Why the call did not succeed; [`CallError::UnknownTool`] where no tool has this name.
    pub async fn call(&self, name: &str, args: &Value) -> Result<Value, CallError<ToolError>> {
        self.execute(name, args, &CallOptions::default()).await.result
    }

    /// Calls a tool with arguments and output of your own types.
    ///
    /// # Errors
    /// Why the call did not succeed, or that the arguments or the output are not of the type.
    pub async fn call_typed<A, R>(&self, name: &str, args: &A) -> Result<R, TypedCallError>
    where
        A: Serialize + ?Sized,
        R: DeserializeOwned,
    {
        let args = serde_json::to_value(args).map_err(TypedCallError::Args)?;
        let output = self.call(name, &args).await.map_err(TypedCallError::Call)?;
        serde_json::from_value(output).map_err(TypedCallError::Output)
    }

    /// Calls a tool and reports how that went as data.
    pub async fn run(&self, name: &str, args: &Value, options: &CallOptions) -> CallResult {
        self.execute(name, args, options).await.into()
    }

    /// Calls a tool and tells how that went.
    pub async fn execute(&self, name: &str, args: &Value, options: &CallOptions) -> Execution<Value, ToolError> {
        match self.handle(name) {
            Some(handle) => handle.execute(args, options).await,
            None => Execution::never_made(CallError::UnknownTool(name.to_owned())),
        }
    }
}

impl<C: Sleep> Inner<C> {
    fn slot(&self, name: &str) -> Option<Arc<Slot<C>>> {
        self.names.load().get(name).map(Arc::clone)
    }

    /// The tools that there are, by name.
    fn entries(&self) -> Vec<Arc<Entry<C>>> {
        let names = self.names.load();
        let slots = names.iter().filter(|(name, slot)| **name == slot.name); // without aliases
        let mut entries: Vec<_> = slots.filter_map(|(_, slot)| slot.present()).collect();
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        entries
    }

    fn record(&self) -> std::sync::MutexGuard<'_, Record<C>> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C: Sleep> Clone for Registry<C> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<C: Sleep> fmt::Debug for Registry<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.inner.names.load().keys()).finish()
    }
}
