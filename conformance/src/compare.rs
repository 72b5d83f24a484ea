//! The comparison: Fusebox and its peers through all scenarios that concern them.

use crate::catalogue::{CATALOGUE, Role, Scenario, run_breaker, run_circuit, run_limiter};
use crate::subjects::{Failsafe, Fusebox, Governor, Recloser, TowerResilience};
use crate::verdict::Verdict;

/// One library in the comparison.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Compared {
    /// What readers call it.
    pub name: &'static str,
    /// The package that was run.
    pub package: &'static str,
    /// How it was run.
    pub how: &'static str,
    verdicts: Vec<(Role, &'static str, Verdict)>,
}

/// A scenario in one of its roles.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Row {
    /// The scenario.
    pub scenario: &'static Scenario,
    /// The role.
    pub role: Role,
}

impl Compared {
    /// The verdict in a row; `None` when the library does not play the role.
    pub fn verdict(&self, row: Row) -> Option<&Verdict> {
        self.verdicts
            .iter()
            .find(|(role, id, _)| (*role, *id) == (row.role, row.scenario.id))
            .map(|(.., verdict)| verdict)
    }
}

impl Row {
    /// All rows, in order.
    pub fn all() -> impl Iterator<Item = Self> {
        CATALOGUE.iter().flat_map(|scenario| scenario.roles.iter().map(move |&role| Self { scenario, role }))
    }
}

/// Runs Fusebox and its peers. Takes a few seconds.
pub fn compare() -> Vec<Compared> {
    let breaker = |verdicts| of_role(Role::Breaker, verdicts);
    let limiter = |verdicts| of_role(Role::Limiter, verdicts);
    let mut fusebox = breaker(run_breaker(&Fusebox));
    fusebox.extend(limiter(run_limiter(&Fusebox)));
    fusebox.extend(of_role(Role::Circuit, run_circuit(&Fusebox)));
    vec![
        Compared {
            name: "Fusebox",
            package: "fusebox-core",
            how: "`Breaker` without a window, with a `CountWindow` and with a `TimeWindow`; `TokenBucket`; `Circuit`, and \
                  gates where H14 has two buckets. Time is an argument. Three documented limits are left out. H9: a \
                  booking that is cancelled while others stand behind it in debt gives back nothing. H11: whoever drops \
                  a breaker knows that no call it admitted while closed is under way. H15: a bucket that idles for longer \
                  than its word can tell from a clock that went back (146 years at 2/s, 53 days at 997/s) may deny once, \
                  for one burst's refill or a second.",
            verdicts: fusebox,
        },
        Compared {
            name: "failsafe",
            package: "failsafe",
            how: "A breaker. `StateMachine` with its (hidden) test clock, which moves forwards only. It has no setting \
                  for the number of probes and admits every call in half-open, which is why H3 and H4 pass.",
            verdicts: breaker(run_breaker(&Failsafe)),
        },
        Compared {
            name: "recloser",
            package: "recloser",
            how: "A breaker. `AsyncRecloser` with its own clock and a first open wait of zero. It has no setting for \
                  the number of probes; it admits every call in half-open, which is why H3 and H4 pass, and judges by the rate of \
                  the last ones.",
            verdicts: breaker(run_breaker(&Recloser)),
        },
        Compared {
            name: "tower-resilience",
            package: "tower-resilience-circuitbreaker",
            how: "A breaker. Its layer around a service, with its own clock and an open wait of zero. To H3, \
                  read from its source and not judged: a probe that is neither finished nor dropped keeps its permit.",
            verdicts: breaker(run_breaker(&TowerResilience)),
        },
        Compared {
            name: "governor",
            package: "governor",
            how: "A limiter. A keyed `RateLimiter` with one key and a clock set by hand. Its documentation asks for a \
                  monotonic clock and for less than 584 years of it, so H1 and the end of H15 are outside of what it \
                  promises. H9 is judged by dropping `until_key_n_ready`; it has no giving back.",
            verdicts: limiter(run_limiter(&Governor)),
        },
    ]
}

fn of_role(role: Role, verdicts: Vec<(&'static str, Verdict)>) -> Vec<(Role, &'static str, Verdict)> {
    verdicts.into_iter().map(|(id, verdict)| (role, id, verdict)).collect()
}
