//! H5: an ignored outcome returns exactly the permit that its call took, if any, and decides nothing.

use super::cancelled_probe::undecided;
use super::half_open::{PROBING, START, build, first_probe, spec, trip};
use crate::breaker::{BreakerSpec, BreakerSubject, BreakerUnderTest, Outcome};
use crate::verdict::Verdict;

const PROBES: u8 = 2;
const STALE: usize = 50;
const ATTEMPTS: usize = 100;

pub(crate) fn breaker<S: BreakerSubject>(subject: &S) -> Verdict {
    Verdict::of(|| {
        undecided(subject, Outcome::Ignored, "ignored")?;

        let spec = BreakerSpec { probes: PROBES, required_successes: PROBES, ..spec(subject) };
        let breaker = build(subject, &spec)?;
        let stale: Vec<_> = (0..STALE).filter_map(|_| breaker.admit(START)).collect();
        trip(&breaker, START)?;
        let admit_all = || (0..ATTEMPTS).map_while(|_| breaker.admit(PROBING)).collect::<Vec<_>>();
        let first = first_probe(&breaker)?;
        let others = admit_all();
        if others.len() >= ATTEMPTS {
            return Err(Verdict::NotApplicable("it has no probe permits: see H6".to_owned()));
        }
        for ticket in stale {
            breaker.settle(PROBING, ticket, Outcome::Ignored);
        }
        let minted = admit_all().len();
        Verdict::demand(minted == 0, || format!("{STALE} stale ignores let {minted} more probes out"))?;

        breaker.settle(PROBING, first, Outcome::Ignored);
        let returned = admit_all().len();
        Verdict::demand(returned == 1, || format!("one ignored probe let {returned} others out"))
    })
}
