//! H9: a caller that stops waiting, or that does not use what it took, costs no tokens.

use super::take_all;
use crate::limiter::{LimiterSpec, LimiterSubject, LimiterUnderTest};
use crate::time::{DAY, Nanos, SECOND};
use crate::verdict::Verdict;

const BURST: u32 = 10;
const REFILLED: Nanos = DAY + 10 * SECOND;

pub(crate) fn limiter<S: LimiterSubject>(subject: &S) -> Verdict {
    Verdict::of(|| {
        let spec = LimiterSpec { tokens: 1, per: SECOND, burst: BURST, waiting: BURST };
        let build = || subject.build(&spec).map_err(Verdict::NotApplicable);

        let waiting = build()?;
        take_all(&waiting, DAY, u64::from(BURST) + 1);
        let wait = waiting.start_wait(DAY, BURST / 2);
        let waits = wait.is_some();
        if let Some(wait) = wait {
            waiting.cancel_wait(DAY + SECOND, wait);
            let left = take_all(&waiting, REFILLED, 1_000);
            Verdict::demand(left == u64::from(BURST), || {
                format!("after a cancelled wait for {} tokens {left} of {BURST} were there", BURST / 2)
            })?;
            all_waits_end(&build()?)?;
        }

        let using = build()?;
        take_all(&using, DAY, u64::from(BURST) + 1);
        let gives_back = using.give_back(DAY, BURST / 2);
        if gives_back {
            let left = take_all(&using, DAY, 1_000);
            Verdict::demand(left == u64::from(BURST / 2), || {
                format!("{} unused tokens were given back, and {left} were there", BURST / 2)
            })?;
            using.give_back(REFILLED, BURST);
            let left = take_all(&using, REFILLED, 1_000);
            Verdict::demand(left == u64::from(BURST), || {
                format!("giving back to a full bucket lifted it to {left} over a burst of {BURST}")
            })?;
        }
        if waits || gives_back {
            return Ok(());
        }
        Err(Verdict::NotApplicable("callers neither wait nor give back".to_owned()))
    })
}

/// As many callers wait as may, and those who came last give up first.
fn all_waits_end(limiter: &impl LimiterUnderTest) -> Result<(), Verdict> {
    take_all(limiter, DAY, u64::from(BURST) + 1);
    let mut waits: Vec<_> = (0..BURST).filter_map(|_| limiter.start_wait(DAY, 1)).collect();
    let waiting = waits.len();
    while let Some(wait) = waits.pop() {
        limiter.cancel_wait(DAY + SECOND, wait);
    }
    let left = take_all(limiter, REFILLED, 1_000);
    Verdict::demand(left == u64::from(BURST), || {
        format!("after {waiting} cancelled waits for a token each {left} of {BURST} were there")
    })
}
