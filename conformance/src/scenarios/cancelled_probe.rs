//! H4: a probe that its caller cancels returns its slot and decides nothing.

use super::half_open::{PROBING, START, build, first_probe, reopens, spec, trip};
use crate::breaker::{BreakerSubject, BreakerUnderTest, Outcome};
use crate::verdict::Verdict;

const PROBES: u32 = 3;

pub(crate) fn breaker<S: BreakerSubject>(subject: &S) -> Verdict {
    Verdict::of(|| undecided(subject, Outcome::Cancelled, "cancelled"))
}

/// Lets probes end as `outcome`, one after the other, and demands that the circuit stays half-open.
pub(super) fn undecided<S: BreakerSubject>(subject: &S, outcome: Outcome, word: &str) -> Result<(), Verdict> {
    let breaker = build(subject, &spec(subject))?;
    trip(&breaker, START)?;
    let mut probe = first_probe(&breaker)?;
    for _ in 0..PROBES {
        breaker.settle(PROBING, probe, outcome);
        Verdict::demand(!breaker.is_open(PROBING), || format!("a probe that was {word} opened the circuit again"))?;
        probe = breaker
            .admit(PROBING)
            .ok_or_else(|| Verdict::Fail(format!("a probe that was {word} did not return its slot")))?;
    }
    Verdict::demand(reopens(&breaker, probe), || {
        format!("probes that were {word} closed the circuit: the failure of the next did not open it")
    })
}
