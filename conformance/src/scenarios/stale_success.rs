//! H2: successes of calls that were admitted while closed must not close a half-open circuit.

use super::half_open::{PROBING, START, build, first_probe, reopens, spec, trip};
use crate::breaker::{BreakerSubject, BreakerUnderTest, Outcome};
use crate::verdict::Verdict;

const EARLY: usize = 4;

pub(crate) fn breaker<S: BreakerSubject>(subject: &S) -> Verdict {
    Verdict::of(|| {
        let breaker = build(subject, &spec(subject))?;
        let early: Vec<_> = (0..EARLY).filter_map(|_| breaker.admit(START)).collect();
        Verdict::demand(early.len() == EARLY, || "a closed breaker refused calls".to_owned())?;
        trip(&breaker, START)?;
        let probe = first_probe(&breaker)?;
        for ticket in early {
            breaker.settle(PROBING, ticket, Outcome::Success);
        }
        Verdict::demand(reopens(&breaker, probe), || {
            "late successes closed the half-open circuit: the probe's failure did not open it".to_owned()
        })
    })
}
