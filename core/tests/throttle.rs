//! The throttle against a naive one, under hostile clocks, against a simulated backend, and with racing threads.

mod support;

use core::time::Duration;
use fusebox_core::*;
use proptest::prelude::*;
use support::naive_throttle::Naive;
use support::*;

fn policy(ratio_milli: u32, padding: u32, window: u64) -> ThrottlePolicy {
    ThrottlePolicy::new(ThrottleConfig { ratio_milli, padding, window: Duration::from_nanos(window) })
        .expect("in range")
}

fn any_throttle() -> impl Strategy<Value = ThrottlePolicy> {
    let ratio = prop_oneof![Just(2_000_u32), 1_000_u32..5_000, 1_000_u32..=100_000];
    let window = prop_oneof![Just(30 * SECOND), SECOND..20 * SECOND, SECOND..=3_600 * SECOND];
    (ratio, prop_oneof![Just(1_u32), 1_u32..=1_000], window)
        .prop_map(|(ratio, padding, window)| policy(ratio, padding, window))
}

#[derive(Clone, Copy, Debug)]
enum Event {
    Admit(u64),
    Settle { calls: u16, accepted: bool },
}

fn event() -> impl Strategy<Value = Event> {
    let random = prop_oneof![Just(0), Just(u64::MAX), any::<u64>()];
    prop_oneof![
        16 => random.prop_map(Event::Admit),
        24 => (1_u16..40, any::<bool>()).prop_map(|(calls, accepted)| Event::Settle { calls, accepted }),
        1 => (1_u16..20_000, any::<bool>()).prop_map(|(calls, accepted)| Event::Settle { calls, accepted }),
    ]
}

fn events(time: impl Strategy<Value = Move>) -> impl Strategy<Value = Vec<(Move, Event)>> {
    prop::collection::vec((time, event()), 1..60)
}

fn apply(state: &mut ThrottleState, policy: &ThrottlePolicy, now: u64, event: Event) -> bool {
    match event {
        Event::Admit(random) => {
            let (next, verdict) = state.admit(at(now), random, policy);
            *state = next;
            verdict.is_ok()
        }
        Event::Settle { calls, accepted } => {
            (0..calls).for_each(|_| *state = state.settle(at(now), accepted, policy));
            true
        }
    }
}

fn drive(policy: &ThrottlePolicy, events: &[(Move, Event)], start: u64) -> (ThrottleState, u64) {
    let (mut state, mut now) = (ThrottleState::NEW, start);
    for (time, event) in events {
        now = time.from(now);
        apply(&mut state, policy, now, *event);
    }
    (state, now)
}

/// What the naive throttle does on an event, and whether it admits.
fn apply_naive(naive: &mut Naive, policy: &ThrottlePolicy, now: u64, event: Event) -> bool {
    let mut next = *naive;
    next.follow(policy, now);
    match event {
        Event::Admit(random) if next.refuses(policy, random) => next.count(false),
        Event::Admit(_) => return true, // nothing is counted, and nothing is written
        Event::Settle { calls, accepted } => (0..calls).for_each(|_| next.count(accepted)),
    }
    *naive = next;
    matches!(event, Event::Settle { .. })
}

proptest! {
    #[test]
    fn c1_a_throttle_decides_as_a_naive_one_does_whatever_the_clock_does(
        policy in any_throttle(),
        events in events(hostile()),
        start: u64,
    ) {
        let (mut state, mut naive, shared, mut now) = (ThrottleState::NEW, Naive::default(), Throttle::new(), start);
        for (time, event) in events {
            now = time.from(now);
            let admitted = apply(&mut state, &policy, now, event);
            prop_assert_eq!(admitted, apply_naive(&mut naive, &policy, now, event), "{:?} at {}", event, now);
            match event {
                Event::Admit(random) => {
                    prop_assert_eq!(shared.try_admit(&policy, at(now), random).is_ok(), admitted);
                }
                Event::Settle { calls, accepted } => {
                    (0..calls).for_each(|_| shared.settle(&policy, at(now), accepted));
                }
            }
            let mut naive = naive;
            naive.follow(&policy, now);
            let counts = state.counts(at(now), &policy);
            prop_assert_eq!((u128::from(counts.requests), u128::from(counts.accepts)), (naive.requests, naive.accepts));
            prop_assert_eq!(shared.snapshot(&policy, at(now)), counts);
            prop_assert!(counts.refused_milli < 1_000);
        }
    }

    #[test]
    fn nothing_is_refused_while_all_is_accepted(
        policy in any_throttle(),
        events in events(hostile()),
        start: u64,
    ) {
        let (mut state, mut now) = (ThrottleState::NEW, start);
        for (time, event) in events {
            now = time.from(now);
            let event = match event {
                Event::Admit(_) => Event::Admit(0),
                Event::Settle { calls, .. } => Event::Settle { calls, accepted: true },
            };
            prop_assert!(apply(&mut state, &policy, now, event));
        }
    }

    #[test]
    fn the_refused_share_of_all_draws_is_that_of_the_formula(
        policy in any_throttle(),
        requests in 0_u64..=16_383,
        accepts in 0_u64..=16_383,
    ) {
        let counted = ThrottleSnapshot { requests, accepts: accepts.min(requests), refused_milli: 0 };
        let state = ThrottleState::with_counts(counted, at(0), &policy);
        let admits = |random: u64| state.admit(at(0), random, &policy).1.is_ok();
        // the draws refused are those below a threshold; find it by halving
        let (mut refused, mut admitted) = (0_u128, 1_u128 << 64);
        while refused < admitted {
            let middle = (refused + admitted) / 2;
            if admits(u64::try_from(middle)?) { admitted = middle } else { refused = middle + 1 }
        }
        let ThrottleConfig { ratio_milli, padding, .. } = *policy.config();
        let above = (1_000 * u128::from(requests)).saturating_sub(u128::from(counted.accepts) * u128::from(ratio_milli));
        let below = 1_000 * u128::from(requests + u64::from(padding));
        prop_assert_eq!(admitted, (above << 64).div_ceil(below));
    }

    #[test]
    fn a_refusal_tells_when_the_same_draw_is_admitted(
        policy in any_throttle(),
        events in events(hostile()),
        end in 0..u64::MAX - DAY,
        random: u64,
    ) {
        let (state, _) = drive(&policy, &events, 0);
        if let (refused, Err(wait)) = state.admit(at(end), random, &policy) {
            let Wait::Nanos(wait) = wait else { panic!("it ends at a known time, not {wait:?}") };
            prop_assert!(refused.admit(at(end + wait), random, &policy).1.is_ok());
            prop_assert!(refused.admit(at(end + wait - 1), random, &policy).1.is_err());
            prop_assert!(u128::from(wait) <= policy.config().window.as_nanos() * 15 / 2);
            let change = refused.next_change(at(end), &policy).expect("there is a request to fade");
            let counts = |now: u64| (refused.counts(at(now), &policy).requests, refused.counts(at(now), &policy).accepts);
            prop_assert_eq!(counts(end + change - 1), counts(end));
            prop_assert_ne!(counts(end + change), counts(end));
        }
    }

    #[test]
    fn c2_a_step_back_of_any_size_delays_the_fading_by_a_window_at_most(
        policy in any_throttle(),
        events in events(forward()),
        start in 0..u64::MAX - DAY,
        back: u64,
    ) {
        let (state, latest) = drive(&policy, &events, start);
        let now = back % (latest + 1);
        let state = state.settle(at(now), false, &policy);
        let change = state.next_change(at(now), &policy).expect("there is a request to fade");
        prop_assert!(u128::from(change) <= policy.config().window.as_nanos());
    }

    #[test]
    fn c3_an_older_now_admits_no_draw_that_the_latest_would_refuse(
        policy in any_throttle(),
        events in events(forward()),
        start in 0..u64::MAX - DAY,
        back in prop_oneof![any::<u64>(), 0..100 * SECOND],
        random: u64,
    ) {
        let (state, latest) = drive(&policy, &events, start);
        let state = state.settle(at(latest), false, &policy);
        let earlier = latest.saturating_sub(back % (latest + 1));
        let admits = |now: u64| state.admit(at(now), random, &policy).1.is_ok();
        prop_assert!(!admits(earlier) || admits(latest));
    }

    #[test]
    fn r1_a_change_of_policy_keeps_the_counts(
        old in any_throttle(),
        new in any_throttle(),
        events in events(hostile()),
    ) {
        let (state, now) = drive(&old, &events, 0);
        let moved = state.under(&old, &new, at(now)).counts(at(now), &new);
        let kept = state.counts(at(now), &old);
        prop_assert_eq!((moved.requests, moved.accepts), (kept.requests, kept.accepts));
    }

    #[test]
    fn a_restored_throttle_decides_as_the_original_would(
        policy in any_throttle(),
        before in events(forward()),
        after in events(forward()),
        start in 0..u64::MAX - DAY,
    ) {
        let (mut state, mut now) = drive(&policy, &before, start);
        let snapshot = state.counts(at(now), &policy);
        let restored = Throttle::restore(&policy, at(now), snapshot);
        prop_assert_eq!(restored.snapshot(&policy, at(now)), snapshot);
        let mut restored = ThrottleState::with_counts(snapshot, at(now), &policy);
        for (time, event) in after {
            now = time.from(now);
            prop_assert_eq!(apply(&mut restored, &policy, now, event), apply(&mut state, &policy, now, event));
        }
    }

    #[test]
    fn no_snapshot_panics_when_it_is_restored_and_its_ratio_is_kept(requests: u64, accepts: u64, now: u64) {
        let snapshot = ThrottleSnapshot { requests, accepts, refused_milli: 0 };
        let kept = Throttle::restore(&ThrottlePolicy::DEFAULT, at(now), snapshot).snapshot(&ThrottlePolicy::DEFAULT, at(now));
        prop_assert!(kept.accepts <= kept.requests && kept.requests <= 16_383);
        if requests > 16_383 {
            let share = u128::from(accepts.min(requests)) * u128::from(kept.requests);
            prop_assert!(share.abs_diff(u128::from(kept.accepts) * u128::from(requests)) <= u128::from(requests) * 2);
        }
    }

    #[test]
    fn h11_forgetting_a_fresh_throttle_cannot_be_observed(
        policy in any_throttle(),
        before in events(hostile()),
        after in events(forward()),
        idle in 0_u64..20,
    ) {
        let (mut state, now) = drive(&policy, &before, 0);
        state = state.settle(at(now), true, &policy); // a clock that went back is followed by a write only
        let mut now = now.saturating_add(idle * u64::try_from(policy.config().window.as_nanos() / 2 + 1)?);
        if !state.is_fresh(at(now), &policy) {
            prop_assert!(idle < 16 || now == u64::MAX, "not fresh after 8 windows");
            return Ok(());
        }
        let mut new = ThrottleState::NEW;
        for (time, event) in after {
            now = time.from(now);
            prop_assert_eq!(apply(&mut state, &policy, now, event), apply(&mut new, &policy, now, event));
        }
    }
}

/// A uniform sequence: SplitMix64.
struct Draws(u64);

impl Draws {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// Calls at `offered` per second to a backend that accepts `capacity` of them each second; a call takes 50 ms.
struct Simulation {
    throttle: Throttle,
    policy: ThrottlePolicy,
    draws: Draws,
    now: u64,
}

impl Simulation {
    fn new(policy: ThrottlePolicy, seed: u64) -> Self {
        Self { throttle: Throttle::new(), policy, draws: Draws(seed), now: 0 }
    }

    /// The number of calls sent in `seconds`.
    fn run(&mut self, seconds: u64, offered: u64, capacity: u64) -> u64 {
        let mut sent = 0;
        for _ in 0..seconds {
            let (mut accepted, mut under_way) = (0, std::collections::VecDeque::new());
            for _ in 0..offered {
                self.now += SECOND / offered;
                while under_way.front().is_some_and(|(end, _)| *end <= self.now) {
                    let (end, outcome) = under_way.pop_front().expect("there is one");
                    self.throttle.settle(&self.policy, at(end), outcome);
                }
                if self.throttle.try_admit(&self.policy, at(self.now), self.draws.next()).is_ok() {
                    sent += 1;
                    accepted += 1;
                    under_way.push_back((self.now + 50 * MS, accepted <= capacity));
                }
            }
            for (_, outcome) in under_way {
                self.throttle.settle(&self.policy, at(self.now), outcome);
            }
        }
        sent
    }
}

#[test]
fn the_rate_sent_settles_near_k_times_what_the_backend_accepts_and_follows_it() {
    for (ratio, seed) in [(2_000, 1), (1_500, 2), (3_000, 3)] {
        let mut simulation = Simulation::new(policy(ratio, 8, 30 * SECOND), seed);
        assert_eq!(simulation.run(60, 400, 400), 400 * 60, "all is accepted");
        for capacity in [40, 80, 20, 100] {
            simulation.run(150, 400, capacity);
            let (sent, expected) = (simulation.run(300, 400, capacity), 300 * capacity * u64::from(ratio) / 1_000);
            assert!(sent.abs_diff(expected) * 100 <= expected * 15, "{sent} instead of {expected} at K {ratio}");
        }
        simulation.run(150, 400, 400);
        assert!(simulation.run(60, 400, 400) >= 396 * 60, "the backend has recovered");
    }
}

#[test]
fn an_outage_leaves_a_trickle_of_probes_and_is_recovered_from() {
    let mut simulation = Simulation::new(ThrottlePolicy::DEFAULT, 7);
    simulation.run(60, 100, 100);
    simulation.run(300, 100, 0);
    let probes = simulation.run(600, 1_000, 0);
    assert!((60..=1_800).contains(&probes), "{probes} of 600000 calls are sent to a dead backend");
    simulation.run(150, 100, 100);
    assert!(simulation.run(60, 100, 100) >= 99 * 60, "recovered within five windows");
}

#[test]
fn calls_under_way_are_no_refusals() {
    // counted when they are sent, a hundred first calls would look like a hundred refusals
    let shared = Throttle::new();
    for _ in 0..100 {
        assert_eq!(shared.try_admit(&ThrottlePolicy::DEFAULT, at(1), 0), Ok(()));
    }
    assert_eq!(shared.snapshot(&ThrottlePolicy::DEFAULT, at(1)), ThrottleSnapshot::default());
}

#[test]
fn an_admission_writes_nothing_and_a_refusal_counts() {
    let policy = ThrottlePolicy::DEFAULT;
    let state = ThrottleState::NEW.settle(at(0), false, &policy);
    let (admitted, verdict) = state.admit(at(99 * SECOND), u64::MAX, &policy);
    assert_eq!((admitted, verdict), (state, Ok(())));
    let (refused, verdict) = state.admit(at(0), 0, &policy);
    assert_eq!(verdict, Err(Wait::Nanos(30 * SECOND)), "two requests fade in two half windows");
    assert_eq!(refused.counts(at(0), &policy).requests, 2);
}

#[test]
fn a_late_reading_is_told_when_the_stored_half_window_ends() {
    let policy = ThrottlePolicy::DEFAULT;
    let state = ThrottleState::NEW.settle(at(16 * SECOND), false, &policy);
    assert_eq!(state.next_change(at(14 * SECOND), &policy), Some(16 * SECOND));
    let (state, verdict) = state.admit(at(14 * SECOND), 0, &policy);
    assert_eq!(verdict, Err(Wait::Nanos(31 * SECOND)), "two requests fade at 30 s and 45 s");
    assert_eq!(state.admit(at(45 * SECOND), 0, &policy).1, Ok(()));
    assert!(state.admit(at(45 * SECOND - 1), 0, &policy).1.is_err());
}

#[test]
fn every_field_of_a_throttle_is_checked_on_both_sides() {
    let (sound, tick) = (ThrottleConfig::DEFAULT, Duration::from_nanos(1));
    let cases = [
        (sound, None),
        (ThrottleConfig { ratio_milli: 999, ..sound }, Some("throttle.ratio")),
        (ThrottleConfig { ratio_milli: 1_000, ..sound }, None),
        (ThrottleConfig { ratio_milli: 100_000, ..sound }, None),
        (ThrottleConfig { ratio_milli: 100_001, ..sound }, Some("throttle.ratio")),
        (ThrottleConfig { padding: 0, ..sound }, Some("throttle.padding")),
        (ThrottleConfig { padding: 1, ..sound }, None),
        (ThrottleConfig { padding: 1_000, ..sound }, None),
        (ThrottleConfig { padding: 1_001, ..sound }, Some("throttle.padding")),
        (ThrottleConfig { window: Duration::from_secs(1), ..sound }, None),
        (ThrottleConfig { window: Duration::from_secs(1) - tick, ..sound }, Some("throttle.window")),
        (ThrottleConfig { window: Duration::from_secs(3_600), ..sound }, None),
        (ThrottleConfig { window: Duration::from_secs(3_600) + tick, ..sound }, Some("throttle.window")),
        (ThrottleConfig { window: Duration::MAX, ..sound }, Some("throttle.window")),
    ];
    for (config, field) in cases {
        assert_eq!(ThrottlePolicy::new(config).err().map(|error| error.field), field, "{config:?}");
    }
}

#[test]
fn racing_calls_are_all_counted_and_accepts_never_exceed_requests() {
    let (shared, policy) = (Throttle::new(), ThrottlePolicy::DEFAULT);
    std::thread::scope(|scope| {
        for thread in 0..4_u64 {
            let (shared, policy) = (&shared, &policy);
            scope.spawn(move || {
                for call in 0..1_000 {
                    shared.settle(policy, at(7), (thread + call) % 4 > 0);
                    let counts = shared.snapshot(policy, at(7));
                    assert!(counts.accepts <= counts.requests);
                }
            });
        }
    });
    let counts = shared.snapshot(&policy, at(7));
    assert_eq!((counts.requests, counts.accepts), (4_000, 3_000));
}
