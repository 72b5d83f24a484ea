//! `Entry`: a registered tool with all that stands around it, checked and ready to be called.

use super::checks::Checks;
use super::plan::{Circuits, Plan};
use super::state::ToolState;
use crate::counters::add_one;
use crate::executor::{Limiter, Remembered};
use crate::tool::Tool;
use crate::{
    CallError, CallOptions, Decision, Execution, Executor, KeyedExecutor, Policy, Rules, Scope, Sleep, ToolError,
};
use core::sync::atomic::AtomicU64;
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

impl<C: Sleep + Clone> Entry<C> {
    /// An entry as planned. The state of `before` lives on in it; without it, what the tool `remembers` from `passed` ago.
    pub(super) fn new(
        name: Arc<str>,
        tool: Arc<dyn Tool>,
        plan: Plan,
        rules: Arc<Rules>,
        before: Option<&Self>,
        remembers: Option<(ToolState, Duration)>,
        clock: &C,
    ) -> Self {
        let Plan { circuits, above, checks, capabilities, fallback, description, args } = plan;
        let executor = |policy: Policy| match (before, &remembers) {
            (Some(before), _) => before.executor().with_policy(policy),
            (None, Some((state, passed))) => {
                let limits = Arc::new(policy.limits);
                let own = Limiter::restored(Scope::Own, limits, clock.now(), &state.own, *passed);
                Executor::with_limiter(policy, own, clock.clone())
            }
            (None, None) => Executor::with_clock(policy, clock.clone()),
        };
        let calls = match circuits {
            Circuits::One(policy) => Calls::One(executor(policy).under(above)),
            Circuits::Keyed(policy) => {
                let before = match before.map(|before| &before.calls) {
                    Some(Calls::Keyed(before)) => Some(before),
                    _ => None,
                };
                let whole = executor(policy.whole.clone()).under(above);
                let keys = remembers.map(|(state, passed)| Remembered { keys: state.keys, passed, now: clock.now() });
                Calls::Keyed(KeyedExecutor::below(whole, &policy, before, keys))
            }
        };
        Self { name, tool, calls, checks, rules, capabilities, fallback, description, args }
    }

    /// Makes a call, if the caller may make it and its arguments are right.
    pub(super) async fn execute(&self, args: &Value, options: &CallOptions) -> Execution<Value, ToolError> {
        if let Err((error, counter)) = self.let_through(args, options) {
            add_one(&self.executor().record().calls);
            add_one(counter);
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

    /// Whether a call may reach the tool's circuit; if not, why, and where that is counted.
    fn let_through(&self, args: &Value, options: &CallOptions) -> Result<(), (CallError<ToolError>, &AtomicU64)> {
        let counters = self.executor().record();
        let verdict = self.rules.decide(options.role.as_deref(), &self.capabilities);
        match verdict.decision {
            Decision::Allow => {}
            Decision::NeedsApproval if options.approved => {}
            Decision::NeedsApproval => {
                return Err((CallError::NeedsApproval(verdict.to_string()), &counters.denied));
            }
            Decision::Deny => return Err((CallError::Denied(verdict.to_string()), &counters.denied)),
        }
        match self.checks.problems_of_args(args) {
            None => Ok(()),
            Some(problems) => Err((CallError::InvalidArgs(problems), &counters.invalid_args)),
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
    pub(super) fn count_fallback(&self) {
        add_one(&self.executor().record().fallbacks);
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
