//! `Handle`: a tool that was looked up once.

use super::Inner;
use super::slot::Slot;
use super::snapshot::ToolSnapshot;
use crate::clock::TokioClock;
use crate::tool::BoxFuture;
use crate::{CallError, CallOptions, CallResult, Execution, KeyedExecutor, PartsSnapshot, Policy, Sleep, ToolError};
use fusebox_core::Forced;
use serde_json::Value;
use std::fmt;
use std::sync::Arc;

/// A tool that was looked up once. Cheap to clone.
///
/// It stays with the tool's place in the registry: after `replace` or `apply` it calls what is there then. Once the tool is
/// removed its calls end as [`CallError::UnknownTool`], also when another tool is registered under the name later.
pub struct Handle<C: Sleep = TokioClock> {
    slot: Arc<Slot<C>>,
    registry: Arc<Inner<C>>,
}

impl<C: Sleep + Clone> Handle<C> {
    pub(super) const fn new(slot: Arc<Slot<C>>, registry: Arc<Inner<C>>) -> Self {
        Self { slot, registry }
    }

    /// The tool's name.
    pub fn name(&self) -> &str {
        &self.slot.name
    }

    /// The tool's policy; once it is removed, that of its end.
    pub fn policy(&self) -> Arc<Policy> {
        self.slot.entry().executor().shared_policy()
    }

    /// The tool's state and counters. Once it is removed, calls that were under way still count here.
    pub fn snapshot(&self) -> ToolSnapshot {
        ToolSnapshot::of(&self.slot.entry())
    }

    /// The keys that have a circuit of their own, with its state, in no order; none where circuits are not keyed.
    pub fn keys(&self) -> Vec<(String, PartsSnapshot)> {
        self.slot.entry().keyed().map(KeyedExecutor::snapshot).unwrap_or_default()
    }

    /// Forces the tool's breaker open or closed until [`Handle::reset`].
    pub fn force(&self, forced: Forced) {
        self.slot.entry().executor().force(forced);
    }

    /// Closes the tool's breaker, forced or not, and forgets what it has counted.
    pub fn reset(&self) {
        self.slot.entry().executor().reset();
    }
}

impl<C: Sleep<Delay: Send> + Clone + Send + Sync + 'static> Handle<C> {
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
    ///
    /// Where the tool could not serve the call its fallback is asked, under its own policy and within what is left of the
    /// caller's deadline; where that fails too, the first error stays.
    pub async fn execute(&self, args: &Value, options: &CallOptions) -> Execution<Value, ToolError> {
        let Some(entry) = self.slot.present() else {
            return Execution::never_made(CallError::UnknownTool(self.name().to_owned()));
        };
        let execution = entry.execute(args, options).await;
        let Some(fallback) = entry.fallback.as_deref().filter(|_| execution.is_unavailable()) else { return execution };
        let Some(slot) = self.registry.slot(fallback) else { return execution };
        let left = options.deadline.map(|deadline| deadline.saturating_sub(execution.elapsed));
        if left.is_some_and(|left| left.is_zero()) {
            return execution;
        }
        let options = CallOptions { deadline: left, ..options.clone() };
        let answer = Self { slot, registry: Arc::clone(&self.registry) }.boxed(args, options).await;
        if let (Err(error), Ok(_)) = (&execution.result, &answer.result) {
            entry.fell_back(error);
        }
        execution.answered_by(answer)
    }

    /// A fallback may have one itself, and only a future on the heap can contain its own kind.
    fn boxed(self, args: &Value, options: CallOptions) -> BoxFuture<'_, Execution<Value, ToolError>> {
        Box::pin(async move { self.execute(args, &options).await })
    }
}

impl<C: Sleep> Clone for Handle<C> {
    fn clone(&self) -> Self {
        Self { slot: Arc::clone(&self.slot), registry: Arc::clone(&self.registry) }
    }
}

/// Equal where they stand for the same registration: a tool that was removed and registered again is another one.
impl<C: Sleep> PartialEq for Handle<C> {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.slot, &other.slot)
    }
}

impl<C: Sleep> Eq for Handle<C> {}

impl<C: Sleep> fmt::Debug for Handle<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Handle").field(&self.slot.name).finish()
    }
}
