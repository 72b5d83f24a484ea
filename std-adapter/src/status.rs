//! `Status`: all that a status page shows of a registry, as data.

use crate::{BreakerStateName, CounterSnapshot, ToolSnapshot};
use serde::{Deserialize, Serialize};

/// The tools of a registry at one moment. They are read one after another, while calls go on.
///
/// ```
/// use fusebox::{Forced, Registry, Status};
///
/// # fn main() -> Result<(), fusebox::RegistryError> {
/// let registry = Registry::new();
/// registry.register("search", async |args| Ok(args))?.force(Forced::Open);
/// registry.register("fetch", async |args| Ok(args))?;
///
/// let status = Status::of(registry.snapshot());
/// assert_eq!(status.open, ["search"]);
/// assert_eq!(status.totals.opened, 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Status {
    /// The names of the tools whose breaker is open, forced or not; one whose wait is over stays open until the next call.
    pub open: Vec<String>,
    /// The counters of all tools, added up. Tools that were removed no longer count.
    pub totals: CounterSnapshot,
    /// Every tool, by name.
    pub tools: Vec<ToolSnapshot>,
}

impl Status {
    /// What `tools` show together.
    pub fn of(tools: Vec<ToolSnapshot>) -> Self {
        let open = tools.iter().filter(|tool| is_open(tool)).map(|tool| tool.name.clone()).collect();
        let mut totals = CounterSnapshot::default();
        tools.iter().for_each(|tool| totals += tool.counters);
        Self { open, totals, tools }
    }
}

fn is_open(tool: &ToolSnapshot) -> bool {
    let state = tool.breaker.as_ref().map(|breaker| breaker.state);
    matches!(state, Some(BreakerStateName::Open | BreakerStateName::ForcedOpen))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Forced, PolicyConfig, Registry};
    use serde_json::json;

    #[tokio::test]
    async fn a_status_lists_open_circuits_and_adds_up_the_counters() {
        let registry = Registry::new();
        for name in ["a", "b", "c"] {
            registry.register(name, async |args| Ok(args)).unwrap();
        }
        registry.call("a", &json!(1)).await.unwrap();
        registry.call("b", &json!(2)).await.unwrap();
        registry.handle("b").unwrap().force(Forced::Open);
        registry.call("b", &json!(3)).await.unwrap_err();
        registry.handle("c").unwrap().force(Forced::Closed);

        let status = Status::of(registry.snapshot());
        assert_eq!(status.open, ["b"]);
        assert_eq!((status.totals.calls, status.totals.succeeded, status.totals.rejected_by_breaker), (3, 2, 1));
        assert_eq!((status.totals.opened, status.totals.closed), (1, 1));
        assert_eq!(status.tools.len(), 3);
        let json = serde_json::to_string(&status).unwrap();
        assert_eq!(serde_json::from_str::<Status>(&json).unwrap(), status);
    }

    #[tokio::test]
    async fn a_tool_without_a_breaker_is_not_open() {
        let registry = Registry::new();
        let policy: PolicyConfig = serde_json::from_value(json!({ "breaker": { "enabled": false } })).unwrap();
        registry.register_with("a", async |args| Ok(args), &policy).unwrap();
        assert_eq!(Status::of(registry.snapshot()).open, Vec::<String>::new());
    }
}
