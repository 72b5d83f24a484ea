//! H15: it works for years, at the clock's origin, and up to the clock's last nanosecond.

use super::half_open::{THRESHOLD, WAIT, build, spec, trip};
use super::take_all;
use crate::breaker::{BreakerSpec, BreakerSubject, BreakerUnderTest, Outcome, Trip};
use crate::limiter::{LimiterSpec, LimiterSubject, LimiterUnderTest};
use crate::time::{ClockKind, DAY, HOUR, Nanos, SECOND, grouped};
use crate::verdict::Verdict;

const DAYS: u64 = 3_650;
const END: Nanos = Nanos::MAX;
const BURST: u32 = 100;

pub(crate) fn breaker<S: BreakerSubject>(subject: &S) -> Verdict {
    Verdict::of(|| {
        has_clock(subject.clock())?;
        years(&build(subject, &spec(subject))?, (0..DAYS).collect())?;
        let trip = Trip::TimeWindow { span: WAIT / 2, failure_percent: 50, minimum_calls: THRESHOLD };
        match build(subject, &BreakerSpec { trip, ..spec(subject) }) {
            // not from the origin on: a window may have to fill for the first time
            Ok(windowed) => years(&windowed, (1..DAYS).step_by(30).collect()),
            Err(_) => Ok(()), // it has none, or it opens otherwise: see H7
        }
    })
}

/// On these days, and wherever time that is kept in fewer bits wraps.
fn years(breaker: &impl BreakerUnderTest, days: Vec<u64>) -> Result<(), Verdict> {
    let mut times: Vec<Nanos> = days.into_iter().map(|day| day * DAY).collect();
    times.extend(wraps().into_iter().map(|wrap| wrap - WAIT / 2));
    times.push(END - HOUR);
    times.sort_unstable();
    let mut free = 0;
    for now in times {
        if now >= free {
            cycle(breaker, now)?;
            free = now + 2 * WAIT;
        }
    }
    trip(breaker, END - SECOND)?;
    let holds = breaker.is_open(END) && breaker.admit(END).is_none();
    Verdict::demand(holds, || "one second before the end of the clock it did not stay open".to_owned())
}

/// Opens, holds for the wait, admits a probe, closes.
fn cycle(breaker: &impl BreakerUnderTest, now: Nanos) -> Result<(), Verdict> {
    let when = || at_seconds(now);
    trip(breaker, now)?;
    Verdict::demand(breaker.is_open(now + WAIT - SECOND), || format!("{} it did not stay open", when()))?;
    let now = now + WAIT + SECOND;
    for stage in ["no probe was admitted", "it did not close"] {
        let ticket = breaker.admit(now).ok_or_else(|| Verdict::Fail(format!("{} {stage}", when())))?;
        breaker.settle(now, ticket, Outcome::Success);
    }
    Ok(())
}

pub(crate) fn limiter<S: LimiterSubject>(subject: &S) -> Verdict {
    Verdict::of(|| {
        has_clock(subject.clock())?;
        let spec = LimiterSpec { tokens: 1, per: HOUR, burst: BURST, waiting: 0 };
        let build = || subject.build(&spec).map_err(Verdict::NotApplicable);
        let limiter = build()?;
        demand(&limiter, 0, u64::from(BURST), "at the origin of the clock")?;
        for day in 1..DAYS {
            demand(&limiter, day * DAY, 24, &format!("on day {}", grouped(day)))?;
        }
        demand(&limiter, 2 * DAYS * DAY, u64::from(BURST), "after ten idle years")?;

        for wrap in wraps() {
            let spec = LimiterSpec { tokens: 1, per: SECOND, burst: BURST, waiting: 0 };
            let limiter = subject.build(&spec).map_err(Verdict::NotApplicable)?;
            demand(&limiter, wrap - 10 * SECOND, u64::from(BURST), &at_seconds(wrap - 10 * SECOND))?;
            demand(&limiter, wrap + 10 * SECOND, 20, &at_seconds(wrap + 10 * SECOND))?;
        }

        let limiter = build()?;
        let week = 7 * DAY;
        demand(&limiter, END - week, u64::from(BURST), "a week before the end of the clock")?;
        demand(&limiter, END - week + DAY, 24, "six days before the end of the clock")?;
        demand(&limiter, END, u64::from(BURST), "at the last nanosecond of the clock")
    })
}

/// Where time kept in fewer bits wraps: the powers of two in nanoseconds, microseconds and milliseconds, from a minute on.
fn wraps() -> Vec<Nanos> {
    let powers = (0..Nanos::BITS).map(|bit| 1_u64 << bit);
    let all = powers.flat_map(|power| [1, 1_000, 1_000_000].map(|unit| power.checked_mul(unit)));
    all.flatten().filter(|wrap| *wrap >= 60 * SECOND).collect()
}

fn at_seconds(now: Nanos) -> String {
    format!("at {} s", grouped(now / SECOND))
}

fn demand(limiter: &impl LimiterUnderTest, now: Nanos, due: u64, when: &str) -> Result<(), Verdict> {
    const MOST: u64 = 1_000;
    let got = take_all(limiter, now, MOST);
    Verdict::demand(got == due, || {
        let (got, more) = (grouped(got), if got == MOST { "or more " } else { "" });
        format!("{when} it admitted {got} {more}calls where {due} were due")
    })
}

fn has_clock(clock: ClockKind) -> Result<(), Verdict> {
    if clock == ClockKind::Own {
        return Err(Verdict::NotJudged("no clock can be supplied".to_owned()));
    }
    Ok(())
}
