//! H12: a cost above the burst is told "never", and a finite hint is kept.

use crate::limiter::{Hint, LimiterSpec, LimiterSubject, LimiterUnderTest};
use crate::time::{DAY, SECOND, seconds};
use crate::verdict::Verdict;

const BURST: u32 = 4;
const COST: u32 = BURST + 1;

pub(crate) fn limiter<S: LimiterSubject>(subject: &S) -> Verdict {
    Verdict::of(|| {
        let spec = LimiterSpec { tokens: 3, per: SECOND, burst: BURST, waiting: 0 };
        let limiter = subject.build(&spec).map_err(Verdict::NotApplicable)?;
        match limiter.try_acquire(DAY, COST) {
            Err(Hint::Never) => {}
            Ok(()) => return Err(Verdict::Fail(format!("a cost of {COST} was admitted under a burst of {BURST}"))),
            Err(Hint::Unknown) => {
                return Err(Verdict::Fail(format!("a cost of {COST} under a burst of {BURST} was told nothing")));
            }
            Err(Hint::After(wait)) => {
                let wait = seconds(wait);
                return Err(Verdict::Fail(format!(
                    "a cost of {COST} under a burst of {BURST} was told to wait {wait}"
                )));
            }
        }
        let whole = limiter.try_acquire(DAY, BURST);
        Verdict::demand(whole == Ok(()), || format!("a cost of the whole burst, {BURST}, was denied when full"))?;

        for cost in 1..=BURST {
            let limiter = subject.build(&spec).map_err(Verdict::NotApplicable)?;
            let _ = limiter.try_acquire(DAY, BURST);
            let Err(Hint::After(wait)) = limiter.try_acquire(DAY, cost) else { continue };
            let kept = limiter.try_acquire(DAY + wait, cost) == Ok(());
            Verdict::demand(kept, || format!("a cost of {cost} was denied again at the end of its hint"))?;
        }
        Ok(())
    })
}
