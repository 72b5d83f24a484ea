//! H8: recording a call in a large window costs what it costs in a small one. Judged by counting, never by a clock.

use super::half_open::spec;
use crate::breaker::{BreakerSpec, BreakerSubject, BreakerUnderTest, Outcome, Trip};
use crate::time::{DAY, SECOND, grouped};
use crate::verdict::Verdict;

const SMALL: u32 = 100;
const LARGE: u32 = 10_000;

pub(crate) fn breaker<S: BreakerSubject>(subject: &S) -> Verdict {
    Verdict::of(|| {
        let spec = spec(subject);
        let count = |size| Trip::CountWindow { size, failure_percent: 50, minimum_calls: size };
        let time = |_| Trip::TimeWindow { span: 10 * SECOND, failure_percent: 50, minimum_calls: SMALL };
        let windows: [(&str, &dyn Fn(u32) -> Trip); 2] = [("count", &count), ("time", &time)];
        let mut missing = None;
        let mut judged = false;
        for (name, window) in windows {
            let build = |records| subject.build(&BreakerSpec { trip: window(records), ..spec });
            match (build(SMALL), build(LARGE)) {
                (Ok(small), Ok(large)) => {
                    judge(subject, name, &small, &large)?;
                    judged = true;
                }
                (Err(why), _) | (_, Err(why)) => missing = missing.or(Some(why)),
            }
        }
        match missing {
            Some(why) if !judged => Err(Verdict::NotApplicable(why)),
            _ => Ok(()),
        }
    })
}

fn judge<S: BreakerSubject>(subject: &S, name: &str, small: &S::Breaker, large: &S::Breaker) -> Result<(), Verdict> {
    let (Some(small), Some(large)) = (last_call(small, SMALL), last_call(large, LARGE)) else {
        return Err(Verdict::NotJudged(subject.cost_of_recording().to_owned()));
    };
    Verdict::demand(large <= 2 * small, || {
        let (small, large, most) = (grouped(small), grouped(large), grouped(u64::from(LARGE)));
        format!("a call touched {small} records of a {name} window with {SMALL}, and {large} of one with {most}")
    })
}

/// Fills the window with `records` successes and counts the work of the last.
fn last_call(breaker: &impl BreakerUnderTest, records: u32) -> Option<u64> {
    let mut before = 0;
    for _ in 0..records {
        before = breaker.work()?;
        let ticket = breaker.admit(DAY)?;
        breaker.settle(DAY, ticket, Outcome::Success);
    }
    Some(breaker.work()?.saturating_sub(before))
}
