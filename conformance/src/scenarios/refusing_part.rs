//! H14: an open breaker costs no tokens, an empty bucket costs no probe, and no tokens of another bucket.

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
        let wide = LimiterSpec { tokens: 1, per: DAY, burst: 2 * THRESHOLD, waiting: 0 };
        let narrow = LimiterSpec { burst: THRESHOLD, ..wide };
        let fast = LimiterSpec { per: SECOND, ..narrow };
        let build = |limiters: &[LimiterSpec]| subject.build(&breaker, limiters).map_err(Verdict::NotApplicable);
        open_breaker_costs_no_tokens(&build(&[wide])?)?;
        empty_bucket_costs_no_probe(&build(&[narrow])?)?;
        if build(&[wide, wide]).is_err() {
            return Ok(());
        }
        open_breaker_costs_no_tokens(&build(&[wide, wide])?)?;
        for empty_first in [true, false] {
            let both = |limiter| build(&if empty_first { [limiter, wide] } else { [wide, limiter] });
            empty_bucket_costs_no_probe(&both(narrow)?)?;
            empty_bucket_costs_the_other_nothing(&both(fast)?)?;
        }
        Ok(())
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

/// One bucket refills in seconds, the other does not refill in the time of the test.
fn empty_bucket_costs_the_other_nothing(circuit: &impl CircuitUnderTest) -> Result<(), Verdict> {
    for _ in 0..THRESHOLD {
        let ticket =
            circuit.admit(START).map_err(|part| Verdict::Fail(format!("the fresh {part:?} refused a call")))?;
        circuit.settle(START, ticket, Outcome::Success);
    }
    for _ in 0..REFUSALS {
        Verdict::demand(matches!(circuit.admit(START), Err(Part::Limiter)), || {
            "a call was not refused by the empty one of two buckets".to_owned()
        })?;
    }
    let refilled = START + (u64::from(THRESHOLD) + 1) * SECOND;
    let left = (0..=THRESHOLD).map_while(|_| circuit.admit(refilled).ok()).count();
    Verdict::demand(left == THRESHOLD as usize, || {
        format!("{REFUSALS} refusals by one empty bucket left {left} of {THRESHOLD} tokens in the other")
    })
}
