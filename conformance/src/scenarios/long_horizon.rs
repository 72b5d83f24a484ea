//! H15: it works for years, at the clock's origin, and up to the clock's last nanosecond.

use super::half_open::{WAIT, build, spec, trip};
use super::take_all;
use crate::breaker::{BreakerSubject, BreakerUnderTest, Outcome};
use crate::limiter::{LimiterSpec, LimiterSubject, LimiterUnderTest};
use crate::time::{ClockKind, DAY, HOUR, Nanos, SECOND, grouped};
use crate::verdict::Verdict;

const DAYS: u64 = 3_650;
const END: Nanos = Nanos::MAX;
const BURST: u32 = 100;

pub(crate) fn breaker<S: BreakerSubject>(subject: &S) -> Verdict {
    Verdict::of(|| {
        has_clock(subject.clock())?;
        let breaker = build(subject, &spec(subject))?;
        for day in 0..DAYS {
            cycle(&breaker, day * DAY, || format!("on day {}", grouped(day)))?;
        }
        cycle(&breaker, END - HOUR, || "one hour before the end of the clock".to_owned())?;
        trip(&breaker, END - SECOND)?;
        let holds = breaker.is_open(END) && breaker.admit(END).is_none();
        Verdict::demand(holds, || "one second before the end of the clock it did not stay open".to_owned())
    })
}

/// Opens, holds for the wait, admits a probe, closes.
fn cycle(breaker: &impl BreakerUnderTest, now: Nanos, when: impl Fn() -> String) -> Result<(), Verdict> {
    trip(breaker, now)?;
    Verdict::demand(breaker.is_open(now + WAIT / 2), || format!("{} it did not stay open", when()))?;
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
        let spec = LimiterSpec { tokens: 1, per: HOUR, burst: BURST };
        let build = || subject.build(&spec).map_err(Verdict::NotApplicable);
        let limiter = build()?;
        demand(&limiter, 0, u64::from(BURST), "at the origin of the clock")?;
        for day in 1..DAYS {
            demand(&limiter, day * DAY, 24, &format!("on day {}", grouped(day)))?;
        }
        demand(&limiter, 2 * DAYS * DAY, u64::from(BURST), "after ten idle years")?;

        let limiter = build()?;
        let week = 7 * DAY;
        demand(&limiter, END - week, u64::from(BURST), "a week before the end of the clock")?;
        demand(&limiter, END - week + DAY, 24, "six days before the end of the clock")?;
        demand(&limiter, END, u64::from(BURST), "at the last nanosecond of the clock")
    })
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
