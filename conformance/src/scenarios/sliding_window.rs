//! H7: what has left the window counts no more.

use super::half_open::spec;
use crate::breaker::{BreakerSpec, BreakerSubject, BreakerUnderTest, Outcome, Trip};
use crate::time::{DAY, HOUR, MILLI, Nanos, SECOND, grouped};
use crate::verdict::Verdict;

const SIZE: u32 = 100;
const SUCCESSES: u64 = 100_000;
const SPAN: Nanos = 10 * SECOND;
const MINIMUM: u32 = 20;
const PAUSE: Nanos = 100 * MILLI;

pub(crate) fn breaker<S: BreakerSubject>(subject: &S) -> Verdict {
    Verdict::of(|| {
        let spec = BreakerSpec { open_wait: HOUR, ..spec(subject) };
        let count = Trip::CountWindow { size: SIZE, failure_percent: 50, minimum_calls: SIZE };
        let time = Trip::TimeWindow { span: SPAN, failure_percent: 50, minimum_calls: MINIMUM };
        let build = |trip| subject.build(&BreakerSpec { trip, ..spec });
        if let (Err(why), Err(_)) = (build(count), build(time)) {
            return Err(Verdict::NotApplicable(why));
        }
        if let Ok(breaker) = build(count) {
            successes_slide_out_of_count(&breaker)?;
        }
        if let (Ok(first), Ok(second)) = (build(time), build(time)) {
            successes_slide_out_of_time(&first)?;
            failures_slide_out_of_time(&second)?;
        }
        Ok(())
    })
}

fn successes_slide_out_of_count(breaker: &impl BreakerUnderTest) -> Result<(), Verdict> {
    for _ in 0..SUCCESSES {
        call(breaker, DAY, Outcome::Success);
    }
    let mut passed = 0;
    while !breaker.is_open(DAY) && passed < 2 * SUCCESSES {
        call(breaker, DAY, Outcome::Failure);
        passed += 1;
    }
    Verdict::demand(passed <= u64::from(SIZE), || {
        let (successes, passed) = (grouped(SUCCESSES), grouped(passed));
        format!("count window of {SIZE} at 50%: after {successes} successes it let {passed} failures through")
    })
}

fn successes_slide_out_of_time(breaker: &impl BreakerUnderTest) -> Result<(), Verdict> {
    for number in 0..2_000 {
        call(breaker, DAY + number * SPAN / 2_000, Outcome::Success);
    }
    let most = SPAN / PAUSE + u64::from(MINIMUM);
    for number in 0..most {
        let now = DAY + 3 * SPAN + number * PAUSE;
        call(breaker, now, Outcome::Failure);
        if breaker.is_open(now) {
            return Ok(());
        }
    }
    let text = format!("time window of 10 s at 50%: successes of 20 s ago kept it closed over {most} failures");
    Err(Verdict::Fail(text))
}

fn failures_slide_out_of_time(breaker: &impl BreakerUnderTest) -> Result<(), Verdict> {
    for number in 1..u64::from(MINIMUM) {
        call(breaker, DAY + number * PAUSE, Outcome::Failure);
    }
    let now = DAY + 3 * SPAN;
    call(breaker, now, Outcome::Failure);
    Verdict::demand(!breaker.is_open(now), || {
        format!("time window of 10 s, at least {MINIMUM} calls: failures of 20 s ago opened it")
    })
}

fn call(breaker: &impl BreakerUnderTest, now: Nanos, outcome: Outcome) {
    if let Some(ticket) = breaker.admit(now) {
        breaker.settle(now, ticket, outcome);
    }
}
