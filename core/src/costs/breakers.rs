//! The operations of a breaker, without a window and with each kind.

use super::sheet::Sheet;
use super::{NOW, after};
use crate::sync::counted::cost;
use crate::*;
use core::time::Duration;

const WAIT: Duration = Duration::from_secs(5);
const LEASE: Duration = Duration::from_secs(30);

fn policy(trip: Trip) -> BreakerPolicy {
    let config =
        BreakerConfig { trip, jitter: Jitter::None, open_wait: WAIT, probe_lease: LEASE, ..Default::default() };
    BreakerPolicy::new(config).expect("in range")
}

fn end<W: Window>(breaker: &Breaker<W>, policy: &BreakerPolicy, now: Instant, outcome: Outcome) -> Option<Transition> {
    let (ticket, _) = breaker.admit(policy, now).expect("closed");
    breaker.settle(policy, now, ticket, outcome)
}

pub(super) fn without_a_window() -> Sheet {
    let mut sheet = Sheet::new("Breaker", "`Breaker`, which counts consecutive failures.");
    let (breaker, policy) = (Breaker::new(), policy(Trip::Consecutive(3)));
    let admit = || breaker.admit(&policy, NOW).expect("closed").0;
    let settle = |ticket, outcome| assert_eq!(breaker.settle(&policy, NOW, ticket, outcome), None);

    let ticket = sheet.costs("admit", "closed, no failures", admit);
    sheet.costs("settle", "a success, closed, no failures", || settle(ticket, Outcome::Success));
    let ticket = admit();
    sheet.costs("settle", "ignored or cancelled, closed", || settle(ticket, Outcome::Ignored));
    let ticket = admit();
    sheet.costs("settle", "a failure, closed", || settle(ticket, Outcome::Failure));
    let ticket = sheet.costs("admit", "closed, some failures", admit);
    sheet.costs("settle", "a success, closed, some failures", || settle(ticket, Outcome::Success));
    life(&mut sheet, &breaker, &policy, "the failure that opens it");
    sheet
}

fn rates() -> BreakerPolicy {
    policy(Trip::Rate(RateTrip { failure_rate_milli: Some(500), minimum_calls: 20, ..RateTrip::DEFAULT }))
}

pub(super) fn with_a_count_window() -> Sheet {
    let note = "`Breaker<CountWindow>`, whatever the size of its window.";
    let mut sheet = Sheet::new("Breaker with a count window", note);
    let breaker: Breaker<CountWindow> = Breaker::with_window(CountWindow::new(100).expect("in range"));
    let policy = rates();
    let admit = || breaker.admit(&policy, NOW).expect("closed").0;
    let settle = |ticket, outcome| assert_eq!(breaker.settle(&policy, NOW, ticket, outcome), None);

    let ticket = admit();
    sheet.costs("settle", "a success, the first of the window", || settle(ticket, Outcome::Success));
    (0..100).for_each(|_| _ = end(&breaker, &policy, NOW, Outcome::Success));
    let ticket = sheet.costs("admit", "closed", admit);
    sheet.costs("settle", "a success that replaces a success", || settle(ticket, Outcome::Success));
    let ticket = admit();
    sheet.costs("settle", "ignored or cancelled, closed", || settle(ticket, Outcome::Ignored));
    let ticket = admit();
    sheet.costs("settle", "a failure that replaces a success", || settle(ticket, Outcome::Failure));
    (0..99).for_each(|_| _ = end(&breaker, &policy, NOW, Outcome::Success));
    let ticket = admit();
    sheet.costs("settle", "a success that replaces a failure", || settle(ticket, Outcome::Success));
    life(&mut sheet, &breaker, &policy, "the failure that opens it");
    sheet
}

pub(super) fn with_a_time_window() -> Sheet {
    let note = "`Breaker<TimeWindow>` with 10 slots, however many calls there are.";
    let mut sheet = Sheet::new("Breaker with a time window", note);
    let breaker: Breaker<TimeWindow> = Breaker::with_window(TimeWindow::new(LEASE).expect("in range"));
    let policy = rates();
    let admit = |now| breaker.admit(&policy, now).expect("closed").0;
    let settle = |now, ticket, outcome| assert_eq!(breaker.settle(&policy, now, ticket, outcome), None);

    let early = after(NOW, -3_000);
    end(&breaker, &policy, early, Outcome::Success);
    let ticket = admit(early);
    sheet.costs("settle", "a success, fewer calls than rates need", || settle(early, ticket, Outcome::Success));
    (0..50).for_each(|_| _ = end(&breaker, &policy, early, Outcome::Success));
    let ticket = admit(NOW);
    sheet.costs("settle", "a success, the first in its slot", || settle(NOW, ticket, Outcome::Success));
    (0..50).for_each(|_| _ = end(&breaker, &policy, NOW, Outcome::Success));
    let ticket = sheet.costs("admit", "closed", || admit(NOW));
    sheet.costs("settle", "a success", || settle(NOW, ticket, Outcome::Success));
    let ticket = admit(NOW);
    sheet.costs("settle", "ignored or cancelled, closed", || settle(NOW, ticket, Outcome::Ignored));
    let ticket = admit(NOW);
    sheet.costs("settle", "a failure", || settle(NOW, ticket, Outcome::Failure));
    every_slot_in_use(&mut sheet, &policy);
    life(&mut sheet, &breaker, &policy, "the failure that opens it, two slots being in use");
    sheet
}

/// The most that a time window costs.
fn every_slot_in_use(sheet: &mut Sheet, policy: &BreakerPolicy) {
    let full = || {
        let breaker: Breaker<TimeWindow> = Breaker::with_window(TimeWindow::new(LEASE).expect("in range"));
        (0..10).for_each(|slot| _ = end(&breaker, policy, after(NOW, slot * 3_000), Outcome::Success));
        breaker
    };
    let (breaker, now) = (full(), after(NOW, 60_000));
    let (ticket, _) = breaker.admit(policy, now).expect("closed");
    let first = || breaker.settle(policy, now, ticket, Outcome::Success);
    sheet.costs("settle", "a success after a span without calls, every slot being in use", first);
    assert_eq!(breaker.snapshot(policy, now).window.calls, 1);

    let breaker = full();
    let forced = sheet.costs("force", "closed, every slot being in use", || breaker.force(Forced::Open));
    assert!(forced.is_some());
}

/// From closed through every other state and back.
fn life<W: Window>(sheet: &mut Sheet, breaker: &Breaker<W>, policy: &BreakerPolicy, opening: &'static str) {
    let to = |transition: Option<Transition>| transition.map(|transition| transition.to);
    let admit = |now| breaker.admit(policy, now);
    let settle = |now, ticket, outcome| to(breaker.settle(policy, now, ticket, outcome));
    let trip = |now| {
        loop {
            let (ticket, _) = admit(now).expect("closed");
            let (transition, cost) = cost(|| settle(now, ticket, Outcome::Failure));
            if transition == Some(State::Open) {
                return cost;
            }
        }
    };
    assert!(sheet.costs("refusal", "closed", || breaker.refusal(policy, NOW)).is_none());
    sheet.costs("next_change", "closed", || breaker.next_change(policy, NOW));
    let fresh = sheet.costs("is_fresh", "closed", || breaker.is_fresh(NOW));
    let held = sheet.costs("snapshot", "closed", || breaker.snapshot(policy, NOW)).window;
    assert_eq!(fresh, held == WindowCounts::NONE);

    let (overtaken, _) = admit(NOW).expect("closed");
    let (last, _) = admit(NOW).expect("closed");

    let cost_of_trip = trip(NOW);
    sheet.enter("settle", opening, cost_of_trip);
    sheet.refuses("admit", "open", || admit(NOW));
    sheet.refuses("admit", "open, after the clock went back", || admit(after(NOW, -1_000)));
    sheet.costs("settle", "a call that began before it opened", || settle(NOW, last, Outcome::Success));

    let now = after(NOW, 5_000);
    let (probe, transition) = sheet.costs("admit", "open, the wait is over: a probe", || admit(now)).expect("over");
    assert_eq!(to(transition), Some(State::HalfOpen));
    sheet.refuses("admit", "half-open, all probes are out", || admit(now));
    let closed = sheet.costs("settle", "the probe's success, which closes it", || settle(now, probe, Outcome::Success));
    assert_eq!(closed, Some(State::Closed));
    settle(now, overtaken, Outcome::Failure);
    assert_eq!(breaker.snapshot(policy, now).stale, 2);

    trip(now);
    let now = after(now, 5_000);
    let (probe, _) = admit(now).expect("the wait is over");
    let reopened =
        sheet.costs("settle", "the probe's failure, which re-opens it", || settle(now, probe, Outcome::Failure));
    assert_eq!(reopened, Some(State::Open));
    let now = after(now, 10_000);
    let _lost = admit(now).expect("the wait is over");
    let now = after(now, 30_000);
    let (_, transition) =
        sheet.costs("admit", "half-open, a probe's lease is over", || admit(now)).expect("a new probe");
    assert_eq!(transition.map(|transition| transition.cause), Some(Cause::ProbesLost));

    let forced = sheet.costs("force", "half-open", || breaker.force(Forced::Open));
    assert_eq!(to(forced), Some(State::ForcedOpen));
    sheet.refuses("admit", "forced open", || admit(now));
    let reset = sheet.costs("reset", "forced open", || breaker.reset());
    assert_eq!(to(reset), Some(State::Closed));
}
