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
        let refused = circuit.admit(START).err();
        Verdict::demand(refused == Some(Part::Breaker), || "the open breaker did not refuse".to_owned())?;
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
    let now = START + WAIT + SECOND;
    for _ in 0..REFUSALS {
        let refused = circuit.admit(now).err();
        Verdict::demand(refused == Some(Part::Limiter), || {
            "with the wait over and the bucket empty, it was not the limiter that refused".to_owned()
        })?;
    }
    let refilled = START + DAY + SECOND;
    match circuit.admit(refilled) {
        Ok(probe) => {
            circuit.settle(refilled, probe, Outcome::Success);
            Ok(())
        }
        Err(part) => {
            let text = format!("{REFUSALS} refusals by the empty bucket used up the probe: then the {part:?} refused");
            Err(Verdict::Fail(text))
        }
    }
}
