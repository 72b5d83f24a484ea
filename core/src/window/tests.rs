//! What only the inside can tell: the layouts, the ring's contents, and the cost in words.

use super::count::{CountWindow, Ring};
use super::time::{Latest, Slot};
use super::{Mark, Records};
use crate::sync::counted::cost;
use crate::word::Packed;
use crate::*;
use core::time::Duration;
use std::vec::Vec;

const NOW: Instant = Instant::from_nanos(1_000_000_007);

fn policy() -> BreakerPolicy {
    let trip = Trip::Rate(RateTrip { failure_rate_milli: Some(1_000), ..RateTrip::DEFAULT });
    BreakerPolicy::new(BreakerConfig { trip, ..BreakerConfig::DEFAULT }).expect("in range")
}

/// Loads and exchanges of settling one call.
fn settle<W: Window>(breaker: &Breaker<W>, now: Instant, outcome: Outcome) -> (u32, u32) {
    let policy = policy();
    let (admitted, admission) = cost(|| breaker.admit(&policy, now));
    assert_eq!(admission, (1, 0), "an admission while closed is one load");
    let (ticket, _) = admitted.expect("closed");
    cost(|| breaker.settle(&policy, now, ticket, outcome)).1
}

fn filled<W: Window>(window: W, calls: u32, outcome: Outcome) -> Breaker<W> {
    let breaker = Breaker::with_window(window);
    (0..calls).for_each(|_| _ = settle(&breaker, NOW, outcome));
    breaker
}

const FAILED: Mark = Mark { failed: true, slow: false };

/// The breaker's check and the window's record are two steps: the generation may end between them.
#[test]
fn b3_a_record_that_is_overtaken_by_a_new_generation_changes_nothing() {
    fn overtaken<W: Window>(window: W) {
        assert!(window.record(1, Mark::default(), NOW, 0, || true).is_none_or(|counts| counts.calls == 1));
        assert!(window.record(0, FAILED, NOW, 0, || false).is_none(), "an older generation");
        assert!(window.record(255, FAILED, NOW, 0, || false).is_none(), "and one that looks as if it came next");
        window.finish(0);
        assert_eq!(window.counts(1, NOW), WindowCounts { calls: 1, failures: 0, slow: 0 });
        assert_eq!(window.counts(0, NOW), WindowCounts::NONE);
        window.finish(1);
        assert_eq!(window.counts(1, NOW), WindowCounts::NONE);
        assert_eq!(window.record(1, FAILED, NOW, 0, || false), None, "it is over");
    }
    overtaken(CountWindow::<4>::new(100).expect("in range"));
    overtaken(TimeWindow::<10>::new(Duration::from_secs(30)).expect("in range"));
}

#[test]
fn h15_no_number_of_short_epochs_brings_old_outcomes_back() {
    for epochs in (250..260).chain(510..515) {
        let window = CountWindow::<3>::new(84).expect("in range");
        let record = |generation, mark| window.record(generation, mark, NOW, 0, || true).expect("current");
        let mut generation = 0_u8;
        (0..84).for_each(|_| _ = record(generation, FAILED));
        for _ in 1..epochs {
            window.finish(generation);
            generation = generation.wrapping_add(2);
            record(generation, Mark::default());
        }
        window.finish(generation);
        generation = generation.wrapping_add(2);
        // whatever would be left of the failures would now be evicted, and be missing here
        (0..84).for_each(|_| _ = record(generation, Mark::default()));
        (0..84).for_each(|_| _ = record(generation, FAILED));
        let expected = WindowCounts { calls: 84, failures: 84, slow: 0 };
        assert_eq!(window.counts(generation, NOW), expected, "after {epochs} epochs");
    }
}

/// The window's clock or head and its other words are several steps, too.
#[test]
fn b3_a_late_step_leaves_the_words_of_another_epoch_alone() {
    let window = CountWindow::<1>::new(28).expect("in range");
    let place = window.place();
    let (word, before) = Ring::unpack(0).put(7, true, place, FAILED);
    assert_eq!(before, Some(Mark::default()), "taken over empty");
    assert_eq!(word.put(6, false, place, Mark::default()), (word, None));
    assert_eq!(word.put(8, true, place, Mark::default()).1, Some(Mark::default()), "taken over empty again");
    assert_eq!(word.put(7, false, place, Mark::default()).1, Some(FAILED));

    let slot = Slot::EMPTY.add(12, FAILED, true);
    assert_eq!(slot.add(2, FAILED, false), slot);
    assert_eq!(slot.add(22, FAILED, true).counts, slot.counts, "taken over empty");
    assert_eq!(Slot::EMPTY.add(0, FAILED, false), Slot::EMPTY, "an empty slot has no number");
}

#[test]
fn a_slot_that_others_have_moved_on_to_has_not_left_the_window() {
    let latest = Latest { generation: 0, sequence: 5, tick: 5 };
    let left: Vec<u32> = (0..640).filter(|&sequence| latest.has_left(sequence, 10)).collect();
    let held: Vec<u32> = (0..640).filter(|&sequence| latest.holds(sequence, 10)).collect();
    assert_eq!(held, [0, 1, 2, 3, 4, 5, 636, 637, 638, 639]);
    assert_eq!((left.first(), left.last(), left.len()), (Some(&326), Some(&635), 310), "older by up to 32 windows");
}

#[test]
fn h8_a_record_in_a_count_window_costs_the_same_at_any_size() {
    fn costs<const WORDS: usize>(size: u32) -> Vec<(u32, u32)> {
        let breaker = filled(CountWindow::<WORDS>::new(size).expect("in range"), 3 * size, Outcome::Success);
        // the same outcome as the one that leaves; another; and a lap later another again
        let (same, other) = (settle(&breaker, NOW, Outcome::Success), settle(&breaker, NOW, Outcome::Failure));
        (1..size).for_each(|_| _ = settle(&breaker, NOW, Outcome::Success));
        std::vec![same, other, settle(&breaker, NOW, Outcome::Success)]
    }
    // two loads of the breaker's word, before and after
    let expected = [(4, 1), (5, 2), (5, 2)];
    assert_eq!(costs::<1>(2), expected);
    assert_eq!(costs::<1>(28), expected);
    assert_eq!(costs::<4>(100), expected);
    assert_eq!(costs::<36>(1_000), expected);
    assert_eq!(costs::<74>(2_047), expected);
}

#[test]
fn h8_a_record_in_a_time_window_costs_the_same_at_any_number_of_calls() {
    for calls in [20, 1_000, 300_000] {
        let window = TimeWindow::<10>::new(Duration::from_secs(30)).expect("in range");
        let breaker = filled(window, calls, Outcome::Success);
        assert_eq!(settle(&breaker, NOW, Outcome::Success), (4, 1), "{calls}");
        assert_eq!(settle(&breaker, NOW, Outcome::Failure), (14, 1), "{calls}");
        let next = NOW.saturating_add(Duration::from_secs(3));
        assert_eq!(settle(&breaker, next, Outcome::Success), (26, 2), "the first call of a slot, {calls}");
    }
    let window = TimeWindow::<10>::new(Duration::from_secs(30)).expect("in range");
    assert_eq!(settle(&filled(window, 5, Outcome::Success), NOW, Outcome::Success), (14, 1), "below the minimum");
}

#[test]
fn a_breaker_without_a_window_pays_nothing_for_it() {
    let breaker = Breaker::new();
    assert_eq!(settle(&breaker, NOW, Outcome::Success), (1, 0));
    assert_eq!(settle(&breaker, NOW, Outcome::Failure), (1, 1));
}

#[test]
fn when_no_call_is_under_way_the_head_counts_what_the_ring_holds() {
    for size in [1, 2, 3, 29, 56] {
        let window = CountWindow::<2>::new(size).expect("in range");
        std::thread::scope(|scope| {
            for thread in 0..4_u32 {
                let window = &window;
                scope.spawn(move || {
                    for call in 0..20_000_u32 {
                        let bits = (thread * 7 + call).wrapping_mul(0x9e37_79b9) >> 13;
                        let mark = Mark { failed: bits & 1 != 0, slow: bits & 2 != 0 };
                        assert!(window.record(0, mark, NOW, 0, || true).is_some());
                    }
                });
            }
        });
        let contents = window.contents();
        let held = |bit: fn(&Mark) -> bool| u32::try_from(contents.iter().filter(|mark| bit(mark)).count());
        let (failures, slow) = (held(|mark| mark.failed).expect("fits"), held(|mark| mark.slow).expect("fits"));
        assert_eq!(window.counts(0, NOW), WindowCounts { calls: size, failures, slow });
    }
}

#[test]
fn h15_no_number_of_generations_without_a_record_brings_slots_back() {
    for ends in [1, 31, 32, 33, 62, 63, 64, 65, 1_000] {
        let window = TimeWindow::<10>::new(Duration::from_secs(30)).expect("in range");
        (0..19).for_each(|_| _ = window.record(0, FAILED, NOW, 20, || true));
        let mut generation = 0_u8;
        for end in 0..ends {
            window.finish(generation);
            generation = generation.wrapping_add(1);
            assert_eq!(window.counts(generation, NOW), WindowCounts::NONE, "after {end} of {ends}");
        }
        // in the same slot length, so that time does not move the window
        let counts = window.record(generation, FAILED, NOW, 20, || true);
        assert_eq!(counts, Some(WindowCounts { calls: 1, failures: 1, slow: 0 }), "after {ends}");
        let later = NOW.saturating_add(Duration::from_secs(86_400));
        let counts = window.record(generation, FAILED, later, 20, || true);
        assert_eq!(counts, Some(WindowCounts { calls: 1, failures: 1, slow: 0 }), "after {ends} and a day");
    }
}

/// The minimum is reached by one of two successes, and both are under way at a time.
#[test]
fn b2_a_record_decides_on_its_slot_as_it_left_it_however_late() {
    let success = Mark::default();
    let window = TimeWindow::<10>::new(Duration::from_secs(30)).expect("in range");
    for call in 0..19 {
        let mark = if call < 10 { FAILED } else { success };
        let _ = window.record(0, mark, NOW, 20, || true);
    }
    let late = window.add(0, success, NOW, || true).expect("current");
    assert_eq!(window.record(0, success, NOW, 20, || true), None, "the other has the minimum to decide on");
    let reached = WindowCounts { calls: 20, failures: 10, slow: 0 };
    assert_eq!(window.decide(late, success, 20), Some(reached));

    // other slots are read when it decides
    let next = NOW.saturating_add(Duration::from_secs(3));
    let _ = window.record(0, FAILED, next, 20, || true);
    let more = WindowCounts { calls: 21, failures: 11, slow: 0 };
    assert_eq!(window.decide(late, success, 20), Some(more));
    // and its own slot does not count once it has left the window, nor does that of an ended generation
    let next = NOW.saturating_add(Duration::from_secs(31));
    let counts = window.record(0, FAILED, next, 20, || true);
    assert_eq!(counts, Some(WindowCounts { calls: 2, failures: 2, slow: 0 }));
    assert_eq!(window.decide(late, success, 20), counts);
    window.finish(0);
    assert_eq!(window.decide(late, success, 20), None);
}
