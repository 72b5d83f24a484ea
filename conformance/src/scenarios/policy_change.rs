//! H10: a live change of policy keeps what was learned: open stays open, empty stays empty.

use super::half_open::{START, THRESHOLD, build, spec, trip};
use super::take_all;
use crate::breaker::{BreakerSpec, BreakerSubject, BreakerUnderTest, Outcome};
use crate::limiter::{LimiterSpec, LimiterSubject, LimiterUnderTest};
use crate::time::{DAY, HOUR, SECOND};
use crate::verdict::Verdict;

pub(crate) fn breaker<S: BreakerSubject>(subject: &S) -> Verdict {
    Verdict::of(|| {
        let old = spec(subject);
        let new = BreakerSpec { open_wait: HOUR, ..old };

        let mut counting = build(subject, &old)?;
        for _ in 1..THRESHOLD {
            if let Some(ticket) = counting.admit(START) {
                counting.settle(START, ticket, Outcome::Failure);
            }
        }
        changed(counting.change(START, &new))?;
        if let Some(ticket) = counting.admit(START) {
            counting.settle(START, ticket, Outcome::Failure);
        }
        Verdict::demand(counting.is_open(START), || "a change of policy forgot the failures so far".to_owned())?;

        let mut open = build(subject, &old)?;
        trip(&open, START)?;
        changed(open.change(START, &new))?;
        let holds = open.is_open(START) && open.admit(START).is_none();
        Verdict::demand(holds, || "a change of policy closed the open circuit".to_owned())
    })
}

pub(crate) fn limiter<S: LimiterSubject>(subject: &S) -> Verdict {
    Verdict::of(|| {
        let old = LimiterSpec { tokens: 1, per: SECOND, burst: 10 };
        let new = LimiterSpec { tokens: 2, per: SECOND, burst: 20 };

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
