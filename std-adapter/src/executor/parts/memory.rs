//! `PartsState`: what a dependency's parts remember across a restart of the process.
//!
//! Nothing in it is a reading of a clock: times are what was left of them. So it can be brought to any clock, with the
//! time that has passed meanwhile.

use super::window_slot::WindowSlot;
use super::{Parts, PartsSnapshot};
use crate::config::{LimitPolicy, WindowPolicy};
use core::time::Duration;
use fusebox_core::{
    AdaptivePolicy, AdaptiveRate, AdaptiveSnapshot, Breaker, BreakerPolicy, BreakerSnapshot, BreakerState,
    BucketPolicy, BucketSnapshot, Bulkhead, BulkheadSnapshot, HeldWindow, Instant, RetryBudget, RetryBudgetPolicy,
    RetryBudgetSnapshot, State, Throttle, ThrottlePolicy, ThrottleSnapshot, TokenBucket, Tokens, Wait, WindowCounts,
};
use serde::{Deserialize, Serialize};

/// What a dependency's parts remember across a restart: whether its breaker is open and for how long yet, what tokens and
/// retries are left, what was learned. Parts that the policy lacks are absent; what is absent begins anew.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct PartsState {
    #[serde(skip_serializing_if = "Option::is_none")]
    breaker: Option<BreakerMemory>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bucket: Option<BucketSnapshot>,
    #[serde(skip_serializing_if = "Option::is_none")]
    adaptive_rate: Option<AdaptiveSnapshot>,
    #[serde(skip_serializing_if = "Option::is_none")]
    learned_limit: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    throttle: Option<ThrottleSnapshot>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retries: Option<Tokens>,
}

/// A breaker without its clock and its generation, which only calls under way would know.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
struct BreakerMemory {
    state: State,
    failures: u32,
    streak: u8,
    successes: u8,
    stale: u64,
    /// What was left of the open wait.
    wait_left: Duration,
    window: WindowCounts,
}

impl PartsState {
    pub(super) fn of(snapshot: &PartsSnapshot) -> Self {
        let bucket = snapshot.tokens.zip(snapshot.booked);
        Self {
            breaker: snapshot.breaker.as_ref().map(BreakerMemory::of),
            bucket: bucket.map(|(level, debt)| BucketSnapshot { level, debt }),
            adaptive_rate: snapshot.adaptive_rate,
            learned_limit: snapshot.learned_limit,
            throttle: snapshot.throttle,
            retries: snapshot.retry_budget.map(|budget| budget.balance),
        }
    }

    pub(super) fn parts(&self, policy: &LimitPolicy, now: Instant, passed: Duration) -> Parts {
        let mut parts = Parts::new(policy);
        if let (Some(policy), Some(memory)) = (&policy.circuit.bucket, self.bucket) {
            parts.bucket = bucket(policy, now, memory, passed);
        }
        if let (Some(policy), Some(memory)) = (&policy.adaptive_rate, self.adaptive_rate) {
            parts.adaptive_rate = adaptive_rate(policy, now, memory, passed);
        }
        if let (Some(policy), Some(memory)) = (&policy.throttle, self.throttle) {
            parts.throttle = throttle(policy, now, memory, passed);
        }
        if let (Some(policy), Some(balance)) = (&policy.retry_budget, self.retries) {
            parts.retry_budget = retry_budget(policy, now, balance, passed);
        }
        parts.bulkhead = Bulkhead::restore(BulkheadSnapshot { in_flight: 0, learned_limit: self.learned_limit });
        if let (Some(breaker), Some(memory)) = (&policy.circuit.breaker, &self.breaker) {
            (parts.breaker, parts.breaker_ahead) = memory.breaker(breaker, policy.window, now, passed);
        }
        parts
    }
}

impl BreakerMemory {
    fn of(snapshot: &BreakerSnapshot) -> Self {
        let &BreakerSnapshot { state, failures, streak, successes, stale, refusal, window, .. } = snapshot;
        // a half-open breaker refuses until a probe reports, which is not for time to say
        let wait_left = refusal.and_then(Wait::duration).filter(|_| state == State::Open).unwrap_or_default();
        Self { state, failures, streak, successes, stale, wait_left, window }
    }

    fn breaker(
        &self,
        policy: &BreakerPolicy,
        window: Option<WindowPolicy>,
        now: Instant,
        passed: Duration,
    ) -> (Breaker<HeldWindow<WindowSlot>>, Duration) {
        let has_expired = matches!(window, Some(WindowPolicy::Span { span, .. }) if span <= passed);
        let snapshot = BreakerSnapshot {
            state: self.state,
            failures: self.failures,
            streak: self.streak,
            successes: self.successes,
            stale: self.stale,
            window: if has_expired { WindowCounts::NONE } else { self.window },
            ..BreakerSnapshot::default() // no probe is out any more
        };
        let left = self.wait_left.saturating_sub(passed);
        let (snapshot, ahead) = match self.state {
            State::Open => opened(snapshot, left, policy, now),
            _ => (snapshot, Duration::ZERO),
        };
        let window = HeldWindow::new(WindowSlot::new(window));
        (Breaker::restore_window(snapshot, window, now.saturating_add(ahead)), ahead)
    }
}

/// An open breaker that admits a probe in `left`, and by how much its time is ahead.
///
/// Its wait is drawn anew, for a process has a seed of its own: by the first generation that draws one as long as what is
/// left, or the longest where none does, as under a policy of shorter waits. It opened as much before now as that is
/// longer, which may be before the clock began; so its time is ahead by the whole wait.
fn opened(
    snapshot: BreakerSnapshot,
    left: Duration,
    policy: &BreakerPolicy,
    now: Instant,
) -> (BreakerSnapshot, Duration) {
    let (mut generation, mut wait) = (0, Duration::ZERO);
    for candidate in 0..=u8::MAX {
        let since = Some(Instant::ORIGIN);
        let state = BreakerState::restored(BreakerSnapshot { generation: candidate, since, ..snapshot });
        let drawn = state.refusal(Instant::ORIGIN, policy).and_then(Wait::duration).unwrap_or_default();
        if drawn > wait {
            (generation, wait) = (candidate, drawn);
        }
        if wait >= left {
            break;
        }
    }
    let since = Some(now.saturating_add(left.min(wait)));
    (BreakerSnapshot { generation, since, ..snapshot }, wait)
}

/// What has flowed in since fills debt first.
fn bucket(policy: &BucketPolicy, now: Instant, memory: BucketSnapshot, passed: Duration) -> TokenBucket {
    let per = policy.rate().per.as_nanos().max(1);
    let inflow = u128::from(policy.rate().tokens).saturating_mul(1_000).saturating_mul(passed.as_nanos()) / per;
    let inflow = u64::try_from(inflow).unwrap_or(u64::MAX);
    let (level, debt) = (memory.level.as_milli().saturating_add(inflow), memory.debt.as_milli());
    let snapshot = BucketSnapshot {
        level: Tokens::milli(level.saturating_sub(debt)),
        debt: Tokens::milli(debt.saturating_sub(level)),
    };
    TokenBucket::resume(policy, now, snapshot)
}

fn adaptive_rate(policy: &AdaptivePolicy, now: Instant, memory: AdaptiveSnapshot, passed: Duration) -> AdaptiveRate {
    let held = memory.held.saturating_sub(passed);
    let quiet = memory.quiet.saturating_sub(passed);
    AdaptiveRate::restore(policy, now, AdaptiveSnapshot { share: memory.share, held, quiet })
}

fn throttle(policy: &ThrottlePolicy, now: Instant, memory: ThrottleSnapshot, passed: Duration) -> Throttle {
    let halvings = halvings(passed, policy.config().window);
    let faded = |count: u64| count.checked_shr(halvings).unwrap_or(0);
    let counts =
        ThrottleSnapshot { requests: faded(memory.requests), accepts: faded(memory.accepts), refused_milli: 0 };
    Throttle::restore(policy, now, counts)
}

/// What was saved up fades, but never below what a budget begins with, once its floor has had half a window to earn that.
fn retry_budget(policy: &RetryBudgetPolicy, now: Instant, balance: Tokens, passed: Duration) -> RetryBudget {
    let halvings = halvings(passed, policy.config().window);
    let faded = Tokens::milli(balance.as_milli().checked_shr(halvings).unwrap_or(0));
    let floor = RetryBudget::new().snapshot(policy, now).balance;
    let balance = if halvings == 0 { balance } else { faded.max(floor) };
    RetryBudget::restore(policy, now, RetryBudgetSnapshot { balance, refusal: None })
}

/// How often what is counted in `window` has been halved.
fn halvings(passed: Duration, window: Duration) -> u32 {
    let halves = passed.as_nanos().saturating_mul(2).checked_div(window.as_nanos()).unwrap_or(0);
    u32::try_from(halves).unwrap_or(u32::MAX)
}
