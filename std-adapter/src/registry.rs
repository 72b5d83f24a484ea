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
//! A lookup takes no lock and never waits for a registration. Registering, replacing and removing copy the table, which
//! is meant to change rarely.

mod available;
mod error;
mod handle;
mod snapshot;

pub use available::{AvailableTools, UnavailableTool};
pub use error::{RegistryError, TypedCallError};
pub use handle::Handle;
pub use snapshot::{BreakerReport, BreakerStateName, ToolSnapshot};

use crate::Sleep;
use crate::clock::TokioClock;
use crate::tool::Tool;
use crate::{CallError, CallOptions, CallResult, ConfigError, Executor, Policy, PolicyConfig, ToolError};
use arc_swap::ArcSwap;
use foldhash::fast::RandomState;
use handle::Entry;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

type Table<C> = HashMap<Arc<str>, Arc<Entry<C>>, RandomState>;

/// Named tools, each under its own policy. See the [module documentation](self).
pub struct Registry<C: Sleep = TokioClock> {
    tools: ArcSwap<Table<C>>,
    /// Held while the table changes; lookups do not take it.
    editing: Mutex<()>,
    defaults: PolicyConfig,
    clock: C,
}

impl Registry {
    /// An empty registry whose tools have the default policy unless they bring their own.
    pub fn new() -> Self {
        Self {
            tools: ArcSwap::default(),
            editing: Mutex::default(),
            defaults: PolicyConfig::default(),
            clock: TokioClock::new(),
        }
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
        Policy::new(&defaults)?;
        Ok(Self { tools: ArcSwap::default(), editing: Mutex::default(), defaults, clock })
    }

    /// Adds a tool under the registry's default policy.
    ///
    /// # Errors
    /// When the name is empty or taken.
    pub fn register(&self, name: &str, tool: impl Tool) -> Result<Handle<C>, RegistryError> {
        self.register_with(name, tool, &PolicyConfig::default())
    }

    /// Adds a tool under a policy of its own; what it leaves open comes from the registry's defaults.
    ///
    /// # Errors
    /// When the name is empty or taken, or the policy is not allowed.
    pub fn register_with(
        &self,
        name: &str,
        tool: impl Tool,
        policy: &PolicyConfig,
    ) -> Result<Handle<C>, RegistryError> {
        let executor = Executor::with_clock(self.policy(name, policy)?, self.clock.clone());
        self.edit(|tools| match tools.get(name) {
            Some(_) => Err(RegistryError::NameTaken(name.to_owned())),
            None => Ok(insert(tools, Entry::new(name, tool, executor))),
        })
    }

    /// Puts another tool, or another policy, in the place of the one with this name, or adds it.
    ///
    /// The state lives on (an open breaker stays open, a bucket keeps its fill level, calls in flight still count), and
    /// so do the counters. Calls under way, and handles from before, end with the old tool, its timeouts and its retries;
    /// breaker, rate limit and bulkhead are those of the new policy for them too.
    ///
    /// # Errors
    /// When the name is empty or the policy is not allowed; nothing was changed.
    pub fn replace(&self, name: &str, tool: impl Tool, policy: &PolicyConfig) -> Result<Handle<C>, RegistryError> {
        let policy = self.policy(name, policy)?;
        Ok(self.edit(|tools| {
            let executor = match tools.get(name) {
                Some(entry) => entry.executor.with_policy(policy),
                None => Executor::with_clock(policy, self.clock.clone()),
            };
            insert(tools, Entry::new(name, tool, executor))
        }))
    }

    /// Removes a tool with its state, and says whether there was one. Calls under way end as they would have.
    pub fn remove(&self, name: &str) -> bool {
        self.edit(|tools| tools.remove(name).is_some())
    }

    /// The tool of this name, looked up once: calls through a handle are not looked up again.
    pub fn handle(&self, name: &str) -> Option<Handle<C>> {
        self.tools.load().get(name).map(|entry| Handle::new(Arc::clone(entry)))
    }

    /// Calls a tool with the default options.
    ///
    /// # Errors
    /// Why the call did not succeed; [`CallError::UnknownTool`] where no tool has this name.
    pub async fn call(&self, name: &str, args: &Value) -> Result<Value, CallError<ToolError>> {
        match self.handle(name) {
            Some(handle) => handle.call(args).await,
            None => Err(CallError::UnknownTool(name.to_owned())),
        }
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
        match self.handle(name) {
            Some(handle) => handle.run(args, options).await,
            None => CallResult::unknown_tool(name),
        }
    }

    /// Which tools an agent may be offered now, and when the others return: those whose breaker refuses calls.
    pub fn available(&self) -> AvailableTools {
        AvailableTools::of(self.tools.load().values().map(Arc::as_ref))
    }

    /// The state and the counters of every tool, by name.
    pub fn snapshot(&self) -> Vec<ToolSnapshot> {
        let mut tools: Vec<_> = self.tools.load().values().map(|entry| ToolSnapshot::of(entry)).collect();
        tools.sort_by(|a, b| a.name.cmp(&b.name));
        tools
    }

    /// Changes a copy of the table and puts it in place, one change after another.
    fn edit<R>(&self, change: impl FnOnce(&mut Table<C>) -> R) -> R {
        let _one_at_a_time = self.editing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut tools = Table::clone(&self.tools.load());
        let result = change(&mut tools);
        self.tools.store(Arc::new(tools));
        result
    }

    fn policy(&self, name: &str, policy: &PolicyConfig) -> Result<Policy, RegistryError> {
        if name.is_empty() {
            return Err(RegistryError::EmptyName);
        }
        Policy::new(&policy.clone().or(&self.defaults)).map_err(|error| RegistryError::Policy(error.within(name)))
    }
}

fn insert<C: Sleep>(tools: &mut Table<C>, entry: Entry<C>) -> Handle<C> {
    let entry = Arc::new(entry);
    tools.insert(Arc::clone(&entry.name), Arc::clone(&entry));
    Handle::new(entry)
}

impl<C: Sleep> fmt::Debug for Registry<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.tools.load().keys()).finish()
    }
}
