//! `FaultyTool`: a tool in which things go wrong as planned.

use super::Faults;
use crate::{Attempt, BoxFuture, Tool, ToolError};
use serde_json::Value;

/// A tool in which happens what is planned, call by call. Keep the faults to count its calls or to end the outage.
///
/// ```
/// use fusebox::testing::{Fault, Faults, faulty};
/// use fusebox::{ErrorCategory, Registry};
/// use serde_json::{Value, json};
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
/// # runtime.block_on(async {
/// let faults = Faults::random(1, [(1.0, Fault::Error(ErrorCategory::Network))])?;
/// let registry = Registry::new();
/// registry.register("search", faulty(async |query: Value| Ok(query), &faults))?;
/// registry.call("search", &json!("fuses")).await.expect_err("the network is down");
/// faults.stop();
/// registry.call("search", &json!("fuses")).await?;
/// # Ok::<(), Box<dyn std::error::Error>>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn faulty<T: Tool>(tool: T, faults: &Faults) -> FaultyTool<T> {
    FaultyTool { tool, faults: faults.clone() }
}

/// The tool made by [`faulty`].
#[derive(Clone, Debug)]
pub struct FaultyTool<T> {
    tool: T,
    faults: Faults,
}

impl<T: Tool> Tool for FaultyTool<T> {
    fn call<'a>(&'a self, args: &'a Value, attempt: Attempt) -> BoxFuture<'a, Result<Value, ToolError>> {
        Box::pin(self.faults.run(async move { self.tool.call(args, attempt).await }))
    }
}
