//! The circuit's invariant F1: when all is quiet, the parts hold what the permits that are out have taken, and no more.

use super::{LATE, NOW, Op, Passing, State, Verdict};
use crate::model::{StartOf, ToldOf};
use fusebox_core::{BreakerSnapshot, Outcome, State as Mode};

/// What flows in between the earliest and the latest reading, two seconds at one token per minute, in thousandths.
const INFLOW: u64 = 34;

impl Passing {
    pub(super) fn demand_of_execution(&self, start: &StartOf<Self>, told: &[ToldOf<Self>], state: &State) {
        let (mut permits, mut spent, mut transitions) = (0_u32, 0_u64, 0_u8);
        for (op, verdict) in told.iter().flatten() {
            match (op, verdict) {
                (Op::Admit(_), Verdict::Admitted(transition)) => {
                    (permits, spent) = (permits + 1, spent + 1_000);
                    transitions += u8::from(transition.is_some());
                }
                (Op::Settle(outcome, _), Verdict::Caused(transition)) => {
                    permits -= 1;
                    spent -= if *outcome == Outcome::Cancelled { 1_000 } else { 0 };
                    transitions += u8::from(transition.is_some());
                }
                _ => {}
            }
        }
        let shown = |state: &State| BreakerSnapshot { refusal: None, ..state.breaker.snapshot(NOW, &self.breaker) };
        let (before, after) = (shown(&start.state), shown(state));

        let in_flight = start.state.bulkhead.in_flight() + permits;
        assert_eq!(state.bulkhead.in_flight(), in_flight, "f1: slots taken, and calls with a permit");

        let (full, empty) = (start.state.bucket.level(NOW, &self.bucket), state.bucket.level(LATE, &self.bucket));
        let gone = (full.as_milli() + INFLOW).checked_sub(empty.as_milli());
        assert!(
            gone.is_some_and(|gone| gone.abs_diff(spent) <= INFLOW),
            "f1: {spent} spent, of {full:?} left {empty:?}"
        );

        assert_eq!(after.generation, before.generation.wrapping_add(transitions), "f1, b6: the breaker's transitions");
        if transitions == 0 && told.iter().flatten().all(|(_, verdict)| matches!(verdict, Verdict::Refused(_))) {
            assert_eq!((&after, state.stale), (&before, start.state.stale), "f1: refused, and the breaker has changed");
        }
        let probes = u32::from(after.outstanding);
        assert!(after.state != Mode::HalfOpen || probes <= permits, "f1: {probes} probes out, {permits} permits");
    }
}
