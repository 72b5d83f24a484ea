//! The way into half-open, and how to tell half-open from closed by behaviour alone.

use crate::breaker::{BreakerSpec, BreakerSubject, BreakerUnderTest, Outcome, Trip};
use crate::time::{ClockKind, DAY, HOUR, Nanos, SECOND};
use crate::verdict::Verdict;

/// Failures in a row that open the breaker. More than one, because a single failure must tell half-open (it opens) from
/// closed (it does not).
pub(super) const THRESHOLD: u32 = 5;
/// The open wait, for subjects whose clock is supplied.
pub(super) const WAIT: Nanos = 10 * SECOND;
/// The probe lease, for subjects that have one. Longer than the open wait: a call that was admitted before it must not be
/// told from a probe by its age.
pub(super) const LEASE: Nanos = 3 * WAIT;
/// When scenarios begin.
pub(super) const START: Nanos = DAY;
/// When the open wait of a breaker that opened at [`START`] is surely over.
pub(super) const PROBING: Nanos = START + WAIT + SECOND;

/// One probe, one required success; an open wait that `subject` can get over.
pub(super) fn spec(subject: &impl BreakerSubject) -> BreakerSpec {
    let open_wait = if subject.clock() == ClockKind::Own { 0 } else { WAIT };
    BreakerSpec { trip: Trip::Consecutive(THRESHOLD), open_wait, probes: 1, required_successes: 1, probe_lease: LEASE }
}

/// A new breaker under `spec`, of a kind that is seen to open: one that never does would pass for the wrong reason.
pub(super) fn build<S: BreakerSubject>(subject: &S, spec: &BreakerSpec) -> Result<S::Breaker, Verdict> {
    let build = |spec| subject.build(&spec).map_err(Verdict::NotApplicable);
    let twin = build(BreakerSpec { open_wait: HOUR, ..*spec })?;
    trip(&twin, START)?;
    let opened = twin.is_open(START) && twin.admit(START).is_none();
    Verdict::demand(opened, || format!("{THRESHOLD} failures in a row did not open it"))?;
    build(*spec)
}

/// Lets `THRESHOLD` calls fail at `now`.
pub(super) fn trip(breaker: &impl BreakerUnderTest, now: Nanos) -> Result<(), Verdict> {
    for failed in 0..THRESHOLD {
        let Some(ticket) = breaker.admit(now) else {
            return Err(Verdict::Fail(format!("it refused calls after {failed} of {THRESHOLD} failures")));
        };
        breaker.settle(now, ticket, Outcome::Failure);
    }
    Ok(())
}

/// The first probe of a breaker that was tripped at [`START`].
pub(super) fn first_probe<B: BreakerUnderTest>(breaker: &B) -> Result<B::Ticket, Verdict> {
    breaker.admit(PROBING).ok_or_else(|| Verdict::Fail("no probe was admitted after the open wait".to_owned()))
}

/// Whether fewer failures than the threshold open the breaker, beginning with that of `probe`: so it was half-open. A
/// closed one would take all of [`THRESHOLD`].
pub(super) fn reopens<B: BreakerUnderTest>(breaker: &B, probe: B::Ticket) -> bool {
    let mut probe = Some(probe);
    for _ in 1..THRESHOLD {
        let Some(ticket) = probe.or_else(|| breaker.admit(PROBING)) else { return false };
        breaker.settle(PROBING, ticket, Outcome::Failure);
        if breaker.is_open(PROBING) {
            return true;
        }
        probe = None;
    }
    false
}
