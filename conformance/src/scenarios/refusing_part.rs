//! H14: an open breaker costs no tokens, and an empty bucket costs no probe.

use super::half_open::{LEASE, START, THRESHOLD, WAIT};
use crate::breaker::{BreakerSpec, Outcome, Trip};
use crate::circuit::{CircuitSubject, CircuitUnderTest, Part};
use crate::limiter::LimiterSpec;
use crate::time::{DAY, SECOND};
use crate::verdict::Verdict;

const REFUSALS: u32 = 100;

pub(crate) fn circuit<S: CircuitSubject>(subject: &S) -> Verdict {
    Verdict::of(|| {
        let breaker = BreakerSpec {
            trip: Trip::Consecutive(THRESHOLD),
            open_wait: WAIT,
            probes: 1,
            required_successes: 1,
            probe_lease: LEASE,
        };
        let limiter = LimiterSpec { tokens: 1, per: DAY, burst: 2 * THRESHOLD };
        let open = subject.build(&breaker, &limiter).map_err(Verdict::NotApplicable)?;
        open_breaker_costs_no_tokens(&open)?;
        let empty =
            subject.build(&breaker, &LimiterSpec { burst: THRESHOLD, ..limiter }).map_err(Verdict::NotApplicable)?;
        empty_bucket_costs_no_probe(&empty)
    })
}

fn trip(circuit: &impl CircuitUnderTest) -> Result<(), Verdict> {
    for _ in 0..THRESHOLD {
        let ticket =
            circuit.admit(START).map_err(|part| Verdict::Fail(format!("the fresh {part:?} refused a call")))?;
        circuit.settle(START, ticket, Outcome::Failure);
    }
    Ok(())
}

fn open_breaker_costs_no_tokens(circuit: &impl CircuitUnderTest) -> Result<(), Verdict> {
    trip(circuit)?;
    for _ in 0..REFUSALS {
        match circuit.admit(START) {
            Err(Part::Breaker) => {}
            Err(Part::Limiter) => {
                let text = "refusals by the open breaker used up the tokens: then the limiter refused";
                return Err(Verdict::Fail(text.to_owned()));
            }
            Ok(_) => return Err(Verdict::Fail("the breaker did not open".to_owned())),
        }
    }
    let now = START + WAIT + SECOND;
    let mut admitted = 0;
    while let Ok(ticket) = circuit.admit(now) {
        circuit.settle(now, ticket, Outcome::Success);
        admitted += 1;
        if admitted > THRESHOLD {
            break;
        }
    }
    Verdict::demand(admitted == THRESHOLD, || {
        format!("{REFUSALS} refusals by the open breaker left {admitted} of {THRESHOLD} tokens")
    })
}

fn empty_bucket_costs_no_probe(circuit: &impl CircuitUnderTest) -> Result<(), Verdict> {
    trip(circuit)?;
    let refilled = START + DAY;
    for _ in 0..REFUSALS {
        match circuit.admit(refilled - SECOND) {
            Err(Part::Limiter) => {}
            Err(Part::Breaker) => {
                let text = "a refusal by the empty bucket used up the probe: then the breaker refused";
                return Err(Verdict::Fail(text.to_owned()));
            }
            Ok(_) => return Err(Verdict::Fail("a call was admitted while the bucket was empty".to_owned())),
        }
    }
    Verdict::demand(circuit.admit(refilled + SECOND).is_ok(), || {
        format!("{REFUSALS} refusals by the empty bucket used up the probe: none was admitted when it had refilled")
    })
}
