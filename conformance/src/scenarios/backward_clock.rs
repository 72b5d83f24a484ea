//! H1: a clock that steps backwards must cost at most one wait, not the size of the step.

use super::half_open::{THRESHOLD, WAIT, build, spec, trip};
use super::take_all;
use crate::breaker::{BreakerSubject, BreakerUnderTest, Outcome, Trip};
use crate::limiter::{LimiterSpec, LimiterSubject, LimiterUnderTest};
use crate::time::{ClockKind, HOUR, MILLI, Nanos, SECOND, grouped, seconds};
use crate::verdict::Verdict;

const BEFORE: Nanos = 10 * HOUR;
const AFTER: Nanos = 9 * HOUR;
const LONGEST_SEARCH: Nanos = 3 * HOUR;
const BURST: u32 = 5;
const PER_SECOND: u32 = 10;
/// What an empty bucket denies for without a step, and one second, which is longer than the refill of the burst.
const LONGEST_DENIAL: Nanos = SECOND / 10 + SECOND;

pub(crate) fn breaker<S: BreakerSubject>(subject: &S) -> Verdict {
    Verdict::of(|| {
        can_step(subject.clock())?;
        let spec = spec(subject);

        let breaker = build(subject, &spec)?;
        trip(&breaker, BEFORE)?;
        let mut refused = 0;
        while breaker.admit(AFTER + refused).is_none() && refused < LONGEST_SEARCH {
            refused += SECOND;
        }
        Verdict::demand(refused <= WAIT + SECOND, || {
            let (refused, wait) = (at_least(refused), seconds(WAIT));
            format!("after a step of an hour it refused for {refused} under an open wait of {wait}")
        })?;

        for trip in [Trip::Consecutive(THRESHOLD), time_window()] {
            if let Ok(breaker) = subject.build(&crate::BreakerSpec { trip, ..spec }) {
                still_trips(&breaker)?;
            }
        }
        Ok(())
    })
}

fn time_window() -> Trip {
    Trip::TimeWindow { span: 10 * SECOND, failure_percent: 50, minimum_calls: 20 }
}

/// A closed breaker sees a minute of successes, the step, and then nothing but failures.
fn still_trips(breaker: &impl BreakerUnderTest) -> Result<(), Verdict> {
    const CALLS: u64 = 600;
    let settle = |now, outcome| {
        if let Some(ticket) = breaker.admit(now) {
            breaker.settle(now, ticket, outcome);
        }
    };
    for call in 0..CALLS {
        settle(BEFORE + call * 100 * MILLI, Outcome::Success);
    }
    for call in 0..CALLS {
        let now = AFTER + call * 100 * MILLI;
        settle(now, Outcome::Failure);
        if breaker.is_open(now) {
            return Ok(());
        }
    }
    Err(Verdict::Fail(format!("after a step of an hour {CALLS} failures in a row did not open it")))
}

pub(crate) fn limiter<S: LimiterSubject>(subject: &S) -> Verdict {
    Verdict::of(|| {
        can_step(subject.clock())?;
        for waiting in [0, BURST] {
            steps_back(subject, waiting)?;
        }
        Ok(())
    })
}

/// A caller waits for so many tokens when the clock steps back. Its own wait comes on top of a denial.
fn steps_back<S: LimiterSubject>(subject: &S, waiting: u32) -> Result<(), Verdict> {
    let spec = LimiterSpec { tokens: PER_SECOND, per: SECOND, burst: BURST, waiting };
    let limiter = subject.build(&spec).map_err(Verdict::NotApplicable)?;
    take_all(&limiter, BEFORE, u64::from(BURST) + 1);
    let _waits = (waiting > 0).then(|| limiter.start_wait(BEFORE, waiting));
    let longest = LONGEST_DENIAL + u64::from(waiting) * SECOND / u64::from(PER_SECOND);
    let mut denied = 0;
    while limiter.try_acquire(AFTER + denied, 1).is_err() && denied < LONGEST_SEARCH {
        denied += 50 * MILLI;
    }
    Verdict::demand(denied <= longest, || {
        format!("after a step of an hour it denied for {}; a whole burst refills in 0.5 s", at_least(denied))
    })?;

    let again = AFTER + denied;
    let granted = 1 + (0..100).map(|poll| take_all(&limiter, again + poll * 100 * MILLI, 1_000)).sum::<u64>();
    let most = u64::from(BURST + 10 * PER_SECOND);
    Verdict::demand(granted <= most, || {
        let granted = grouped(granted);
        format!("in the 10 s after a step of an hour it admitted {granted}; burst and rate allow {most}")
    })
}

fn at_least(span: Nanos) -> String {
    let more = if span < LONGEST_SEARCH { "" } else { " or more" };
    format!("{}{more}", seconds(span))
}

fn can_step(clock: ClockKind) -> Result<(), Verdict> {
    match clock {
        ClockKind::Any => Ok(()),
        ClockKind::Forward => Err(Verdict::NotApplicable("its clock, real or supplied, cannot step back".to_owned())),
        ClockKind::Own => Err(Verdict::NotApplicable("it reads a monotonic clock of its own".to_owned())),
    }
}
