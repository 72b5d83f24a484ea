//! The bulkhead, fixed and adaptive: never above its limit, one cut per round trip, and close to a simulated server's
//! knee.

mod support;

use core::time::Duration;
use fusebox_core::*;
use proptest::prelude::*;
use proptest::sample::Index;
use std::collections::VecDeque;
use support::*;

fn adaptive(config: LimitConfig) -> BulkheadPolicy {
    BulkheadPolicy::adaptive(config).expect("in range")
}

fn any_adaptive() -> impl Strategy<Value = BulkheadPolicy> {
    let bounds = prop_oneof![(1_u32..10, 0_u32..20), (1_u32..=4_095, 0_u32..4_095)];
    let slow = prop::option::of((0..5 * SECOND).prop_map(|nanos| Duration::from_nanos(1_000 + nanos)));
    (bounds, any::<Index>(), 100_u32..=990, slow).prop_map(|((min, more), initial, cut_milli, slow_after)| {
        let max = (min + more).min(4_095);
        let initial = min + u32::try_from(initial.index((max - min + 1) as usize)).expect("fits");
        adaptive(LimitConfig { min, max, initial, cut_milli, slow_after })
    })
}

fn any_policy() -> impl Strategy<Value = BulkheadPolicy> {
    prop_oneof![3 => any_adaptive(), 1 => (1_u32..30).prop_map(bulkhead)]
}

#[derive(Clone, Debug)]
enum Event {
    Enter(u8),
    Settle(Index, Outcome),
    Leave,
}

fn events() -> impl Strategy<Value = Vec<(Move, Event)>> {
    let event = prop_oneof![
        3 => (1_u8..20).prop_map(Event::Enter),
        8 => (any::<Index>(), outcome()).prop_map(|(index, outcome)| Event::Settle(index, outcome)),
        1 => Just(Event::Leave),
    ];
    prop::collection::vec((hostile(), event), 1..150)
}

/// The limit as the documentation words it. It shares no code with the core: calls carry the number of cuts so far.
#[derive(Clone, Copy, Debug)]
struct Naive {
    limit: u64,
    successes: u64,
    cuts: u64,
}

impl Naive {
    fn settle(&mut self, config: &LimitConfig, cuts: u64, in_flight: u64, outcome: Outcome, took: u64) {
        let slow = config.slow_after.is_some_and(|limit| u128::from(took) > limit.as_nanos());
        let (min, max) = (u64::from(config.min), u64::from(config.max));
        match outcome {
            Outcome::Ignored | Outcome::Cancelled => {}
            _ if cuts % 256 != self.cuts % 256 => {}
            Outcome::Success if !slow => {
                if in_flight * 2 >= self.limit && self.limit < max {
                    self.successes += 1;
                    if self.successes == self.limit {
                        (self.limit, self.successes) = (self.limit + 1, 0);
                    }
                }
            }
            _ => {
                self.limit = (self.limit * u64::from(config.cut_milli) / 1_000).max(min);
                (self.cuts, self.successes) = (self.cuts + 1, 0);
            }
        }
    }
}

proptest! {
    #[test]
    fn nobody_enters_above_the_limit_and_no_slot_is_lost(
        policies in prop::collection::vec(any_policy(), 1..4),
        events in events(),
    ) {
        // the policy changes all the time: lowering the limit takes no slot away
        let (mut state, shared, mut now, mut calls) = (BulkheadState::NEW, Bulkhead::new(), 0, Vec::new());
        for ((time, event), policy) in events.iter().zip(policies.iter().cycle()) {
            now = time.from(now);
            let (before, limit) = (state.in_flight(), state.limit(policy));
            match event {
                Event::Enter(count) => for _ in 0..*count {
                    let (before, (next, stamp)) = (state.in_flight(), state.enter(at(now), policy));
                    let ticket = shared.admit(policy, at(now));
                    prop_assert_eq!(stamp.is_some(), before < limit, "{} in flight of {}", before, limit);
                    prop_assert_eq!(ticket.as_ref().err(), stamp.is_none().then_some(&Wait::Release));
                    prop_assert_eq!(next.in_flight(), before + u32::from(stamp.is_some()));
                    prop_assert!(stamp.is_some() || next == state, "a refusal writes nothing");
                    state = next;
                    calls.extend(stamp.zip(ticket.ok()));
                },
                Event::Settle(_, _) | Event::Leave if calls.is_empty() => {}
                Event::Settle(index, outcome) => {
                    let (stamp, ticket) = calls.swap_remove(index.index(calls.len()));
                    let (next, change) = state.settle(stamp, *outcome, at(now), policy);
                    prop_assert_eq!(next.in_flight(), before - 1);
                    prop_assert_eq!(shared.settle(policy, at(now), ticket, *outcome), change);
                    prop_assert_eq!(change, (next.limit(policy) != limit).then(|| LimitChange {
                        from: limit,
                        to: next.limit(policy),
                    }));
                    state = next;
                }
                Event::Leave => {
                    calls.truncate(calls.len() - 1);
                    state = state.leave();
                    shared.leave();
                    prop_assert_eq!(state.in_flight(), before - 1);
                }
            }
            prop_assert_eq!(shared.in_flight(), calls.len() as u64);
            prop_assert_eq!(shared.limit(policy), state.limit(policy));
            prop_assert_eq!(shared.refusal(policy).is_some(), state.in_flight() >= state.limit(policy));
        }
    }

    #[test]
    fn a_limit_moves_as_a_naive_one_does_and_stays_within_its_bounds(policy in any_adaptive(), events in events()) {
        let config = *policy.adaptive_config().expect("it adapts");
        let (mut state, mut now, mut calls) = (BulkheadState::NEW, 0, Vec::new());
        let mut naive = Naive { limit: u64::from(config.initial), successes: 0, cuts: 0 };
        for (time, event) in events {
            now = time.from(now);
            match event {
                Event::Enter(count) => for _ in 0..count {
                    let (next, stamp) = state.enter(at(now), &policy);
                    state = next;
                    calls.extend(stamp.map(|stamp| (stamp, naive.cuts, now)));
                },
                Event::Settle(index, outcome) if !calls.is_empty() => {
                    let (stamp, cuts, began) = calls.swap_remove(index.index(calls.len()));
                    let took = now.saturating_sub(began);
                    naive.settle(&config, cuts, u64::from(state.in_flight()), outcome, took);
                    state = state.settle(stamp, outcome, at(now), &policy).0;
                }
                Event::Settle(_, _) | Event::Leave => {}
            }
            let limit = state.limit(&policy);
            prop_assert_eq!(u64::from(limit), naive.limit);
            prop_assert!((config.min..=config.max).contains(&limit));
        }
    }

    #[test]
    fn all_calls_of_one_round_trip_cut_the_limit_once(policy in any_adaptive(), calls in 1_u32..300) {
        let mut state = BulkheadState::NEW;
        let before = state.limit(&policy);
        let mut stamps = Vec::new();
        for _ in 0..calls.min(before) {
            let (next, stamp) = state.enter(at(0), &policy);
            state = next;
            stamps.push(stamp.expect("below the limit"));
        }
        let mut changes = 0;
        for stamp in stamps {
            let (next, change) = state.settle(stamp, Outcome::Failure, at(0), &policy);
            (state, changes) = (next, changes + u32::from(change.is_some()));
        }
        let config = policy.adaptive_config().expect("it adapts");
        prop_assert_eq!(state.limit(&policy), (before * config.cut_milli / 1_000).max(config.min));
        prop_assert!(changes <= 1);
    }

    #[test]
    fn r1_a_learned_limit_survives_a_change_of_policy_within_the_new_bounds(
        learned in prop::option::of(prop_oneof![1_u32..5_000, any::<u32>()]),
        old in any_policy(),
        new in any_adaptive(),
    ) {
        let bulkhead = Bulkhead::restore(BulkheadSnapshot { in_flight: 9, learned_limit: learned });
        prop_assert!(bulkhead.try_enter(&old));
        let config = new.adaptive_config().expect("it adapts");
        let limit = learned.filter(|limit| *limit > 0).unwrap_or(config.initial).clamp(config.min, config.max);
        prop_assert_eq!(bulkhead.limit(&new), limit);
        let snapshot = bulkhead.snapshot();
        prop_assert_eq!(snapshot.in_flight, 1, "calls of another life cannot leave");
        prop_assert_eq!(Bulkhead::restore(snapshot).snapshot(), BulkheadSnapshot { in_flight: 0, ..snapshot });
    }

    #[test]
    fn h11_forgetting_a_fresh_bulkhead_cannot_be_observed(
        policy in any_policy(),
        before in events(),
        after in events(),
        settle_all in prop::bool::weighted(0.9),
    ) {
        let play = |state: &mut BulkheadState, events: &[(Move, Event)], settle_all: bool| {
            let (mut calls, mut now, mut verdicts) = (Vec::new(), 0, Vec::new());
            for (time, event) in events {
                now = time.from(now);
                match event {
                    Event::Enter(count) => for _ in 0..*count {
                        let (next, stamp) = state.enter(at(now), &policy);
                        *state = next;
                        verdicts.push((stamp.is_some(), None));
                        calls.extend(stamp);
                    },
                    Event::Settle(index, outcome) if !calls.is_empty() => {
                        let stamp = calls.swap_remove(index.index(calls.len()));
                        let (next, change) = state.settle(stamp, *outcome, at(now), &policy);
                        *state = next;
                        verdicts.push((true, change));
                    }
                    Event::Settle(_, _) | Event::Leave => {}
                }
            }
            if settle_all {
                calls.into_iter().for_each(|_| *state = state.leave());
            }
            verdicts
        };
        let (mut used, mut new) = (BulkheadState::NEW, BulkheadState::NEW);
        play(&mut used, &before, settle_all);
        if used.is_fresh(&policy) {
            prop_assert_eq!(play(&mut used, &after, false), play(&mut new, &after, false));
        } else {
            let learned = used.learned().is_some() || policy.adaptive_config().is_some();
            prop_assert!(used.in_flight() > 0 || learned, "a fixed bulkhead that is empty is fresh");
        }
    }
}

/// A server that works on `capacity` calls at a time, each for 100 ms; the others queue.
struct Server {
    bulkhead: Bulkhead,
    policy: BulkheadPolicy,
    now: u64,
    queue: VecDeque<BulkheadTicket>,
    /// When each call that is being worked on ends, in order.
    working: VecDeque<(u64, BulkheadTicket)>,
}

const SERVICE: u64 = 100 * MS;

impl Server {
    fn new(policy: BulkheadPolicy) -> Self {
        Self { bulkhead: Bulkhead::new(), policy, now: 0, queue: VecDeque::new(), working: VecDeque::new() }
    }

    /// Clients take every slot they can get. Returns the calls done, and the lowest and the highest limit seen.
    fn run(&mut self, seconds: u64, capacity: usize) -> (u64, u32, u32) {
        let (end, mut done, mut lowest, mut highest) = (self.now + seconds * SECOND, 0, u32::MAX, 0);
        while self.now < end {
            self.now += MS;
            while self.working.front().is_some_and(|(end, _)| *end <= self.now) {
                let (_, ticket) = self.working.pop_front().expect("there is one");
                self.bulkhead.settle(&self.policy, at(self.now), ticket, Outcome::Success);
                done += 1;
            }
            // at most a few calls a millisecond, so that they do not move in step
            for _ in 0..2 {
                self.queue.extend(self.bulkhead.admit(&self.policy, at(self.now)).ok());
            }
            while self.working.len() < capacity {
                let Some(ticket) = self.queue.pop_front() else { break };
                self.working.push_back((self.now + SERVICE, ticket));
            }
            let limit = self.bulkhead.limit(&self.policy);
            (lowest, highest) = (lowest.min(limit), highest.max(limit));
        }
        (done, lowest, highest)
    }
}

#[test]
fn a_limit_settles_near_the_knee_of_a_server_and_follows_its_capacity() {
    for slow_percent in [130, 150, 200] {
        let slow_after = Some(Duration::from_nanos(SERVICE * slow_percent / 100));
        let mut server = Server::new(adaptive(LimitConfig { slow_after, ..LimitConfig::DEFAULT }));
        for capacity in [20, 40, 80, 40, 20, 10, 20] {
            server.run(30, capacity);
            let (done, lowest, highest) = server.run(30, capacity);
            let most = 30 * SECOND / SERVICE * capacity as u64;
            assert!(done * 100 >= most * 95, "{done} of {most} calls at a capacity of {capacity}");
            let knee = u64::from(highest) * 100;
            assert!(knee <= capacity as u64 * (slow_percent + 15) + 200, "{highest} for a capacity of {capacity}");
            assert!(u64::from(lowest) * 100 >= capacity as u64 * 80, "{lowest} for a capacity of {capacity}");
        }
    }
}

#[test]
fn an_idle_client_learns_nothing_from_its_successes() {
    let (shared, policy) = (Bulkhead::new(), adaptive(LimitConfig::DEFAULT));
    for _ in 0..1_000 {
        let ticket = shared.admit(&policy, at(0)).expect("idle");
        assert_eq!(shared.settle(&policy, at(1), ticket, Outcome::Success), None);
    }
    assert_eq!(shared.limit(&policy), 20, "one call at a time says nothing about twenty");
    assert!(shared.is_fresh(&policy));
}

#[test]
fn a_fixed_bulkhead_admits_as_many_calls_as_it_was_made_for() {
    for cap in [1_u32, 2, 7] {
        let (shared, policy) = (Bulkhead::new(), bulkhead(cap));
        let admitted = (0..10).filter(|_| shared.admit(&policy, at(0)).is_ok()).count();
        assert_eq!((admitted, policy.max_in_flight(), shared.limit(&policy)), (cap as usize, cap, cap));
    }
}

#[test]
fn a_learned_limit_is_kept_and_told_as_far_as_the_word_holds_it() {
    let cases = [(0, None), (1, Some(1)), (4_095, Some(4_095)), (4_096, Some(4_095)), (u32::MAX, Some(4_095))];
    for (given, kept) in cases {
        assert_eq!(BulkheadState::with_limit(Some(given)).learned(), kept, "{given}");
        let restored = Bulkhead::restore(BulkheadSnapshot { in_flight: 0, learned_limit: Some(given) });
        assert_eq!(restored.snapshot().learned_limit, kept, "{given}");
    }
    assert_eq!(BulkheadState::with_limit(None).learned(), None);
}

#[test]
fn h11_a_bulkhead_on_its_way_to_another_limit_is_not_fresh() {
    let policy = adaptive(LimitConfig { min: 1, max: 4, initial: 2, ..LimitConfig::DEFAULT });
    let mut state = BulkheadState::NEW;
    for limit in [2, 3] {
        let (entered, stamp) = state.enter(at(0), &policy);
        assert!(!entered.is_fresh(&policy), "a call is in flight");
        state = entered.settle(stamp.expect("there is a slot"), Outcome::Success, at(0), &policy).0;
        assert_eq!((state.limit(&policy), state.is_fresh(&policy)), (limit, false));
        assert!(!Bulkhead::from_state(state).is_fresh(&policy));
    }
    assert!(state.is_fresh(&bulkhead(1)), "a fixed limit learns nothing");
}

#[test]
fn a_clock_jump_makes_calls_look_slow_and_costs_one_cut() {
    let slow_after = Some(Duration::from_secs(1));
    let (shared, policy) = (Bulkhead::new(), adaptive(LimitConfig { slow_after, ..LimitConfig::DEFAULT }));
    let tickets: Vec<_> = (0..20).map(|_| shared.admit(&policy, at(0)).expect("below the limit")).collect();
    let changes = tickets.into_iter().filter_map(|t| shared.settle(&policy, at(u64::MAX), t, Outcome::Success));
    assert_eq!(changes.collect::<Vec<_>>(), [LimitChange { from: 20, to: 18 }]);
    let ticket = shared.admit(&policy, at(u64::MAX)).expect("empty");
    assert_eq!(shared.settle(&policy, at(0), ticket, Outcome::Success), None, "back again is fast");
}

#[test]
fn every_field_of_an_adaptive_limit_is_checked_on_both_sides() {
    let sound = LimitConfig::DEFAULT;
    let slow = |nanos| LimitConfig { slow_after: Some(Duration::from_nanos(nanos)), ..sound };
    let cases = [
        (sound, None),
        (LimitConfig { min: 0, ..sound }, Some("min_in_flight")),
        (LimitConfig { min: 4_096, ..sound }, Some("min_in_flight")),
        (LimitConfig { min: 4_095, max: 4_095, initial: 4_095, ..sound }, None),
        (LimitConfig { max: 4_096, ..sound }, Some("max_in_flight")),
        (LimitConfig { min: 10, max: 9, initial: 9, ..sound }, Some("max_in_flight")),
        (LimitConfig { min: 10, initial: 9, ..sound }, Some("initial_in_flight")),
        (LimitConfig { initial: 201, ..sound }, Some("initial_in_flight")),
        (LimitConfig { cut_milli: 99, ..sound }, Some("cut")),
        (LimitConfig { cut_milli: 100, ..sound }, None),
        (LimitConfig { cut_milli: 990, ..sound }, None),
        (LimitConfig { cut_milli: 991, ..sound }, Some("cut")),
        (slow(999), Some("slow_after")),
        (slow(1_000), None),
        (slow(365 * DAY), None),
        (slow(365 * DAY + 1), Some("slow_after")),
    ];
    for (config, field) in cases {
        assert_eq!(BulkheadPolicy::adaptive(config).err().map(|error| error.field), field, "{config:?}");
    }
}

#[test]
fn racing_calls_under_an_adaptive_limit_lose_no_slot_and_report_every_change_once() {
    let policy = adaptive(LimitConfig { max: 12, initial: 4, ..LimitConfig::DEFAULT });
    let shared = Bulkhead::new();
    let changes: Vec<LimitChange> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4_u32)
            .map(|thread| {
                let (shared, policy) = (&shared, &policy);
                scope.spawn(move || {
                    let mut changes = Vec::new();
                    for call in 0..2_000_u32 {
                        let first = shared.admit(policy, at(0)).ok();
                        let second = shared.admit(policy, at(0)).ok();
                        for ticket in [first, second].into_iter().flatten() {
                            let outcome = if (call + thread) % 97 == 0 { Outcome::Failure } else { Outcome::Success };
                            changes.extend(shared.settle(policy, at(0), ticket, outcome));
                        }
                    }
                    changes
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no thread panics")).collect()
    });
    assert_eq!(shared.in_flight(), 0);
    // a chain of changes leaves each limit as often as it enters it, but for its two ends
    for limit in 1..=12 {
        let entered = changes.iter().filter(|change| change.to == limit).count() + usize::from(limit == 4);
        let left = changes.iter().filter(|change| change.from == limit).count();
        assert_eq!(entered, left + usize::from(limit == shared.limit(&policy)), "{limit}");
    }
}
