//! H11: a keyed table may drop an idle key only when nobody can tell.

use super::half_open::{PROBING, START, WAIT, build, first_probe, spec, trip};
use super::take_all;
use crate::breaker::{BreakerSpec, BreakerSubject, BreakerUnderTest, Outcome, Trip};
use crate::limiter::{LimiterSpec, LimiterSubject, LimiterUnderTest};
use crate::time::{DAY, Nanos, SECOND};
use crate::verdict::Verdict;

const NEVER_DROPS: &str = "it has no table of keys that drops idle ones";

pub(crate) fn breaker<S: BreakerSubject>(subject: &S) -> Verdict {
    Verdict::of(|| {
        let breaker = build(subject, &spec(subject))?;
        let keeps = |what: &str, now: Nanos| kept(breaker.can_be_forgotten(now), what);
        droppable(breaker.can_be_forgotten(START), "breaker")?;
        if let Some(ticket) = breaker.admit(START) {
            breaker.settle(START, ticket, Outcome::Failure);
        }
        keeps("a closed breaker with a failure", START)?;

        let breaker = build(subject, &spec(subject))?;
        let keeps = |what: &str, now: Nanos| kept(breaker.can_be_forgotten(now), what);
        trip(&breaker, START)?;
        keeps("an open breaker", START)?;
        keeps("an open breaker that nobody has called for 30 days", START + 30 * DAY)?;
        let _probe = first_probe(&breaker)?;
        keeps("a breaker with a probe out", PROBING)?;

        let count = Trip::CountWindow { size: 10, failure_percent: 50, minimum_calls: 10 };
        let time = Trip::TimeWindow { span: 10 * WAIT, failure_percent: 50, minimum_calls: 10 };
        for (trip, what) in [(count, "count"), (time, "time")] {
            let Ok(breaker) = subject.build(&BreakerSpec { trip, ..spec(subject) }) else { continue };
            droppable(breaker.can_be_forgotten(START), "breaker")?;
            for outcome in [Outcome::Failure, Outcome::Success] {
                if let Some(ticket) = breaker.admit(START) {
                    breaker.settle(START, ticket, outcome);
                }
            }
            let now = START + WAIT;
            kept(breaker.can_be_forgotten(now), &format!("a breaker with a failure in its {what} window"))?;
        }
        Ok(())
    })
}

pub(crate) fn limiter<S: LimiterSubject>(subject: &S) -> Verdict {
    Verdict::of(|| {
        let spec = LimiterSpec { tokens: 1, per: SECOND, burst: 10, waiting: 0 };
        let limiter = subject.build(&spec).map_err(Verdict::NotApplicable)?;
        droppable(limiter.can_be_forgotten(DAY), "bucket")?;
        take_all(&limiter, DAY, 100);
        for (what, after) in [("an empty bucket", 0), ("a half-full bucket", 5), ("a bucket that lacks a token", 9)] {
            let now = DAY + after * SECOND;
            kept(limiter.can_be_forgotten(now), what)?;
        }
        let left = take_all(&limiter, DAY + 9 * SECOND, 100);
        Verdict::demand(left == 9, || format!("a bucket with 9 tokens held {left} after idle keys were dropped"))
    })
}

fn droppable(answer: Option<bool>, what: &str) -> Result<(), Verdict> {
    match answer {
        Some(true) => Ok(()),
        Some(false) => Err(Verdict::Fail(format!("a {what} that was never used can not be dropped"))),
        None => Err(Verdict::NotApplicable(NEVER_DROPS.to_owned())),
    }
}

fn kept(answer: Option<bool>, what: &str) -> Result<(), Verdict> {
    Verdict::demand(answer == Some(false), || format!("{what} was dropped"))
}
