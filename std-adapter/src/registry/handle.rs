//! `Handle`: a tool that was looked up once.

use super::snapshot::ToolSnapshot;
use crate::Sleep;
use crate::clock::TokioClock;
use crate::tool::Tool;
use crate::{CallError, CallOptions, CallResult, Execution, Executor, Policy, ToolError};
use fusebox_core::Forced;
use serde_json::Value;
use std::fmt;
use std::sync::Arc;

/// A registered tool with its circuit.
pub(super) struct Entry<C: Sleep> {
    pub(super) name: Arc<str>,
    pub(super) executor: Executor<C>,
    tool: Box<dyn Tool>,
}

impl<C: Sleep> Entry<C> {
    pub(super) fn new(name: &str, tool: impl Tool, executor: Executor<C>) -> Self {
        Self { name: name.into(), executor, tool: Box::new(tool) }
    }
}

/// A tool that was looked up once. Cheap to clone; it keeps the tool alive, also after `remove`.
pub struct Handle<C: Sleep = TokioClock> {
    entry: Arc<Entry<C>>,
}

impl<C: Sleep> Handle<C> {
    pub(super) const fn new(entry: Arc<Entry<C>>) -> Self {
        Self { entry }
    }

    /// The tool's name.
    pub fn name(&self) -> &str {
        &self.entry.name
    }

    /// The tool's policy.
    pub fn policy(&self) -> &Policy {
        self.entry.executor.policy()
    }

    /// Calls the tool with the default options.
    ///
    /// # Errors
    /// Why the call did not succeed.
    pub async fn call(&self, args: &Value) -> Result<Value, CallError<ToolError>> {
        self.execute(args, &CallOptions::default()).await.result
    }

    /// Calls the tool and reports how that went as data.
    pub async fn run(&self, args: &Value, options: &CallOptions) -> CallResult {
        self.execute(args, options).await.into()
    }

    /// Calls the tool and tells how that went.
    pub async fn execute(&self, args: &Value, options: &CallOptions) -> Execution<Value, ToolError> {
        let Entry { executor, tool, .. } = &*self.entry;
        executor.run(options, |attempt| tool.call(args, attempt)).await
    }

    /// The tool's state and counters.
    pub fn snapshot(&self) -> ToolSnapshot {
        ToolSnapshot::of(&self.entry)
    }

    /// Forces the tool's breaker open or closed until [`Handle::reset`].
    pub fn force(&self, forced: Forced) {
        self.entry.executor.force(forced);
    }

    /// Closes the tool's breaker, forced or not, and forgets what it has counted.
    pub fn reset(&self) {
        self.entry.executor.reset();
    }
}

impl<C: Sleep> Clone for Handle<C> {
    fn clone(&self) -> Self {
        Self { entry: Arc::clone(&self.entry) }
    }
}

impl<C: Sleep> fmt::Debug for Handle<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Handle").field(&self.entry.name).finish()
    }
}
