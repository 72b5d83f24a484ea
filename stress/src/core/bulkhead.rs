//! The bulkhead: never more calls in flight than the limit, each slot comes back, each change of a limit is told once.

use super::outcomes::any_outcome;
use crate::crew::crew;
use crate::pace::{Pace, Time};
use crate::tally::Tally;
use fastrand::Rng;
use fusebox_core::{Bulkhead, BulkheadPolicy, BulkheadTicket, LimitConfig};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

const OPERATIONS: u32 = 3_000;

/// One round.
pub(crate) fn run(rng: &mut Rng, threads: usize) -> Tally {
    let adaptive = rng.bool();
    let policy = if adaptive { learning(rng) } else { BulkheadPolicy::new(rng.u32(1..8)).expect("in range") };
    let (bulkhead, time, inside) = (Bulkhead::new(), Time::starting_at(0, 10), AtomicU32::new(0));
    let before = bulkhead.limit(&policy);
    let crew = crew(rng, threads, |_, rng| {
        let mut watch = time.watch(Pace::Late);
        let (mut held, mut net, mut changes, mut refused) = (Vec::<BulkheadTicket>::new(), 0_i64, 0_u64, 0_u64);
        let mut leave = |ticket, now, rng: &mut Rng| {
            inside.fetch_sub(1, Ordering::SeqCst);
            if let Some(change) = bulkhead.settle(&policy, now, ticket, any_outcome(rng)) {
                net += i64::from(change.to) - i64::from(change.from);
                changes += 1;
            }
        };
        for _ in 0..OPERATIONS {
            let now = watch.read(rng);
            if rng.bool() {
                match bulkhead.admit(&policy, now) {
                    Ok(ticket) => {
                        // counted after it has entered and until it leaves, so never more than are inside
                        let together = inside.fetch_add(1, Ordering::SeqCst) + 1;
                        assert!(together <= policy.max_in_flight(), "{together} calls in flight");
                        held.push(ticket);
                    }
                    Err(_) => refused += 1,
                }
            } else if let Some(ticket) = held.pop() {
                leave(ticket, now, rng);
            }
        }
        for ticket in held {
            leave(ticket, watch.read(rng), rng);
        }
        (net, changes, refused)
    });
    assert_eq!(bulkhead.in_flight(), 0, "B5: a slot was lost, or left twice");
    let (mut net, mut changes, mut refused) = (0, 0, 0);
    for seen in crew {
        (net, changes, refused) = (net + seen.0, changes + seen.1, refused + seen.2);
    }
    let after = bulkhead.limit(&policy);
    assert_eq!(i64::from(after) - i64::from(before), net, "the changes that were told lead from {before} to {after}");
    let bounds = policy.adaptive_config().map_or(1..=u32::MAX, |config| config.min..=config.max);
    assert!(bounds.contains(&after), "a limit of {after}");
    let mut tally = Tally::from([("refused", refused)]);
    if adaptive {
        tally.add(Tally::from([("changes of a limit", changes)]));
    }
    tally
}

fn learning(rng: &mut Rng) -> BulkheadPolicy {
    let (min, initial, max) = (rng.u32(1..4), rng.u32(4..8), rng.u32(8..20));
    let slow_after = Some(Duration::from_micros(rng.u64(1..4)));
    BulkheadPolicy::adaptive(LimitConfig { min, max, initial, slow_after, ..LimitConfig::DEFAULT }).expect("in range")
}
