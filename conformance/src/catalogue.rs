//! The catalogue: which scenarios there are, and to which kinds of subject they apply.

use crate::breaker::BreakerSubject;
use crate::circuit::CircuitSubject;
use crate::limiter::LimiterSubject;
use crate::scenarios::*;
use crate::verdict::Verdict;

/// A kind of subject. Complete.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Role {
    /// A circuit breaker.
    Breaker,
    /// A rate limiter.
    Limiter,
    /// A facade over both.
    Circuit,
}

/// One scenario.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Scenario {
    /// `H1` to `H15`.
    pub id: &'static str,
    /// What happens, or what must hold.
    pub title: &'static str,
    /// The subjects to which it applies.
    pub roles: &'static [Role],
}

const fn scenario(id: &'static str, title: &'static str, roles: &'static [Role]) -> Scenario {
    Scenario { id, title, roles }
}

/// All scenarios, in order.
pub const CATALOGUE: [Scenario; 15] = [
    scenario("H1", "the clock steps backwards", &[Role::Breaker, Role::Limiter]),
    scenario("H2", "a success that was admitted while closed arrives in half-open", &[Role::Breaker]),
    scenario("H3", "a probe never reports", &[Role::Breaker]),
    scenario("H4", "the caller cancels the probe", &[Role::Breaker]),
    scenario("H5", "an ignored outcome returns exactly one permit and decides nothing", &[Role::Breaker]),
    scenario("H6", "concurrent half-open probes stay within the limit", &[Role::Breaker]),
    scenario("H7", "the window really slides", &[Role::Breaker]),
    scenario("H8", "the cost of a call is independent of the window's size", &[Role::Breaker]),
    scenario("H9", "a cancelled wait gives its tokens back", &[Role::Limiter]),
    scenario("H10", "a live change of policy keeps the state", &[Role::Breaker, Role::Limiter]),
    scenario(
        "H11",
        "dropping an idle key never forgets an open breaker or an empty bucket",
        &[Role::Breaker, Role::Limiter],
    ),
    scenario("H12", "low priority with a cost above the burst is told that it never fits", &[Role::Limiter]),
    scenario("H13", "the polling pattern does not change the rate", &[Role::Limiter]),
    scenario("H14", "the part that refuses takes nothing from the other", &[Role::Circuit]),
    scenario("H15", "years of ticks, and timestamps near the end of the clock", &[Role::Breaker, Role::Limiter]),
];

/// Runs a breaker through its scenarios.
pub fn run_breaker<S: BreakerSubject>(subject: &S) -> Vec<(&'static str, Verdict)> {
    vec![
        ("H1", backward_clock::breaker(subject)),
        ("H2", stale_success::breaker(subject)),
        ("H3", lost_probe::breaker(subject)),
        ("H4", cancelled_probe::breaker(subject)),
        ("H5", ignored_outcome::breaker(subject)),
        ("H6", probe_limit::breaker(subject)),
        ("H7", sliding_window::breaker(subject)),
        ("H8", window_cost::breaker(subject)),
        ("H10", policy_change::breaker(subject)),
        ("H11", forgetting::breaker(subject)),
        ("H15", long_horizon::breaker(subject)),
    ]
}

/// Runs a limiter through its scenarios.
pub fn run_limiter<S: LimiterSubject>(subject: &S) -> Vec<(&'static str, Verdict)> {
    vec![
        ("H1", backward_clock::limiter(subject)),
        ("H9", cancelled_wait::limiter(subject)),
        ("H10", policy_change::limiter(subject)),
        ("H11", forgetting::limiter(subject)),
        ("H12", never_fits::limiter(subject)),
        ("H13", polling::limiter(subject)),
        ("H15", long_horizon::limiter(subject)),
    ]
}

/// Runs a facade over both through its scenario.
pub fn run_circuit<S: CircuitSubject>(subject: &S) -> Vec<(&'static str, Verdict)> {
    vec![("H14", refusing_part::circuit(subject))]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subjects::Fusebox;

    #[test]
    fn what_runs_is_what_the_catalogue_says() {
        let listed = |role| CATALOGUE.iter().filter(|s| s.roles.contains(&role)).map(|s| s.id).collect::<Vec<_>>();
        let run = |verdicts: Vec<(&'static str, Verdict)>| verdicts.into_iter().map(|(id, _)| id).collect::<Vec<_>>();
        assert_eq!(run(run_breaker(&Fusebox)), listed(Role::Breaker));
        assert_eq!(run(run_limiter(&Fusebox)), listed(Role::Limiter));
        assert_eq!(run(run_circuit(&Fusebox)), listed(Role::Circuit));
    }
}
