//! The reference limiter: a bucket counted in exact parts of a token, or with one thing wrong.

use core::cell::Cell;
use fusebox_conformance::{ClockKind, Hint, LimiterSpec, LimiterSubject, LimiterUnderTest, Nanos};

/// What is wrong with it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum LimiterFlaw {
    Nothing,
    StepStalls,
    StepOpens,
    CancelledWaitIsLost,
    OneOfManyWaitsIsLost,
    GiveBackIsLost,
    GiveBackOverfills,
    ChangeRefills,
    ChangeEmpties,
    DropsEmpty,
    DropsNearlyFull,
    DropsNothing,
    FiniteHintForNever,
    NoHintForNever,
    AdmitsAboveBurst,
    HintTooShort,
    LosesFractions,
    DeadlineOverflows,
    LosesTheFirstDay,
}

/// Builds limiters with one flaw.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReferenceLimiter(pub(crate) LimiterFlaw);

#[derive(Debug)]
pub(crate) struct Limiter {
    flaw: LimiterFlaw,
    spec: LimiterSpec,
    /// In parts of 1/`per` of a token. Below zero where waiting callers have booked ahead.
    level: Cell<i128>,
    at: Cell<Nanos>,
    cancelled: Cell<u32>,
}

impl LimiterSubject for ReferenceLimiter {
    type Limiter = Limiter;

    fn clock(&self) -> ClockKind {
        ClockKind::Any
    }

    fn build(&self, spec: &LimiterSpec) -> Result<Limiter, String> {
        let full = i128::from(spec.burst) * i128::from(spec.per);
        Ok(Limiter { flaw: self.0, spec: *spec, level: Cell::new(full), at: Cell::new(0), cancelled: Cell::new(0) })
    }
}

impl Limiter {
    fn parts(&self, cost: u32) -> i128 {
        i128::from(cost) * i128::from(self.spec.per)
    }

    fn refill(&self, now: Nanos) -> i128 {
        let at = self.at.get();
        let elapsed = match self.flaw {
            LimiterFlaw::StepOpens => now.abs_diff(at),
            LimiterFlaw::LosesTheFirstDay if at == 0 => 0,
            _ => now.saturating_sub(at),
        };
        let mut flow = i128::from(elapsed) * i128::from(self.spec.tokens);
        if self.flaw == LimiterFlaw::LosesFractions {
            flow -= flow % i128::from(self.spec.per);
        }
        let keeps = matches!(self.flaw, LimiterFlaw::StepStalls | LimiterFlaw::StepOpens);
        self.at.set(if keeps { at.max(now) } else { now });
        let full = self.parts(self.spec.burst);
        let level = self.level.get();
        self.level.set(if level > full { level } else { full.min(level + flow) });
        if self.flaw == LimiterFlaw::DeadlineOverflows {
            now.checked_add(self.spec.per).expect("the next refill fits");
        }
        self.level.get()
    }
}

impl LimiterUnderTest for Limiter {
    type Wait = u32;

    fn try_acquire(&self, now: Nanos, cost: u32) -> Result<(), Hint> {
        let (level, parts) = (self.refill(now), self.parts(cost));
        let above = cost > self.spec.burst;
        match self.flaw {
            LimiterFlaw::AdmitsAboveBurst if above => return Ok(()),
            LimiterFlaw::FiniteHintForNever => {}
            LimiterFlaw::NoHintForNever if above => return Err(Hint::Unknown),
            _ if above => return Err(Hint::Never),
            _ => {}
        }
        if level >= parts {
            self.level.set(level - parts);
            return Ok(());
        }
        let missing = u64::try_from(parts - level).expect("a few bursts");
        let wait = missing.div_ceil(self.spec.tokens.into());
        Err(Hint::After(if self.flaw == LimiterFlaw::HintTooShort { wait / 2 } else { wait }))
    }

    fn start_wait(&self, now: Nanos, cost: u32) -> Option<u32> {
        self.level.set(self.refill(now) - self.parts(cost));
        Some(cost)
    }

    fn cancel_wait(&self, now: Nanos, cost: u32) {
        self.cancelled.set(self.cancelled.get() + 1);
        let loses = match self.flaw {
            LimiterFlaw::CancelledWaitIsLost => true,
            LimiterFlaw::OneOfManyWaitsIsLost => self.cancelled.get() > 1,
            _ => false,
        };
        if !loses {
            self.level.set(self.refill(now) + self.parts(cost));
        }
    }

    fn give_back(&self, now: Nanos, cost: u32) -> bool {
        let raised = self.refill(now) + self.parts(cost);
        match self.flaw {
            LimiterFlaw::GiveBackIsLost => {}
            LimiterFlaw::GiveBackOverfills => self.level.set(raised),
            _ => self.level.set(raised.min(self.parts(self.spec.burst))),
        }
        true
    }

    fn change(&mut self, now: Nanos, spec: &LimiterSpec) -> bool {
        let (level, old) = (self.refill(now), self.parts(self.spec.burst));
        self.spec = *spec;
        let full = self.parts(spec.burst);
        self.level.set(match self.flaw {
            LimiterFlaw::ChangeRefills => full,
            LimiterFlaw::ChangeEmpties => 0,
            _ => level * full / old,
        });
        true
    }

    fn can_be_forgotten(&self, now: Nanos) -> Option<bool> {
        let (level, full) = (self.refill(now), self.parts(self.spec.burst));
        Some(match self.flaw {
            LimiterFlaw::DropsEmpty => true,
            LimiterFlaw::DropsNearlyFull => level * 10 >= full * 9,
            LimiterFlaw::DropsNothing => false,
            _ => level == full,
        })
    }
}
