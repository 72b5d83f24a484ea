//! `Tool`: something that a name stands for in a registry.

use crate::{Attempt, ErrorCategory, ToolError};
use core::marker::PhantomData;
use core::pin::Pin;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::fmt;

/// A boxed future that may borrow for `'a`.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A tool: JSON in, JSON out. Any `Fn(Value) -> impl Future<Output = Result<Value, ToolError>>` is one, so an async
/// closure will do; [`typed`] makes one of a closure over your own types, [`with_attempt`] one that is told of its attempt.
///
/// A tool must be safe to drop at any of its awaits: that is how a timeout stops it.
pub trait Tool: Send + Sync + 'static {
    /// Makes one attempt at a call.
    fn call<'a>(&'a self, args: &'a Value, attempt: Attempt) -> BoxFuture<'a, Result<Value, ToolError>>;
}

impl<F, Fut> Tool for F
where
    F: Fn(Value) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Value, ToolError>> + Send + 'static,
{
    fn call<'a>(&'a self, args: &'a Value, _: Attempt) -> BoxFuture<'a, Result<Value, ToolError>> {
        Box::pin(self(args.clone()))
    }
}

/// A tool that looks at its attempt: at the time that is left, the idempotency key, its idle timeout.
///
/// ```
/// use fusebox::{Registry, with_attempt};
/// use serde_json::{Value, json};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
/// let registry = Registry::new();
/// registry.register("order", with_attempt(async |item: Value, attempt| {
///     Ok(json!({ "item": item, "attempt": attempt.number, "key": attempt.idempotency_key.to_string() }))
/// }))?;
/// assert_eq!(registry.call("order", &json!("tea")).await?["attempt"], 1);
/// # Ok::<(), Box<dyn std::error::Error>>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub const fn with_attempt<F, Fut>(tool: F) -> WithAttempt<F>
where
    F: Fn(Value, Attempt) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Value, ToolError>> + Send + 'static,
{
    WithAttempt { tool }
}

/// The tool made by [`with_attempt`].
pub struct WithAttempt<F> {
    tool: F,
}

impl<F> fmt::Debug for WithAttempt<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WithAttempt").finish_non_exhaustive()
    }
}

impl<F, Fut> Tool for WithAttempt<F>
where
    F: Fn(Value, Attempt) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Value, ToolError>> + Send + 'static,
{
    fn call<'a>(&'a self, args: &'a Value, attempt: Attempt) -> BoxFuture<'a, Result<Value, ToolError>> {
        Box::pin((self.tool)(args.clone(), attempt))
    }
}

/// A tool over your own types: arguments that do not fit end as `InvalidParameters`, which never trips a breaker.
///
/// ```
/// use fusebox::{Registry, ToolError, typed};
/// use serde_json::json;
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
/// let registry = Registry::new();
/// registry.register("length", typed(async |text: String| Ok(text.len())))?;
/// assert_eq!(registry.call("length", &json!("four")).await?, json!(4));
/// let length: usize = registry.call_typed("length", "four").await?;
/// assert_eq!(length, 4);
/// # Ok::<(), Box<dyn std::error::Error>>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub const fn typed<A, R, F, Fut>(tool: F) -> Typed<A, R, F>
where
    A: DeserializeOwned + Send + 'static,
    R: Serialize + Send + 'static,
    F: Fn(A) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<R, ToolError>> + Send + 'static,
{
    Typed { tool, types: PhantomData }
}

/// The tool made by [`typed`].
pub struct Typed<A, R, F> {
    tool: F,
    types: PhantomData<fn(A) -> R>,
}

impl<A, R, F> fmt::Debug for Typed<A, R, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Typed").finish_non_exhaustive()
    }
}

impl<A, R, F, Fut> Tool for Typed<A, R, F>
where
    A: DeserializeOwned + Send + 'static,
    R: Serialize + Send + 'static,
    F: Fn(A) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<R, ToolError>> + Send + 'static,
{
    fn call<'a>(&'a self, args: &'a Value, _: Attempt) -> BoxFuture<'a, Result<Value, ToolError>> {
        Box::pin(async move {
            let args =
                A::deserialize(args).map_err(|error| ToolError::caused_by(ErrorCategory::InvalidParameters, error))?;
            let output = (self.tool)(args).await?;
            serde_json::to_value(output).map_err(|error| ToolError::caused_by(ErrorCategory::ExecutionError, error))
        })
    }
}
