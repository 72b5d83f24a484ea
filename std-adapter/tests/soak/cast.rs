//! `Actor`: a tool of the soak: it does what tools of its kind do, goes wrong as planned, and notes down each attempt.

use super::configs::HOSTS;
use super::stage::{Place, Stage};
use super::watched::Watched;
use core::time::Duration;
use fusebox::testing::{FaultyTool, faulty};
use fusebox::{Attempt, BoxFuture, CallOptions, ErrorCategory, Priority, Tool, ToolError};
use serde_json::{Value, json};
use std::sync::Arc;

/// The tools. The fallbacks lead from `fetch` to `search` to `cache`.
pub(crate) const NAMES: [&str; 8] = ["cache", "embed", "fetch", "guest", "order", "plan", "search", "stream"];

/// The groups of a tool, whatever the configuration.
pub(crate) fn groups_of(name: &str) -> &'static [&'static str] {
    match name {
        "search" | "fetch" => &["web"],
        "embed" => &["gpu"],
        "stream" => &["gpu", "web"],
        _ => &[],
    }
}

/// The arguments of a call: who it is, and what its tools cannot see otherwise.
pub(crate) fn args(call: u64, priority: Priority) -> Value {
    json!({ "call": call, "cost": cost(priority) })
}

/// What a call of this priority costs.
fn cost(priority: Priority) -> f64 {
    priority.cost().as_milli() as f64 / 1_000.0
}

/// A tool on the stage.
pub(crate) struct Actor {
    stage: Arc<Stage>,
    place: Place,
    work: FaultyTool<FaultyTool<Work>>,
    _token: Arc<()>,
}

impl Actor {
    pub(crate) fn new(stage: &Arc<Stage>, place: Place) -> Self {
        let [always, outage] = stage.faults(place.name);
        let work = Work { stage: Arc::clone(stage), name: place.name };
        let work = faulty(faulty(work, always), outage);
        Self { stage: Arc::clone(stage), place, work, _token: stage.token() }
    }
}

impl Tool for Actor {
    fn call<'a>(&'a self, args: &'a Value, attempt: Attempt) -> BoxFuture<'a, Result<Value, ToolError>> {
        Box::pin(async move {
            let mut running = Running::begin(self, args);
            let result = self.work.call(args, attempt).await;
            running.ended = true;
            if result.is_ok() {
                self.stage.books.answered(running.call, self.place.name);
            }
            result
        })
    }
}

/// An attempt under way; dropped before its end it was cut.
struct Running<'a> {
    actor: &'a Actor,
    call: u64,
    cost: f64,
    ended: bool,
}

impl<'a> Running<'a> {
    fn begin(actor: &'a Actor, args: &Value) -> Self {
        let call = args["call"].as_u64().expect("every call has a number");
        let cost = args["cost"].as_f64().expect("and a cost");
        actor.stage.books.begun(call, actor.place.name);
        actor.stage.begin(&actor.place, call, cost);
        Self { actor, call, cost, ended: false }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let cut = !self.ended && !std::thread::panicking();
        self.actor.stage.end(&self.actor.place, self.call, self.cost, cut);
    }
}

/// What a tool does when nothing goes wrong.
struct Work {
    stage: Arc<Stage>,
    name: &'static str,
}

impl Tool for Work {
    fn call<'a>(&'a self, args: &'a Value, attempt: Attempt) -> BoxFuture<'a, Result<Value, ToolError>> {
        let call = args["call"].as_u64().unwrap_or_default();
        Box::pin(async move {
            match self.name {
                "plan" => self.plan(&attempt).await,
                "stream" => Ok(stream(call, &attempt).await),
                // now and then an output that is not what it must be
                "embed" if call.is_multiple_of(50) => Ok(json!("no vector")),
                "cache" if call.is_multiple_of(50) => Ok(json!("an old page ".repeat(1_000))),
                name => Ok(json!({ "by": name, "call": call })),
            }
        })
    }
}

impl Work {
    /// Looks something up and fetches it, within its own deadline.
    async fn plan(&self, attempt: &Attempt) -> Result<Value, ToolError> {
        for tool in ["search", "fetch"] {
            let number = self.stage.next_call();
            let host = HOSTS[usize::try_from(number).unwrap_or_default() % HOSTS.len()];
            let options = CallOptions { circuit_key: Some(host.into()), ..attempt.call_options() };
            let (registry, deadline) = (self.stage.registry(), options.deadline);
            let call = async move { registry.execute(tool, &args(number, Priority::Normal), &options).await };
            Watched::new(&self.stage, number, deadline, call)
                .await
                .result
                .map_err(|error| ToolError::new(ErrorCategory::ServiceUnavailable, error.to_string()))?;
        }
        Ok(json!("a plan"))
    }
}

/// Comes in parts, of which one may be too long in coming, with a helper that works as long as the attempt.
async fn stream(call: u64, attempt: &Attempt) -> Value {
    let stopped = attempt.cancellation();
    tokio::spawn(async move { stopped.cancelled().await });
    for part in 0..call % 5 {
        let pause = if (call + part).is_multiple_of(17) { 700 } else { 80 };
        tokio::time::sleep(Duration::from_millis(pause)).await;
        attempt.progress().made();
    }
    json!(call)
}
