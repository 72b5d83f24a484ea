//! H10: a live change of policy keeps what was learned: open stays open, empty stays empty.

use super::half_open::{START, THRESHOLD, WAIT, build, spec, trip};
use super::take_all;
use crate::breaker::{BreakerSpec, BreakerSubject, BreakerUnderTest, Outcome, Trip};
use crate::limiter::{LimiterSpec, LimiterSubject, LimiterUnderTest};
use crate::time::{DAY, HOUR, SECOND};
use crate::verdict::Verdict;

/// Calls in a window.
const CALLS: u32 = 20;

pub(crate) fn breaker<S: BreakerSubject>(subject: &S) -> Verdict {
    Verdict::of(|| {
        let old = spec(subject);
        let new = BreakerSpec { open_wait: HOUR, ..old };

        let mut counting = build(subject, &old)?;
        for _ in 1..THRESHOLD {
            settle(&counting, Outcome::Failure);
        }
        changed(counting.change(START, &new))?;
        settle(&counting, Outcome::Failure);
        Verdict::demand(counting.is_open(START), || "a change of policy forgot the failures so far".to_owned())?;

        let mut open = build(subject, &old)?;
        trip(&open, START)?;
        changed(open.change(START, &new))?;
        let holds = open.is_open(START) && open.admit(START).is_none();
        Verdict::demand(holds, || "a change of policy closed the open circuit".to_owned())?;

        let count = |failure_percent| Trip::CountWindow { size: CALLS, failure_percent, minimum_calls: CALLS };
        let time = |failure_percent| Trip::TimeWindow { span: 10 * WAIT, failure_percent, minimum_calls: CALLS };
        let windows: [(&str, &dyn Fn(u8) -> Trip); 2] = [("count", &count), ("time", &time)];
        for (name, window) in windows {
            let strict = BreakerSpec { trip: window(50), ..old };
            let Ok(mut breaker) = subject.build(&BreakerSpec { trip: window(90), ..old }) else { continue };
            for call in 1..CALLS {
                let outcome = if call % 2 == 0 { Outcome::Success } else { Outcome::Failure };
                settle(&breaker, outcome);
            }
            changed(breaker.change(START, &strict))?;
            settle(&breaker, Outcome::Failure);
            let opened = breaker.is_open(START);
            Verdict::demand(opened, || format!("a change of policy emptied the {name} window"))?;
        }
        Ok(())
    })
}

fn settle(breaker: &impl BreakerUnderTest, outcome: Outcome) {
    if let Some(ticket) = breaker.admit(START) {
        breaker.settle(START, ticket, outcome);
    }
}

pub(crate) fn limiter<S: LimiterSubject>(subject: &S) -> Verdict {
    Verdict::of(|| {
        let old = LimiterSpec { tokens: 1, per: SECOND, burst: 10, waiting: 0 };
        let new = LimiterSpec { tokens: 2, per: SECOND, burst: 20, waiting: 0 };

        let mut empty = subject.build(&old).map_err(Verdict::NotApplicable)?;
        take_all(&empty, DAY, 100);
        changed(empty.change(DAY, &new))?;
        let left = take_all(&empty, DAY, 100);
        Verdict::demand(left == 0, || format!("a change of policy put {left} tokens into an empty bucket"))?;

        let mut half = subject.build(&old).map_err(Verdict::NotApplicable)?;
        take_all(&half, DAY, 5);
        changed(half.change(DAY, &new))?;
        let left = take_all(&half, DAY, 100);
        Verdict::demand((5..=15).contains(&left), || {
            format!("a half-full bucket of 10 became one of 20 that held {left}")
        })
    })
}

fn changed(changed: bool) -> Result<(), Verdict> {
    if changed { Ok(()) } else { Err(Verdict::NotApplicable("its policy is fixed when it is built".to_owned())) }
}
