//! `Entry`: a registered tool with all that stands around it, checked and ready to be called.

use super::checks::Checks;
use super::plan::{Circuits, Plan};
use super::state::ToolState;
use crate::executor::{Limiter, Remembered};
use crate::telemetry::{Ending, Failure, Hub, Telemetry};
use crate::tool::Tool;
use crate::{
    CallError, CallOptions, Decision, Execution, Executor, KeyedExecutor, Policy, Rules, Scope, Sleep, ToolError,
};
use core::time::Duration;
use serde_json::Value;
use std::sync::Arc;

/// A registered tool under one configuration. Another configuration is another entry, which shares the state.
pub(super) struct Entry<C: Sleep> {
    pub(super) name: Arc<str>,
    tool: Arc<dyn Tool>,
    calls: Calls<C>,
    checks: Checks,
    rules: Arc<Rules>,
    capabilities: Box<[String]>,
    pub(super) fallback: Option<String>,
    pub(super) description: Option<String>,
    /// The JSON Schema of its arguments, as it was given.
    pub(super) args: Option<Value>,
}

/// What calls go through.
enum Calls<C: Sleep> {
    One(Executor<C>),
    Keyed(KeyedExecutor<C>),
}

/// What an entry goes on from.
pub(super) enum Past<'a, C: Sleep> {
    /// Nothing: its circuits are new.
    Nothing,
    /// The entry in whose place it comes.
    Entry(&'a Entry<C>),
    /// What its circuits remembered that long ago.
    State(ToolState, Duration),
}

impl<C: Sleep + Clone> Entry<C> {
    /// An entry as planned, which goes on from its past.
    pub(super) fn new(
        name: Arc<str>,
        tool: Arc<dyn Tool>,
        plan: Plan,
        rules: Arc<Rules>,
        past: Past<'_, C>,
        hub: &Hub,
        clock: &C,
    ) -> Self {
        let Plan { circuits, above, checks, capabilities, fallback, description, args } = plan;
        let executor = |policy: Policy| {
            let limits = Arc::new(policy.limits);
            let own = match &past {
                Past::Nothing => Limiter::new(Scope::Own, limits),
                Past::Entry(before) => return before.executor().with_policy(policy),
                Past::State(state, passed) => Limiter::restored(Scope::Own, limits, clock.now(), &state.own, *passed),
            };
            Executor::with_limiter(policy, own, Telemetry::new(Arc::clone(&name), hub.clone()), clock.clone())
        };
        let calls = match circuits {
            Circuits::One(policy) => Calls::One(executor(policy).under(above)),
            Circuits::Keyed(policy) => {
                let whole = executor(policy.whole.clone()).under(above);
                let (before, keys) = match past {
                    Past::Entry(Self { calls: Calls::Keyed(before), .. }) => (Some(before), None),
                    Past::State(ToolState { keys, .. }, passed) => {
                        (None, Some(Remembered { keys, passed, now: clock.now() }))
                    }
                    Past::Nothing | Past::Entry(_) => (None, None),
                };
                Calls::Keyed(KeyedExecutor::below(whole, &policy, before, keys))
            }
        };
        Self { name, tool, calls, checks, rules, capabilities, fallback, description, args }
    }

    /// Makes a call, if the caller may make it and its arguments are right.
    pub(super) async fn execute(&self, args: &Value, options: &CallOptions) -> Execution<Value, ToolError> {
        if let Err(error) = self.let_through(args, options) {
            let telemetry = self.executor().telemetry();
            let span = telemetry.call_started();
            let ending = Ending { attempts: 0, elapsed: Duration::ZERO, failure: Some(Failure::from(&error)) };
            telemetry.call_ended(&span, &ending, self.executor().clock().now());
            return Execution::never_made(error);
        }
        let attempt = async |attempt| self.checks.checked(self.tool.call(args, attempt).await?);
        match &self.calls {
            Calls::One(executor) => executor.run(options, attempt).await,
            Calls::Keyed(executor) => {
                executor.run(options.circuit_key.as_deref().unwrap_or_default(), options, attempt).await
            }
        }
    }

    /// Whether a call may reach the tool's circuit; if not, why.
    fn let_through(&self, args: &Value, options: &CallOptions) -> Result<(), CallError<ToolError>> {
        let verdict = self.rules.decide(options.role.as_deref(), &self.capabilities);
        match verdict.decision {
            Decision::Allow => {}
            Decision::NeedsApproval if options.approved => {}
            Decision::NeedsApproval => return Err(CallError::NeedsApproval(verdict.to_string())),
            Decision::Deny => return Err(CallError::Denied(verdict.to_string())),
        }
        match self.checks.problems_of_args(args) {
            None => Ok(()),
            Some(problems) => Err(CallError::InvalidArgs(problems)),
        }
    }

    /// Whether the rules never let a caller of this role call the tool.
    pub(super) fn is_denied_to(&self, role: Option<&str>) -> bool {
        self.rules.decide(role, &self.capabilities).decision == Decision::Deny
    }

    /// What its circuits remember across a restart.
    pub(super) fn state(&self) -> ToolState {
        let keys = self.keyed().map(KeyedExecutor::state).unwrap_or_default();
        ToolState { own: self.executor().state(), keys }
    }

    /// A call was answered by the fallback.
    pub(super) fn fell_back(&self, error: &CallError<ToolError>) {
        let Failure { kind, .. } = Failure::from(error);
        self.executor().telemetry().fell_back(kind, self.executor().clock().now());
    }

    /// The executor, of all keys together where circuits are keyed.
    pub(super) const fn executor(&self) -> &Executor<C> {
        match &self.calls {
            Calls::One(executor) => executor,
            Calls::Keyed(executor) => executor.whole(),
        }
    }

    /// The circuits of keys, where there are such.
    pub(super) const fn keyed(&self) -> Option<&KeyedExecutor<C>> {
        match &self.calls {
            Calls::One(_) => None,
            Calls::Keyed(executor) => Some(executor),
        }
    }
}
