//! H3: a probe that never reports must not keep the circuit from recovering.

use super::half_open::{LEASE, PROBING, START, build, first_probe, spec, trip};
use crate::breaker::{BreakerSubject, BreakerUnderTest};
use crate::time::{ClockKind, DAY, Nanos, SECOND, seconds};
use crate::verdict::Verdict;

const MINUTE: Nanos = 60 * SECOND;

pub(crate) fn breaker<S: BreakerSubject>(subject: &S) -> Verdict {
    Verdict::of(|| {
        let breaker = build(subject, &spec(subject))?;
        trip(&breaker, START)?;
        let _lost = first_probe(&breaker)?;
        if breaker.admit(PROBING).is_some() {
            return Ok(()); // nothing waits for the probe
        }
        if subject.clock() == ClockKind::Own {
            let why = "calls are refused while the probe is out, and no clock can be supplied to see for how long";
            return Err(Verdict::NotJudged(why.to_owned()));
        }
        let mut waited = LEASE + SECOND;
        while breaker.admit(PROBING + waited).is_none() {
            waited += MINUTE;
            Verdict::demand(waited < 30 * DAY, || {
                "no call was admitted in the 30 days after the probe was lost".to_owned()
            })?;
        }
        Verdict::demand(waited <= LEASE + SECOND, || {
            format!("no call was admitted for {} after the probe was lost", seconds(waited))
        })
    })
}
