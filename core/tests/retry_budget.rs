//! The retry budget against a naive one, under hostile clocks, and with racing threads.

mod support;

use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use fusebox_core::*;
use proptest::prelude::*;
use support::budget::*;
use support::naive_budget::Naive;
use support::*;

type Events = Vec<(Move, Budgeting)>;

fn events(time: impl Strategy<Value = Move>) -> impl Strategy<Value = Events> {
    prop::collection::vec((time, budgeting()), 1..80)
}

/// Drives the atomic budget and its step together; what `see` is told: the time, the event, whether it was allowed.
fn drive(
    policy: &RetryBudgetPolicy,
    events: &Events,
    start: u64,
    mut see: impl FnMut(u64, Budgeting, bool),
) -> (RetryBudgetState, u64) {
    let (shared, mut state, mut now) = (RetryBudget::new(), RetryBudgetState::NEW, start);
    for (time, event) in events {
        now = time.from(now);
        let mut allowed = true;
        match event {
            Budgeting::Deposits(calls) => {
                for _ in 0..*calls {
                    state = state.deposit(at(now), policy);
                    shared.deposit(policy, at(now));
                }
            }
            Budgeting::Withdraw => {
                let (next, verdict) = state.withdraw(at(now), policy);
                (state, allowed) = (next, verdict.is_ok());
                assert_eq!(shared.try_withdraw(policy, at(now)), verdict);
            }
            Budgeting::Refund => {
                state = state.refund(at(now), policy);
                shared.refund(policy, at(now));
            }
        }
        assert_eq!(shared.snapshot(policy, at(now)).balance, state.balance(at(now), policy));
        see(now, *event, allowed);
    }
    (state, now)
}

fn default_with(share_milli: u32, floor: u64, seconds: u64) -> RetryBudgetPolicy {
    RetryBudgetPolicy::new(RetryBudgetConfig {
        share_milli,
        floor_per_second: Tokens::milli(floor),
        window: Duration::from_secs(seconds),
        burst: Tokens::whole(1_000),
    })
    .expect("in range")
}

/// Anywhere on the clock, with room for the run.
fn start() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), 0..u64::MAX - DAY * 20]
}

proptest! {
    #[test]
    fn c1_a_budget_decides_as_a_naive_one_does_whatever_the_clock_does(
        policy in any_budget(),
        events in events(hostile()),
        start: u64,
    ) {
        let mut naive = Naive::new(&policy);
        let mut balances = Vec::new();
        drive(&policy, &events, start, |now, event, allowed| {
            match event {
                Budgeting::Deposits(calls) => (0..calls).for_each(|_| naive.deposit(now)),
                Budgeting::Withdraw => assert_eq!(naive.withdraw(now), allowed, "at {now}"),
                Budgeting::Refund => naive.refund(now),
            }
            balances.push(naive.balance(now).max(0));
        });
        let mut expected = balances.iter();
        let mut state = RetryBudgetState::NEW;
        let mut now = start;
        for (time, event) in &events {
            now = time.from(now);
            match event {
                Budgeting::Deposits(calls) => (0..*calls).for_each(|_| state = state.deposit(at(now), &policy)),
                Budgeting::Withdraw => state = state.withdraw(at(now), &policy).0,
                Budgeting::Refund => state = state.refund(at(now), &policy),
            }
            let balance = i128::from(state.balance(at(now), &policy).as_milli());
            prop_assert_eq!(Some(&balance), expected.next());
        }
    }

    #[test]
    fn no_interval_has_more_retries_than_share_and_floor_and_burst(
        policy in any_budget(),
        events in events(forward()),
        start in start(),
    ) {
        // amounts in thousandths of a retry x 10^9, so that the floor is whole per nanosecond
        let scale = i128::from(SECOND);
        let (floor, share) = (policy.config().floor_per_second.as_milli(), policy.config().share_milli);
        let mut moves: Vec<(u64, i128)> = Vec::new();
        drive(&policy, &events, start, |now, event, allowed| moves.push((now, match event {
            Budgeting::Deposits(calls) => -i128::from(share) * i128::from(calls) * scale,
            Budgeting::Withdraw if allowed => 1_000 * scale,
            Budgeting::Withdraw => 0,
            Budgeting::Refund => -1_000 * scale,
        })));
        for (index, (from, _)) in moves.iter().enumerate() {
            let mut net = 0;
            for (to, amount) in &moves[index..] {
                net += amount;
                let earned = i128::from(floor) * i128::from(to - from);
                let burst = i128::from(policy.config().burst.as_milli()) * scale;
                prop_assert!(net <= earned + burst, "{net} from {from} to {to}");
            }
        }
    }

    #[test]
    fn the_balance_is_never_above_the_burst(policy in any_budget(), events in events(hostile()), later: u64) {
        let (state, now) = drive(&policy, &events, 0, |_, _, _| {});
        for now in [now, later] {
            prop_assert!(state.balance(at(now), &policy) <= policy.config().burst);
        }
    }

    #[test]
    fn looking_often_does_not_change_the_balance(
        policy in any_budget(),
        events in events(forward()),
        looks in prop::collection::vec(0_u64..=1_000, 0..20),
        ahead in 0..7_200 * SECOND,
        start in start(),
    ) {
        let (state, now) = drive(&policy, &events, start, |_, _, _| {});
        let idle = RetryBudgetPolicy::new(RetryBudgetConfig { share_milli: 0, ..*policy.config() })?;
        let (mut looked, mut looks) = (state, looks);
        looks.sort_unstable();
        for look in looks {
            // a deposit that earns nothing writes what the time has done
            let then = now + u64::try_from(u128::from(ahead) * u128::from(look) / 1_000)?;
            looked = looked.deposit(at(then), &idle);
        }
        let then = at(now + ahead);
        prop_assert_eq!(looked.balance(then, &policy), state.balance(then, &policy));
    }

    #[test]
    fn a_refusal_tells_to_the_nanosecond_when_the_floor_has_earned_a_retry(
        policy in any_budget(),
        events in events(hostile()),
        end in 0..u64::MAX - DAY,
    ) {
        let (state, _) = drive(&policy, &events, 0, |_, _, _| {});
        prop_assert_eq!(state.refusal(at(end), &policy), state.withdraw(at(end), &policy).1.err(), "who only asks");
        match state.withdraw(at(end), &policy) {
            (_, Ok(())) => {}
            (refused, Err(Wait::Nanos(wait))) => {
                let answer = |now: u64| refused.withdraw(at(now), &policy).1.is_ok();
                prop_assert!(answer(end + wait), "too early after {wait}");
                prop_assert!(!answer(end + wait - 1), "{wait} is too long");
                let earliest = (1..100).find(|part| answer(end + wait / 100 * part));
                prop_assert!(earliest.is_none() || wait < 100);
                prop_assert!(u128::from(wait) <= policy.config().window.as_nanos(), "a wait of {wait}");
            }
            (_, Err(wait)) => {
                prop_assert_eq!(wait, Wait::Never);
                prop_assert_eq!(policy.config().floor_per_second, Tokens::ZERO);
            }
        }
    }

    #[test]
    fn next_change_is_the_first_time_at_which_the_answer_differs(
        policy in any_budget(),
        events in events(hostile()),
        end in 0..u64::MAX - DAY * 2,
    ) {
        let (state, _) = drive(&policy, &events, 0, |_, _, _| {});
        let idle = RetryBudgetPolicy::new(RetryBudgetConfig { share_milli: 0, ..*policy.config() })?;
        let state = state.deposit(at(end), &idle); // who only reads does not follow a clock that went back
        let answer = |now: u64| state.refusal(at(now), &policy).is_none();
        let half = u64::try_from(policy.config().window.as_nanos() / 2)?;
        let change = state.next_change(at(end), &policy);
        let same_until = change.map_or(end + 28 * half, |nanos| end + nanos - 1);
        if let Some(nanos) = change {
            prop_assert_ne!(answer(end), answer(end + nanos));
        }
        // within a half window the balance only grows: its two ends are enough
        let ends = (0..30).flat_map(|number| [end + number * half, (end / half + number) * half]);
        for now in ends.flat_map(|now| [now.saturating_sub(1), now]).filter(|now| (end..=same_until).contains(now)) {
            prop_assert_eq!(answer(now), answer(end), "changed at {}, not at {:?}", now, change);
        }
    }

    #[test]
    fn c2_a_step_back_of_any_size_lengthens_a_wait_by_a_window_at_most(
        policy in any_budget(),
        events in events(forward()),
        start in start(),
        back: u64,
    ) {
        let (state, latest) = drive(&policy, &events, start, |_, _, _| {});
        let wait = |now: u64| match state.withdraw(at(now), &policy).1 {
            Err(Wait::Nanos(wait)) => u128::from(wait),
            _ => 0,
        };
        let (before, after) = (wait(latest), wait(back % (latest + 1)));
        prop_assert!(after <= before + policy.config().window.as_nanos(), "{before} became {after}");
    }

    #[test]
    fn c3_an_older_now_yields_nothing_that_the_latest_would_refuse(
        policy in any_budget(),
        events in events(forward()),
        start in start(),
        back in prop_oneof![any::<u64>(), 0..100 * SECOND],
    ) {
        let (state, latest) = drive(&policy, &events, start, |_, _, _| {});
        let state = state.deposit(at(latest), &policy); // what was seen last is the latest time
        let earlier = latest.saturating_sub(back % (latest + 1));
        prop_assert!(state.balance(at(earlier), &policy) <= state.balance(at(latest), &policy));
        // nor when the step back is written
        let moved = state.withdraw(at(earlier), &policy);
        let most = state.withdraw(at(latest), &policy).0.balance(at(latest), &policy);
        prop_assert!(moved.1.is_err() || moved.0.balance(at(earlier), &policy) <= most);
    }

    #[test]
    fn r1_a_change_of_policy_keeps_the_balance(
        old in any_budget(),
        new in any_budget(),
        events in events(forward()),
        start in start(),
    ) {
        let (state, now) = drive(&old, &events, start, |_, _, _| {});
        let (before, moved) = (state.balance(at(now), &old), state.under(&old, &new, at(now)));
        let after = moved.balance(at(now), &new);
        if state.is_fresh(at(now), &old) {
            prop_assert!(moved.is_fresh(at(now), &new));
        } else {
            prop_assert!(after <= before, "a change of policy minted retries");
            let floor = u128::from(new.config().floor_per_second.as_milli()) * new.config().window.as_nanos() / 2;
            let room = u128::from(new.config().burst.as_milli()) - floor.div_ceil(u128::from(SECOND));
            prop_assert!(u128::from(after.as_milli()) >= room.min(before.as_milli().into()), "retries were lost");
        }
        prop_assert_eq!(moved.under(&new, &new, at(now)).balance(at(now), &new), after);
    }

    #[test]
    fn a_restored_budget_decides_as_the_original_would(
        policy in any_budget(),
        events in events(forward()),
        more in events(forward()),
        start in start(),
    ) {
        let (shared, mut now) = (RetryBudget::new(), start);
        let play = |budget: &RetryBudget, events: &Events, now: &mut u64| -> Vec<bool> {
            events.iter().map(|(time, event)| {
                *now = time.from(*now);
                match event {
                    Budgeting::Deposits(calls) => (0..*calls).for_each(|_| budget.deposit(&policy, at(*now))),
                    Budgeting::Withdraw => return budget.try_withdraw(&policy, at(*now)).is_ok(),
                    Budgeting::Refund => budget.refund(&policy, at(*now)),
                }
                true
            }).collect()
        };
        play(&shared, &events, &mut now);
        let snapshot = shared.snapshot(&policy, at(now));
        prop_assert_eq!(snapshot.refusal, shared.refusal(&policy, at(now)));
        let restored = RetryBudget::restore(&policy, at(now), snapshot);
        prop_assert_eq!(restored.snapshot(&policy, at(now)), snapshot);
        let mut again = now;
        prop_assert_eq!(play(&shared, &more, &mut now), play(&restored, &more, &mut again));
    }

    #[test]
    fn h11_forgetting_a_fresh_budget_cannot_be_observed(
        policy in any_budget(),
        before in events(hostile()),
        after in events(hostile()),
        idle in 0_u32..32,
    ) {
        let (mut state, now) = drive(&policy, &before, 0, |_, _, _| {});
        let half = u64::try_from(policy.config().window.as_nanos() / 2)?;
        state = state.refund(at(now), &policy); // a clock that went back is followed by a write only
        let mut now = now.saturating_add(half * u64::from(idle));
        if !state.is_fresh(at(now), &policy) {
            prop_assert!(idle < 28 || now == u64::MAX, "not fresh after 14 windows");
            return Ok(());
        }
        let mut new = RetryBudgetState::NEW;
        for (time, event) in &after {
            // a clock that goes back further than the budget's last look would be news to one of them only
            now = now.max(time.from(now));
            let step = |state: RetryBudgetState| match event {
                Budgeting::Deposits(_) => (state.deposit(at(now), &policy), Ok(())),
                Budgeting::Withdraw => state.withdraw(at(now), &policy),
                Budgeting::Refund => (state.refund(at(now), &policy), Ok(())),
            };
            let (one, other) = (step(state), step(new));
            prop_assert_eq!(one.1, other.1);
            (state, new) = (one.0, other.0);
        }
    }
}

#[test]
fn a_client_that_retries_as_told_gets_what_the_floor_earns() {
    for (floor, seconds) in [(10_000, 10), (333, 60), (2_000, 1), (99_000, 10), (1_001, 3)] {
        let (policy, shared, mut now, mut retries) = (default_with(0, floor, seconds), RetryBudget::new(), 17, 0_u64);
        let end = 17 + 1_000 * SECOND;
        while now < end {
            match shared.try_withdraw(&policy, at(now)) {
                Ok(()) => retries += 1,
                Err(wait) => now += u64::try_from(wait.duration().expect("a floor earns").as_nanos()).expect("fits"),
            }
        }
        let burst = floor * seconds; // at most, at the beginning
        let (least, most) = (floor * 1_000 - 2 * 1_000 / seconds, floor * 1_000 + burst);
        assert!(
            (least..=most + 1_000).contains(&(retries * 1_000)),
            "{retries} of {floor}/s in windows of {seconds} s"
        );
    }
}

#[test]
fn a_steady_rate_of_calls_saves_between_half_a_windows_worth_and_a_whole_one() {
    let (policy, shared) = (default_with(200, 0, 10), RetryBudget::new());
    for call in 0..100_u64 * 100 {
        shared.deposit(&policy, at(call * 10 * MS)); // 100 a second for 100 s
        if call >= 5_000 {
            let balance = shared.snapshot(&policy, at(call * 10 * MS)).balance;
            assert!((Tokens::whole(99)..=Tokens::whole(200)).contains(&balance), "{balance} after {call} calls");
        }
    }
}

#[test]
fn a_balance_of_any_size_is_restored_as_the_most_that_can_be_saved() {
    let policy = default_with(1_000, 10_000, 10);
    let balance = |milli| {
        let snapshot = RetryBudgetSnapshot { balance: Tokens::milli(milli), refusal: None };
        RetryBudget::restore(&policy, at(0), snapshot).snapshot(&policy, at(0)).balance
    };
    assert_eq!(balance(950_000), Tokens::whole(950), "the rest is for what the floor will earn in this half window");
    let half = i64::MAX.unsigned_abs();
    for milli in [950_001, 1_000_000, half - 1, half, half + 1, u64::MAX] {
        assert_eq!(balance(milli), Tokens::whole(950), "{milli}");
    }
}

#[test]
fn a_share_is_exactly_that_share() {
    // tower's budget turns 60% into 100%
    for share in [1_u32, 200, 333, 600, 1_000, 10_000] {
        let (policy, shared) = (default_with(share, 0, 3_600), RetryBudget::new());
        let calls = 1_000 * 100 / u64::from(share.max(100));
        (0..calls).for_each(|_| shared.deposit(&policy, at(5)));
        let retries = (0..2_000).filter(|_| shared.try_withdraw(&policy, at(5)).is_ok()).count() as u64;
        assert_eq!(retries, calls * u64::from(share) / 1_000, "{share}");
    }
}

#[test]
fn a_full_budget_takes_deposits_without_a_write() {
    let policy = default_with(1_000, 10_000, 10);
    let mut state = RetryBudgetState::NEW;
    (0..1_000).for_each(|_| state = state.deposit(at(SECOND), &policy));
    assert_eq!(state.deposit(at(SECOND), &policy), state);
    assert_eq!(state.deposit(at(4 * SECOND), &policy), state);
    assert_ne!(state.deposit(at(5 * SECOND), &policy), state, "a half window later there is room");
}

#[test]
fn a_refusal_writes_nothing_and_a_budget_without_a_floor_never_earns_by_waiting() {
    let policy = default_with(500, 0, 10);
    let state = RetryBudgetState::NEW.deposit(at(0), &policy);
    assert_eq!(state.withdraw(at(60 * SECOND), &policy), (state, Err(Wait::Never)));
    assert_eq!(state.next_change(at(0), &policy), None);
    let state = state.deposit(at(0), &policy);
    assert_eq!(state.next_change(at(SECOND), &policy), Some(4 * SECOND), "what was saved is forgotten");
}

#[test]
fn every_field_of_a_retry_budget_is_checked_on_both_sides() {
    let sound = RetryBudgetConfig::DEFAULT;
    let (tick, hour) = (Duration::from_nanos(1), Duration::from_secs(3_600));
    let free = |window| RetryBudgetConfig { floor_per_second: Tokens::ZERO, window, ..sound };
    let slow = |window| RetryBudgetConfig { floor_per_second: Tokens::milli(100), window, ..sound };
    let fast = |milli| RetryBudgetConfig {
        floor_per_second: Tokens::milli(milli),
        window: Duration::from_secs(1),
        burst: Tokens::whole(100_000),
        ..sound
    };
    let cases = [
        (sound, None),
        (RetryBudgetConfig { share_milli: 10_000, ..sound }, None),
        (RetryBudgetConfig { share_milli: 10_001, ..sound }, Some("retry_budget.share")),
        (fast(100_000_000), None),
        (fast(100_000_001), Some("retry_budget.floor")),
        (RetryBudgetConfig { window: Duration::from_secs(1) + tick, ..fast(100_000_000) }, Some("retry_budget.window")),
        (free(Duration::from_secs(1)), None),
        (free(Duration::from_secs(1) - tick), Some("retry_budget.window")),
        (free(hour), None),
        (free(hour + tick), Some("retry_budget.window")),
        (free(Duration::MAX), Some("retry_budget.window")),
        (slow(Duration::from_secs(20)), None),
        (slow(Duration::from_secs(20) - tick), Some("retry_budget.window")),
        (RetryBudgetConfig { burst: Tokens::whole(100), ..sound }, None),
        (RetryBudgetConfig { burst: Tokens::milli(99_999), ..sound }, Some("retry_budget.burst")),
        (RetryBudgetConfig { burst: Tokens::milli(999), ..free(hour) }, Some("retry_budget.burst")),
        (RetryBudgetConfig { burst: Tokens::milli(1_000), ..free(hour) }, None),
        (RetryBudgetConfig { burst: Tokens::whole(100_000), ..sound }, None),
        (RetryBudgetConfig { burst: Tokens::milli(100_000_001), ..sound }, Some("retry_budget.burst")),
        (RetryBudgetConfig { burst: Tokens::milli(u64::MAX), ..sound }, Some("retry_budget.burst")),
    ];
    for (config, field) in cases {
        assert_eq!(RetryBudgetPolicy::new(config).err().map(|error| error.field), field, "{config:?}");
    }
}

/// Runs `work` on four threads at once.
fn race(work: impl Fn() + Sync) {
    std::thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(&work))));
}

#[test]
fn racing_deposits_and_withdrawals_lose_nothing_and_mint_nothing() {
    let policy = default_with(100, 0, 10);
    for _ in 0..30 {
        let (shared, retries) = (RetryBudget::new(), AtomicU64::new(0));
        race(|| {
            for _ in 0..1_000 {
                shared.deposit(&policy, at(9));
                if shared.try_withdraw(&policy, at(9)).is_ok() {
                    retries.fetch_add(1, Ordering::SeqCst);
                }
            }
        });
        let left = shared.snapshot(&policy, at(9)).balance.as_milli();
        assert_eq!(retries.into_inner() * 1_000 + left, 4 * 1_000 * 100);
    }
}

#[test]
fn racing_retries_at_one_time_take_exactly_the_balance() {
    let policy = default_with(200, 10_000, 10);
    for _ in 0..100 {
        let (shared, retries) = (RetryBudget::new(), AtomicU64::new(0));
        race(|| {
            for _ in 0..100 {
                if shared.try_withdraw(&policy, at(0)).is_ok() {
                    retries.fetch_add(1, Ordering::SeqCst);
                }
            }
        });
        assert_eq!(retries.into_inner(), 50, "half a window of 10 a second");
    }
}

#[test]
fn racing_retries_on_a_moving_clock_stay_within_share_and_floor_and_burst() {
    let policy = default_with(200, 10_000, 10);
    let (shared, retries, calls) = (RetryBudget::new(), AtomicU64::new(0), AtomicU64::new(0));
    let clock = TestClock::starting_at(0);
    race(|| {
        for turn in 0..5_000 {
            let now = at(clock.advance(MS / 5)); // 4 s in all: no reading is late by more than half a window
            if turn % 4 == 0 {
                calls.fetch_add(1, Ordering::SeqCst);
                shared.deposit(&policy, now);
            } else if shared.try_withdraw(&policy, now).is_ok() {
                retries.fetch_add(1, Ordering::SeqCst);
            }
        }
    });
    let (retries, calls) = (retries.into_inner() * 1_000, calls.into_inner());
    let earned = calls * 200 + clock.now().as_nanos() / 100_000 + 50_000;
    assert!(retries <= earned, "{retries} of {earned}");
    assert!(retries >= earned - 20_000, "{retries} of {earned}: who asks all the time loses nearly nothing");
}
