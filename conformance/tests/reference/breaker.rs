//! The reference breaker: one mutable state, generations, leases and windows, or one of them wrong.

use core::cell::{Cell, RefCell};
use fusebox_conformance::{BreakerSpec, BreakerSubject, BreakerUnderTest, ClockKind, Nanos, Outcome, Trip};
use std::collections::VecDeque;

/// What is wrong with it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum BreakerFlaw {
    Nothing,
    StepLengthensWait,
    StepBlindsWindow,
    NoGenerations,
    NoLease,
    LongLease,
    CancelCloses,
    CancelReopens,
    CancelKeepsSlot,
    IgnoreCloses,
    IgnoreKeepsSlot,
    StaleIgnoreFreesSlot,
    NoProbeLimit,
    CountWindowNeverEvicts,
    TimeWindowNeverEvicts,
    WindowRescans,
    ChangeCloses,
    ChangeForgetsFailures,
    ChangeEmptiesWindow,
    DropsEverything,
    DropsOpen,
    DropsIdleOpen,
    DropsFullWindow,
    DropsProbing,
    DropsNothing,
    MillisIn32Bits,
    NanosIn56Bits,
    DeadlineOverflows,
    WindowIn56Bits,
    NeverTrips,
}

/// Builds breakers with one flaw, on one kind of clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReferenceBreaker {
    pub(crate) flaw: BreakerFlaw,
    pub(crate) clock: ClockKind,
}

#[derive(Debug)]
pub(crate) struct Breaker {
    flaw: BreakerFlaw,
    spec: BreakerSpec,
    inner: RefCell<Inner>,
    work: Cell<u64>,
}

#[derive(Debug, Default)]
struct Inner {
    mode: Mode,
    generation: u32,
    failures: u32,
    window: VecDeque<(Nanos, bool)>,
    failed_in_window: usize,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Mode {
    #[default]
    Closed,
    Open {
        since: Nanos,
    },
    HalfOpen {
        latest: Nanos,
        out: usize,
        successes: u8,
    },
}

#[derive(Debug)]
pub(crate) struct Ticket {
    generation: u32,
}

impl BreakerSubject for ReferenceBreaker {
    type Breaker = Breaker;

    fn clock(&self) -> ClockKind {
        self.clock
    }

    fn build(&self, spec: &BreakerSpec) -> Result<Breaker, String> {
        Ok(Breaker { flaw: self.flaw, spec: *spec, inner: RefCell::default(), work: Cell::new(0) })
    }
}

impl Inner {
    fn enter(&mut self, mode: Mode) {
        *self = Self { mode, generation: self.generation + 1, ..Self::default() };
    }
}

impl Breaker {
    /// Time as this breaker keeps it.
    fn clock(&self, now: Nanos) -> Nanos {
        match self.flaw {
            BreakerFlaw::MillisIn32Bits => now.min(u64::from(u32::MAX) * 1_000_000),
            BreakerFlaw::NanosIn56Bits => now % (1 << 56),
            _ => now,
        }
    }

    fn wait_is_over(&self, since: Nanos, now: Nanos) -> bool {
        if self.flaw == BreakerFlaw::DeadlineOverflows {
            return now >= since.checked_add(self.spec.open_wait).expect("the deadline fits");
        }
        now.saturating_sub(since) >= self.spec.open_wait
    }

    fn lease(&self) -> Nanos {
        match self.flaw {
            BreakerFlaw::NoLease => Nanos::MAX,
            BreakerFlaw::LongLease => 100 * self.spec.probe_lease,
            _ => self.spec.probe_lease,
        }
    }

    fn record(&self, inner: &mut Inner, now: Nanos, failed: bool) -> bool {
        inner.failures = if failed { inner.failures + 1 } else { 0 };
        let (size, span, percent, minimum) = match self.spec.trip {
            _ if self.flaw == BreakerFlaw::NeverTrips => return false,
            Trip::Consecutive(failures) => return inner.failures >= failures,
            Trip::CountWindow { size, failure_percent, minimum_calls } => {
                (size as usize, Nanos::MAX, failure_percent, minimum_calls)
            }
            Trip::TimeWindow { span, failure_percent, minimum_calls } => {
                (usize::MAX, span, failure_percent, minimum_calls)
            }
        };
        let mut touched = 1;
        let now = if self.flaw == BreakerFlaw::WindowIn56Bits { now.min(1 << 56) } else { now };
        if inner.window.back().is_some_and(|(at, _)| *at > now) {
            if self.flaw == BreakerFlaw::StepBlindsWindow {
                return false; // older than what it has: not recorded
            }
            inner.window.clear();
            inner.failed_in_window = 0;
        }
        inner.window.push_back((now, failed));
        inner.failed_in_window += usize::from(failed);
        let evicts = match self.flaw {
            BreakerFlaw::CountWindowNeverEvicts => span != Nanos::MAX,
            BreakerFlaw::TimeWindowNeverEvicts => span == Nanos::MAX,
            _ => true,
        };
        while let Some(&(at, failed)) = inner.window.front()
            && evicts
            && (inner.window.len() > size || now.saturating_sub(at) > span)
        {
            inner.window.pop_front();
            inner.failed_in_window -= usize::from(failed);
            touched += 1;
        }
        if self.flaw == BreakerFlaw::WindowRescans {
            touched = inner.window.len() as u64;
        }
        self.work.set(self.work.get() + touched);
        let calls = inner.window.len();
        calls >= minimum as usize && inner.failed_in_window * 100 >= calls * usize::from(percent)
    }
}

impl BreakerUnderTest for Breaker {
    type Ticket = Ticket;

    fn admit(&self, now: Nanos) -> Option<Ticket> {
        let now = self.clock(now);
        let mut inner = self.inner.borrow_mut();
        match inner.mode {
            Mode::Closed => {}
            Mode::Open { since } => {
                let since = if self.flaw == BreakerFlaw::StepLengthensWait { since } else { since.min(now) };
                if !self.wait_is_over(since, now) {
                    inner.mode = Mode::Open { since };
                    return None;
                }
                inner.enter(Mode::HalfOpen { latest: now, out: 1, successes: 0 });
            }
            Mode::HalfOpen { latest, out, .. } if out > 0 && now.saturating_sub(latest) >= self.lease() => {
                inner.enter(Mode::HalfOpen { latest: now, out: 1, successes: 0 });
            }
            Mode::HalfOpen { out, successes, .. } => {
                if out >= self.spec.probes.into() && self.flaw != BreakerFlaw::NoProbeLimit {
                    return None;
                }
                inner.mode = Mode::HalfOpen { latest: now, out: out + 1, successes };
            }
        }
        Some(Ticket { generation: inner.generation })
    }

    fn settle(&self, now: Nanos, ticket: Ticket, outcome: Outcome) {
        use BreakerFlaw as Flaw;
        let now = self.clock(now);
        let mut inner = self.inner.borrow_mut();
        let stale = ticket.generation != inner.generation;
        let believed = match self.flaw {
            Flaw::NoGenerations => outcome != Outcome::Ignored,
            Flaw::StaleIgnoreFreesSlot => outcome == Outcome::Ignored,
            _ => false,
        };
        if stale && !believed {
            return;
        }
        let end = match (outcome, self.flaw) {
            (Outcome::Success, _)
            | (Outcome::Cancelled, Flaw::CancelCloses)
            | (Outcome::Ignored, Flaw::IgnoreCloses) => Some(false),
            (Outcome::Failure, _) | (Outcome::Cancelled, Flaw::CancelReopens) => Some(true),
            (Outcome::Cancelled | Outcome::Ignored, _) => None,
        };
        match (inner.mode, end) {
            (Mode::Closed, Some(failed)) => {
                if self.record(&mut inner, now, failed) {
                    inner.enter(Mode::Open { since: now });
                }
            }
            (Mode::HalfOpen { .. }, Some(true)) => inner.enter(Mode::Open { since: now }),
            (Mode::HalfOpen { latest, out, successes }, Some(false)) => {
                if successes + 1 >= self.spec.required_successes {
                    inner.enter(Mode::Closed);
                } else {
                    inner.mode = Mode::HalfOpen { latest, out: out - 1, successes: successes + 1 };
                }
            }
            (Mode::HalfOpen { latest, out, successes }, None) => {
                let keeps = matches!(
                    (outcome, self.flaw),
                    (Outcome::Cancelled, Flaw::CancelKeepsSlot) | (Outcome::Ignored, Flaw::IgnoreKeepsSlot)
                );
                inner.mode = Mode::HalfOpen { latest, out: out.saturating_sub(usize::from(!keeps)), successes };
            }
            (Mode::Closed, None) | (Mode::Open { .. }, _) => {}
        }
    }

    fn is_open(&self, now: Nanos) -> bool {
        let own_clock_says = |_| self.spec.open_wait == 0;
        match self.inner.borrow().mode {
            Mode::Open { since } => own_clock_says(now) || !self.wait_is_over(since, self.clock(now)),
            Mode::Closed | Mode::HalfOpen { .. } => false,
        }
    }

    fn change(&mut self, _now: Nanos, spec: &BreakerSpec) -> bool {
        self.spec = *spec;
        let inner = self.inner.get_mut();
        match self.flaw {
            BreakerFlaw::ChangeCloses if inner.mode != Mode::Closed => inner.enter(Mode::Closed),
            BreakerFlaw::ChangeForgetsFailures => inner.failures = 0,
            BreakerFlaw::ChangeEmptiesWindow => {
                inner.window.clear();
                inner.failed_in_window = 0;
            }
            _ => {}
        }
        true
    }

    fn can_be_forgotten(&self, now: Nanos) -> Option<bool> {
        let inner = self.inner.borrow();
        Some(match (inner.mode, self.flaw) {
            (_, BreakerFlaw::DropsEverything) => true,
            (_, BreakerFlaw::DropsNothing) => false,
            (Mode::Closed, BreakerFlaw::DropsFullWindow) => inner.failures == 0,
            (Mode::Open { .. }, BreakerFlaw::DropsOpen) => true,
            (Mode::Closed, _) => inner.failures == 0 && inner.window.is_empty(),
            (Mode::Open { since }, BreakerFlaw::DropsIdleOpen) => self.wait_is_over(since, now),
            (Mode::HalfOpen { .. }, flaw) => flaw == BreakerFlaw::DropsProbing,
            (Mode::Open { .. }, _) => false,
        })
    }

    fn work(&self) -> Option<u64> {
        Some(self.work.get())
    }
}
