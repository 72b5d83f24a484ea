//! The breaker's step against a naive model: unbounded counters, wide times, a list of calls, and no packing.

mod support;

use fusebox_core::*;
use proptest::prelude::*;
use support::*;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Mode {
    Closed { failures: u64 },
    Open { since: u128, reopened: u32 },
    HalfOpen { latest: u128, held: u32, successes: u32, reopened: u32 },
    ForcedOpen,
    ForcedClosed,
}

/// What a breaker must do, in nanoseconds and without rounding. Where the real one may round, the model follows it.
struct Model {
    policy: BreakerConfig,
    mode: Mode,
    generation: u64,
    /// The generation and the time of admission of every call ever admitted.
    calls: Vec<(u64, u128)>,
}

impl Model {
    fn new(policy: &BreakerPolicy) -> Self {
        Self { policy: *policy.config(), mode: Mode::Closed { failures: 0 }, generation: 0, calls: Vec::new() }
    }

    fn enter(&mut self, mode: Mode, cause: Cause) -> Option<Transition> {
        let from = self.state();
        (self.mode, self.generation) = (mode, self.generation + 1);
        Some(Transition { from, to: self.state(), cause })
    }

    fn state(&self) -> State {
        match self.mode {
            Mode::Closed { .. } => State::Closed,
            Mode::Open { .. } => State::Open,
            Mode::HalfOpen { .. } => State::HalfOpen,
            Mode::ForcedOpen => State::ForcedOpen,
            Mode::ForcedClosed => State::ForcedClosed,
        }
    }

    /// The shortest and the longest time for which the breaker may stay open.
    fn wait(&self, reopened: u32) -> (u128, u128) {
        let mut wait = self.policy.open_wait.as_nanos();
        for _ in 0..reopened.min(15) {
            let longer = wait * u128::from(self.policy.open_wait_factor_milli) / 1_000;
            wait = longer.min(self.policy.open_wait_max.as_nanos());
        }
        match self.policy.jitter {
            Jitter::None => (wait, wait),
            Jitter::Equal => (wait / 2, wait),
            _ => (0, wait),
        }
    }

    /// The verdict on an admission; `admits` is the real one's, followed where rounding leaves the choice.
    fn admit(&mut self, now: u128, admits: bool, lost: bool) -> Result<Option<Transition>, Wait> {
        let transition = match self.mode {
            Mode::Closed { .. } | Mode::ForcedClosed => None,
            Mode::ForcedOpen => return Err(Wait::Never),
            Mode::Open { since, reopened } => {
                let (since, (least, most)) = (since.min(now), self.wait(reopened));
                let over = if now >= since + most { true } else { now + 32_768 > since + least && admits };
                if !over {
                    self.mode = Mode::Open { since, reopened };
                    return Err(Wait::Nanos(u64::MAX)); // checked by its own test
                }
                self.enter(Mode::HalfOpen { latest: now, held: 1, successes: 0, reopened }, Cause::WaitOver)
            }
            Mode::HalfOpen { latest, held, successes, reopened } => {
                let (age, lease) = (now.saturating_sub(latest), self.policy.probe_lease.as_nanos());
                let over = if age >= lease { true } else { age + 8_388_608 > lease && lost };
                if held > 0 && over {
                    let fresh = Mode::HalfOpen { latest: now, held: 1, successes, reopened };
                    self.enter(fresh, Cause::ProbesLost)
                } else if held < u32::from(self.policy.probes).min(successes + 1) {
                    self.mode = Mode::HalfOpen { latest: now, held: held + 1, successes, reopened };
                    None
                } else {
                    self.mode = Mode::HalfOpen { latest: latest.min(now), held, successes, reopened };
                    return Err(Wait::Release);
                }
            }
        };
        self.calls.push((self.generation, now));
        Ok(transition)
    }

    fn settle(&mut self, call: usize, outcome: Outcome, now: u128) -> Settled {
        let (generation, issued) = self.calls[call];
        if generation != self.generation {
            return Settled::Stale;
        }
        let failed = outcome == Outcome::Failure || outcome == Outcome::Cancelled && self.policy.cancelled_is_failure;
        let transition = match self.mode {
            Mode::Open { .. } | Mode::ForcedOpen => return Settled::Stale,
            Mode::ForcedClosed => None,
            Mode::Closed { failures } => {
                let failures = if failed { failures + 1 } else { failures };
                let failures = if outcome == Outcome::Success { 0 } else { failures };
                self.mode = Mode::Closed { failures };
                match self.policy.trip {
                    Trip::Consecutive(threshold) if failed && failures >= u64::from(threshold) => {
                        self.enter(Mode::Open { since: now, reopened: 0 }, Cause::Tripped)
                    }
                    _ => None,
                }
            }
            Mode::HalfOpen { latest, held, successes, reopened } => {
                if now.saturating_sub(issued) >= self.policy.probe_lease.as_nanos() {
                    return Settled::Stale;
                }
                let successes = successes + u32::from(outcome == Outcome::Success);
                self.mode = Mode::HalfOpen { latest, held: held - 1, successes, reopened };
                if failed {
                    self.enter(Mode::Open { since: now, reopened: reopened + 1 }, Cause::ProbeFailed)
                } else if successes >= u32::from(self.policy.required_successes) {
                    self.enter(Mode::Closed { failures: 0 }, Cause::ProbesSucceeded)
                } else {
                    None
                }
            }
        };
        Settled::Counted(transition)
    }

    fn force(&mut self, forced: Forced) -> Option<Transition> {
        let mode = if forced == Forced::Open { Mode::ForcedOpen } else { Mode::ForcedClosed };
        if self.mode == mode { None } else { self.enter(mode, Cause::Forced) }
    }

    fn reset(&mut self) -> Option<Transition> {
        let told = self.state() != State::Closed;
        self.enter(Mode::Closed { failures: 0 }, Cause::Reset).filter(|_| told)
    }
}

fn agree(policy: &BreakerPolicy, operations: &[Operation]) -> Result<(), TestCaseError> {
    let mut model = Model::new(policy);
    for step in run(&[*policy], operations) {
        let now = u128::from(step.now);
        match step.event {
            Event::Admitted(_, _, transition) => {
                let lost = transition.is_some_and(|transition| transition.cause == Cause::ProbesLost);
                prop_assert_eq!(model.admit(now, true, lost), Ok(transition), "{:?}", step);
            }
            Event::Refused(wait) => match model.admit(now, false, false) {
                Err(Wait::Nanos(_)) => prop_assert!(matches!(wait, Wait::Nanos(_)), "{step:?}"),
                expected => prop_assert_eq!(expected, Err(wait), "{:?}", step),
            },
            Event::Settled(call, _, outcome, settled) => {
                prop_assert_eq!(model.settle(call, outcome, now), settled, "{:?}", step);
            }
            Event::Forced(forced, transition) => prop_assert_eq!(model.force(forced), transition, "{:?}", step),
            Event::Reset(transition) => prop_assert_eq!(model.reset(), transition, "{:?}", step),
        }
        prop_assert_eq!(model.state(), step.after.state(), "{:?}", step);
    }
    Ok(())
}

proptest! {
    #[test]
    fn the_step_does_what_a_naive_model_does(policy in small_policy(), operations in operations(forward())) {
        agree(&policy, &operations)?;
    }

    #[test]
    fn c1_the_step_does_what_a_naive_model_does_under_hostile_time(
        policy in small_policy(),
        operations in operations(hostile()),
    ) {
        agree(&policy, &operations)?;
    }
}
