//! H6: probes that are out at the same time stay within the limit.

use super::half_open::{PROBING, START, build, first_probe, spec, trip};
use crate::breaker::{BreakerSpec, BreakerSubject, BreakerUnderTest};
use crate::time::grouped;
use crate::verdict::Verdict;

const LIMIT: u8 = 2;
const CALLS: usize = 1_000;

pub(crate) fn breaker<S: BreakerSubject>(subject: &S) -> Verdict {
    Verdict::of(|| {
        let breaker = build(subject, &BreakerSpec { probes: LIMIT, required_successes: LIMIT, ..spec(subject) })?;
        trip(&breaker, START)?;
        let first = first_probe(&breaker)?;
        let mut out = vec![first];
        out.extend((1..CALLS).filter_map(|_| breaker.admit(PROBING)));
        Verdict::demand(out.len() <= usize::from(LIMIT), || {
            let (out, calls) = (grouped(out.len() as u64), grouped(CALLS as u64));
            format!("{out} of {calls} calls were out at once; {LIMIT} were asked for")
        })
    })
}
