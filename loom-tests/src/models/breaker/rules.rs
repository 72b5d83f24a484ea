//! The breaker's invariants, by id, under the model's policy: two failures trip, at most two probes, a lease of ten seconds.

use super::{Breaking, CONFIG, Op, State, Verdict};
use crate::model::{Made, StartOf, ToldOf};
use crate::models::noon;
use core::time::Duration;
use fusebox_core::{Admission, BreakerSnapshot, BreakerState, Instant, Outcome, Stamp, State as Mode, Transition};

/// Long after every wait and every lease.
const AT_LAST: Instant = noon(3_600_000);
/// Leases are kept in ticks.
const TICK: Duration = Duration::from_nanos(1 << 23);
const TRIPS_AT: u32 = 2;

impl Breaking {
    pub(super) fn demand_of_operation(&self, made: &Made<'_, Self>) {
        let (before, after) = (self.shown(made.before.word), self.shown(made.after.word));
        let transition = reported(made.verdict);
        b6_a_new_generation_is_reported(made.op, &before, &after, transition);
        if let (Op::Settle(outcome, now), Some(stamp)) = (made.op, made.remembered.last()) {
            let is_current = stamp.generation() == before.generation;
            let is_counted = b3_only_a_current_outcome_counts(made, &before, stamp, now);
            if is_current && is_counted {
                b2_an_outcome_counts_once(outcome, &before, &after);
                b5_a_cancelled_call_returns_its_slot(outcome, &before, &after, transition);
            }
        } else if before.generation == after.generation {
            assert_eq!(before.successes, after.successes, "b1: a success that nobody reported");
        }
        b1_probes_stay_within_the_ramp(&after, made.memories.iter().copied().flatten());
        self.b4_no_probe_blocks_for_longer_than_a_lease(made.after.word, &after);
    }

    /// b6 and b1 as far as they show from outside.
    pub(super) fn demand_of_execution(&self, start: &StartOf<Self>, told: &[ToldOf<Self>], state: &State) {
        let gone = told.iter().flatten().filter(|(op, verdict)| {
            reported(verdict).is_some() || (matches!(op, Op::Reset) && *verdict == Verdict::Caused(None))
        });
        let (before, after) = (self.shown(start.state.word), self.shown(state.word));
        let gone = u8::try_from(gone.count()).expect("few");
        assert_eq!(after.generation, before.generation.wrapping_add(gone), "b6: each transition is reported once");

        let mut held = 0;
        for thread in told {
            let mut generations = Vec::new();
            for (op, verdict) in thread {
                match (op, verdict) {
                    (Op::Admit(_), Verdict::Admitted(_, generation, _)) => generations.push(*generation),
                    (Op::Settle(..), _) => drop(generations.pop()),
                    _ => {}
                }
            }
            held += generations.iter().filter(|&&generation| generation == after.generation).count();
        }
        let is_half_open = after.state == Mode::HalfOpen;
        assert!(!is_half_open || held <= usize::from(CONFIG.probes), "b1: {held} probes are out");
    }

    fn shown(&self, word: BreakerState) -> BreakerSnapshot {
        BreakerSnapshot { refusal: None, ..word.snapshot(noon(0), &self.policy) }
    }

    fn b4_no_probe_blocks_for_longer_than_a_lease(&self, word: BreakerState, shown: &BreakerSnapshot) {
        let admits = |now| matches!(word.admit(now, &self.policy).1, Admission::Admitted(..));
        if matches!(shown.state, Mode::Open | Mode::HalfOpen) {
            assert!(admits(AT_LAST), "b4: {shown:?} never recovers");
        }
        if let (Mode::HalfOpen, Some(latest)) = (shown.state, shown.since) {
            let over = latest.saturating_add(CONFIG.probe_lease).saturating_add(TICK);
            assert!(admits(over), "b4: {shown:?} refuses after the lease of the latest probe");
        }
    }
}

fn reported(verdict: &Verdict) -> Option<Transition> {
    match verdict {
        Verdict::Admitted(_, _, transition) | Verdict::Caused(transition) => *transition,
        Verdict::Refused(_) | Verdict::Nothing => None,
    }
}

fn b6_a_new_generation_is_reported(
    op: Op,
    before: &BreakerSnapshot,
    after: &BreakerSnapshot,
    transition: Option<Transition>,
) {
    let is_silent = matches!(op, Op::Reset) && before.state == Mode::Closed;
    let gone = after.generation.wrapping_sub(before.generation);
    assert_eq!(gone, u8::from(transition.is_some() || is_silent), "b6: {op:?} of {before:?} told {transition:?}");
    match transition {
        Some(Transition { from, to, .. }) => assert_eq!((from, to), (before.state, after.state), "b6: {op:?}"),
        None => assert_eq!(before.state, after.state, "b6: {op:?} is silent"),
    }
}

/// Whether the outcome was counted; where it was not, nothing has changed but the count of stale ones.
fn b3_only_a_current_outcome_counts(
    made: &Made<'_, Breaking>,
    before: &BreakerSnapshot,
    stamp: &Stamp,
    now: Instant,
) -> bool {
    let (issued, lease) = (stamp.issued(), CONFIG.probe_lease);
    let is_expired = before.state == Mode::HalfOpen && now >= issued.saturating_add(lease);
    let is_stale = stamp.generation() != before.generation || is_expired;
    let told = (made.after.stale - made.before.stale, made.before.word == made.after.word);
    if is_stale {
        assert_eq!(told, (1, true), "b3: a stale outcome has changed {before:?}");
        assert_eq!(*made.verdict, Verdict::Caused(None), "b3: a stale outcome has caused something");
    } else {
        assert_eq!(told.0, 0, "b3: a current outcome is called stale in {before:?}");
    }
    !is_stale
}

fn b2_an_outcome_counts_once(outcome: Outcome, before: &BreakerSnapshot, after: &BreakerSnapshot) {
    let stays = before.generation == after.generation;
    match (before.state, outcome) {
        (Mode::Closed, Outcome::Failure) if before.failures + 1 >= TRIPS_AT => {
            assert_eq!(after.state, Mode::Open, "b2: the trip is lost");
        }
        (Mode::Closed, Outcome::Failure) => assert_eq!((stays, after.failures), (true, before.failures + 1), "b2"),
        (Mode::Closed, Outcome::Success) => assert_eq!((stays, after.failures), (true, 0), "b2: a row is over"),
        (Mode::HalfOpen, Outcome::Failure) => assert_eq!(after.state, Mode::Open, "b2: a failed probe opens"),
        (Mode::HalfOpen, Outcome::Success) if stays => {
            assert_eq!(after.successes, before.successes + 1, "b1: a success counts once");
        }
        (Mode::HalfOpen, Outcome::Success) => {
            let counted = (after.state, before.successes + 1);
            assert_eq!(counted, (Mode::Closed, CONFIG.required_successes), "b2: closes when enough have succeeded");
        }
        _ => {}
    }
}

fn b5_a_cancelled_call_returns_its_slot(
    outcome: Outcome,
    before: &BreakerSnapshot,
    after: &BreakerSnapshot,
    transition: Option<Transition>,
) {
    if matches!(outcome, Outcome::Ignored | Outcome::Cancelled) {
        let returned = u8::from(before.state == Mode::HalfOpen);
        let expected = BreakerSnapshot { outstanding: before.outstanding.saturating_sub(returned), ..*before };
        assert_eq!((after, transition), (&expected, None), "b5: {outcome:?} returns what its ticket took");
    }
}

fn b1_probes_stay_within_the_ramp<'a>(shown: &BreakerSnapshot, stamps: impl Iterator<Item = &'a Stamp>) {
    if shown.state == Mode::HalfOpen {
        let held = stamps.filter(|stamp| stamp.generation() == shown.generation).count();
        let ramp = CONFIG.probes.min(shown.successes + 1);
        assert!(held <= usize::from(ramp), "b1: {held} probes are out in {shown:?}");
        assert!(held <= usize::from(shown.outstanding), "b1: a slot of {held} probes is lost in {shown:?}");
    }
}
