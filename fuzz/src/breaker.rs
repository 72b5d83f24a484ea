//! `Model`: a circuit breaker with unbounded counters and no packing, the oracle of the breaker.
//!
//! It follows the documentation and knows two roundings: an opening is kept in ticks of 2^15 ns, a probe's admission in
//! ticks of 2^23 ns. It takes the rounded time from a snapshot, once it has checked that this is right, so all that
//! follows from it must be exact.

use crate::growth::power;
use fusebox_core::*;

const OPEN_TICK: u64 = 1 << 15;
const PROBE_TICK: u64 = 1 << 23;

/// What the breaker is doing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mode {
    /// Counting failures in a row.
    Closed(u64),
    /// Refusing since a time, after so many re-openings.
    Open(Since, u32),
    /// Letting probes through.
    HalfOpen(Probing),
    /// Forced open.
    ForcedOpen,
    /// Forced closed; failures in a row are counted all the same.
    ForcedClosed(u64),
}

/// The half-open state.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Probing {
    /// When the latest probe went.
    pub latest: Since,
    /// Probes that are out.
    pub out: u32,
    /// Probes that succeeded.
    pub successes: u32,
    /// Re-openings so far.
    pub reopened: u32,
}

/// A time that the breaker keeps rounded down to a tick.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Since {
    /// Before rounding.
    Exact(u64),
    /// As a snapshot shows it.
    Shown(u64),
}

/// A call as the model remembers it.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    generation: u64,
    issued: u64,
}

/// The answer to an admission.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Answer {
    /// The call goes.
    Goes(Option<Transition>),
    /// The call is refused.
    Refused(Wait),
}

/// A breaker.
#[derive(Clone, Debug)]
pub struct Model {
    /// What it is doing.
    pub mode: Mode,
    /// One more at every transition and reset, without wrapping.
    pub generation: u64,
    /// Outcomes that changed nothing.
    pub stale: u64,
    /// The open waits that were drawn in this generation, with the policies that they were drawn under.
    drawn: Vec<(BreakerConfig, u64)>,
}

impl Model {
    /// The breaker that `snapshot` describes.
    pub fn restored(snapshot: &BreakerSnapshot) -> Self {
        let (since, reopened) = (snapshot.since.unwrap_or_default().as_nanos(), u32::from(snapshot.streak.min(15)));
        let mode = match snapshot.state {
            State::Closed => Mode::Closed(snapshot.failures.into()),
            State::Open => Mode::Open(Since::Exact(since), reopened),
            State::HalfOpen => Mode::HalfOpen(Probing {
                latest: Since::Exact(since),
                out: snapshot.outstanding.min(15).into(),
                successes: snapshot.successes.min(15).into(),
                reopened,
            }),
            State::ForcedOpen => Mode::ForcedOpen,
            State::ForcedClosed => Mode::ForcedClosed(snapshot.failures.into()),
        };
        Self { mode, generation: snapshot.generation.into(), stale: snapshot.stale, drawn: Vec::new() }
    }

    /// The state as users see it.
    pub fn state(&self) -> State {
        match self.mode {
            Mode::Closed(_) => State::Closed,
            Mode::Open(..) => State::Open,
            Mode::HalfOpen(_) => State::HalfOpen,
            Mode::ForcedOpen => State::ForcedOpen,
            Mode::ForcedClosed(_) => State::ForcedClosed,
        }
    }

    fn enter(&mut self, mode: Mode, cause: Cause) -> Option<Transition> {
        let from = self.state();
        (self.mode, self.generation) = (mode, self.generation + 1);
        self.drawn.clear();
        Some(Transition { from, to: self.state(), cause })
    }

    /// Compares with a snapshot, and takes over how the breaker has rounded its time.
    pub fn observe(&mut self, snapshot: &BreakerSnapshot) {
        assert_eq!(snapshot.state, self.state());
        assert_eq!(u64::from(snapshot.generation), self.generation % 256);
        assert_eq!(snapshot.stale, self.stale);
        let (mut failures, mut streak, mut out, mut successes, mut since) = (0, 0, 0, 0, None);
        match &mut self.mode {
            Mode::Closed(row) | Mode::ForcedClosed(row) => failures = (*row).min(u32::MAX.into()),
            Mode::Open(opened, reopened) => {
                (streak, since) = (*reopened, Some(opened.check(snapshot.since, OPEN_TICK)));
            }
            Mode::HalfOpen(probing) => {
                since = Some(probing.latest.check(snapshot.since, PROBE_TICK));
                (streak, out, successes) = (probing.reopened, probing.out, probing.successes);
            }
            Mode::ForcedOpen => {}
        }
        assert_eq!(u64::from(snapshot.failures), failures);
        assert_eq!(u32::from(snapshot.streak), streak.min(15));
        assert_eq!((u32::from(snapshot.outstanding), u32::from(snapshot.successes)), (out, successes));
        assert_eq!(snapshot.since, since.map(Instant::from_nanos));
    }

    /// The shortest and the longest wait that may be drawn, and the one that was drawn, if it is known.
    fn wait(&self, reopened: u32, config: &BreakerConfig) -> (u64, u64, Option<u64>) {
        let (least, most) = full_wait(reopened, config);
        let (least, most) = match config.jitter {
            Jitter::None => (least, most),
            Jitter::Equal => (least / 2, most),
            _ => (0, most),
        };
        // whatever is drawn, a call at the time of the opening is refused
        let (least, most) = (least.max(OPEN_TICK), most.max(OPEN_TICK));
        let drawn = self.drawn.iter().find(|(drawn_under, _)| drawn_under == config).map(|(_, wait)| *wait);
        (least, most, drawn.or((least == most).then_some(least)))
    }

    /// How long a call at `now` is refused; for a policy without jitter and with a whole factor, and an observed breaker.
    pub fn refusal(&self, now: u64, policy: &BreakerPolicy) -> Option<Wait> {
        let config = policy.config();
        match self.mode {
            Mode::Closed(_) | Mode::ForcedClosed(_) => None,
            Mode::ForcedOpen => Some(Wait::Never),
            Mode::Open(since, reopened) => {
                let start = if now < since.nanos() { round(now, OPEN_TICK) } else { since.nanos() };
                let wait = self.wait(reopened, config).2.expect("only one wait is right");
                wait.checked_sub(now - start).filter(|rest| *rest > 0).map(Wait::Nanos)
            }
            Mode::HalfOpen(probing) => {
                let lost = probing.out > 0 && now.saturating_sub(probing.latest.nanos()) >= nanos(config.probe_lease);
                let room = probing.out < u32::from(config.probes).min(probing.successes + 1);
                if lost || room { None } else { Some(Wait::Release) }
            }
        }
    }

    /// When a call that is refused at `now` is admitted by time alone; see [`Model::refusal`].
    pub fn next_change(&self, now: u64, policy: &BreakerPolicy) -> Option<u64> {
        match (self.refusal(now, policy)?, self.mode) {
            (Wait::Nanos(wait), _) => Some(now.saturating_add(wait)),
            (Wait::Release, Mode::HalfOpen(probing)) => {
                let lease = nanos(policy.config().probe_lease);
                let since = probing.latest.nanos();
                let since = if now < since { round(now, PROBE_TICK) } else { since };
                Some(since.saturating_add(lease))
            }
            _ => None,
        }
    }

    /// Checks the answer to an admission at `now`, and follows it. `snapshot` was taken before, at the same time.
    pub fn admit(&mut self, given: Answer, now: u64, policy: &BreakerPolicy) -> Option<Call> {
        match self.mode {
            Mode::Closed(_) | Mode::ForcedClosed(_) => assert_eq!(given, Answer::Goes(None)),
            Mode::ForcedOpen => assert_eq!(given, Answer::Refused(Wait::Never)),
            Mode::Open(since, reopened) => self.admit_open(since, reopened, given, now, policy.config()),
            Mode::HalfOpen(probing) => self.admit_half_open(probing, given, now, policy.config()),
        }
        matches!(given, Answer::Goes(_)).then_some(Call { generation: self.generation, issued: now })
    }

    fn admit_open(&mut self, since: Since, reopened: u32, given: Answer, now: u64, config: &BreakerConfig) {
        // a clock that went back starts the wait anew, at the same length
        let (since, start) =
            if now < since.nanos() { (Since::Exact(now), round(now, OPEN_TICK)) } else { (since, since.nanos()) };
        let (elapsed, (least, most, drawn)) = (now - start, self.wait(reopened, config));
        match given {
            Answer::Refused(Wait::Nanos(rest)) => {
                let wait = elapsed + rest;
                assert!(rest > 0 && (least..=most).contains(&wait), "waits {wait}, not {least} to {most}");
                assert!(drawn.is_none_or(|drawn| drawn == wait), "waits {wait}, but was to wait {drawn:?}");
                if drawn.is_none() {
                    self.drawn.push((*config, wait));
                }
                self.mode = Mode::Open(since, reopened);
            }
            Answer::Goes(transition) => {
                let wait = drawn.unwrap_or(least);
                assert!(elapsed >= wait, "goes after {elapsed} of {wait}");
                let first = Probing { latest: Since::Exact(now), out: 1, successes: 0, reopened };
                assert_eq!(transition, self.enter(Mode::HalfOpen(first), Cause::WaitOver));
            }
            Answer::Refused(_) => panic!("an open breaker knows its wait"),
        }
        if let Answer::Refused(_) = given {
            assert!(elapsed < drawn.unwrap_or(most), "refused after {elapsed} of {most}");
        }
    }

    fn admit_half_open(&mut self, probing: Probing, given: Answer, now: u64, config: &BreakerConfig) {
        let lease = nanos(config.probe_lease);
        if probing.out > 0 && now.saturating_sub(probing.latest.nanos()) >= lease {
            let first = Probing { latest: Since::Exact(now), out: 1, ..probing };
            assert_eq!(given, Answer::Goes(self.enter(Mode::HalfOpen(first), Cause::ProbesLost)));
        } else if probing.out < u32::from(config.probes).min(probing.successes + 1) {
            assert_eq!(given, Answer::Goes(None));
            self.mode = Mode::HalfOpen(Probing { latest: Since::Exact(now), out: probing.out + 1, ..probing });
        } else {
            assert_eq!(given, Answer::Refused(Wait::Release));
            let latest = if now < probing.latest.nanos() { Since::Exact(now) } else { probing.latest };
            self.mode = Mode::HalfOpen(Probing { latest, ..probing });
        }
    }

    /// Ends a call, and returns the transition that this should cause.
    pub fn settle(&mut self, call: Call, outcome: Outcome, now: u64, policy: &BreakerPolicy) -> Option<Transition> {
        let config = policy.config();
        if call.generation != self.generation {
            self.stale += 1;
            return None;
        }
        let failed = outcome == Outcome::Failure || outcome == Outcome::Cancelled && config.cancelled_is_failure;
        let row = |row: u64| match outcome {
            Outcome::Success => 0,
            _ if failed => row + 1,
            _ => row,
        };
        match self.mode {
            Mode::Closed(failures) => {
                let failures = row(failures);
                self.mode = Mode::Closed(failures);
                let threshold = match config.trip {
                    Trip::Consecutive(threshold) => u64::from(threshold),
                    _ => u64::MAX,
                };
                if failed && failures >= threshold {
                    self.enter(Mode::Open(Since::Exact(now), 0), Cause::Tripped)
                } else {
                    None
                }
            }
            Mode::ForcedClosed(failures) => {
                self.mode = Mode::ForcedClosed(row(failures));
                None
            }
            Mode::HalfOpen(probing) => {
                if probing.out == 0 || now.saturating_sub(call.issued) >= nanos(config.probe_lease) {
                    self.stale += 1;
                    return None;
                }
                let successes = probing.successes + u32::from(outcome == Outcome::Success);
                if failed {
                    self.enter(Mode::Open(Since::Exact(now), (probing.reopened + 1).min(15)), Cause::ProbeFailed)
                } else if outcome == Outcome::Success && successes >= u32::from(config.required_successes) {
                    self.enter(Mode::Closed(0), Cause::ProbesSucceeded)
                } else {
                    self.mode = Mode::HalfOpen(Probing { out: probing.out - 1, successes, ..probing });
                    None
                }
            }
            Mode::Open(..) | Mode::ForcedOpen => {
                self.stale += 1;
                None
            }
        }
    }

    /// Forces a state.
    pub fn force(&mut self, forced: Forced) -> Option<Transition> {
        match (forced, self.mode) {
            (Forced::Open, Mode::ForcedOpen) | (Forced::Closed, Mode::ForcedClosed(_)) => None,
            (Forced::Open, _) => self.enter(Mode::ForcedOpen, Cause::Forced),
            (Forced::Closed, _) => self.enter(Mode::ForcedClosed(0), Cause::Forced),
        }
    }

    /// Resets the breaker.
    pub fn reset(&mut self) -> Option<Transition> {
        let told = self.state() != State::Closed;
        self.enter(Mode::Closed(0), Cause::Reset).filter(|_| told)
    }
}

impl Since {
    /// The time that counts; an exact one only before it was observed.
    fn nanos(self) -> u64 {
        match self {
            Self::Exact(nanos) | Self::Shown(nanos) => nanos,
        }
    }

    /// Checks the rounding of what is shown, and adopts it.
    fn check(&mut self, shown: Option<Instant>, tick: u64) -> u64 {
        let shown = shown.expect("a time is shown").as_nanos();
        match *self {
            Self::Exact(nanos) => assert!(shown <= nanos && nanos - shown < tick, "{shown} for {nanos}"),
            Self::Shown(before) => assert_eq!(shown, before),
        }
        *self = Self::Shown(shown);
        shown
    }
}

/// The least and the greatest wait after so many re-openings, before jitter: the power rounded down, which may be short
/// by 2^-61 of itself at each step where the factor is not whole.
fn full_wait(reopened: u32, config: &BreakerConfig) -> (u64, u64) {
    power(nanos(config.open_wait), config.open_wait_factor_milli, nanos(config.open_wait_max), reopened)
}

fn round(nanos: u64, tick: u64) -> u64 {
    nanos - nanos % tick
}

fn nanos(span: core::time::Duration) -> u64 {
    u64::try_from(span.as_nanos()).expect("a year at most")
}
