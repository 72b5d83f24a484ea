//! `PartsSnapshot`: the state of a dependency's parts as plain data, to show.

use super::Parts;
use crate::config::LimitPolicy;
use fusebox_core::{
    AdaptiveSnapshot, BreakerSnapshot, BucketSnapshot, Instant, RetryBudgetSnapshot, ThrottleSnapshot, Tokens,
};
use serde::{Deserialize, Serialize};

/// The state of a dependency's parts at one moment. What the policy lacks is absent.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
#[non_exhaustive]
pub struct PartsSnapshot {
    /// The breaker, and what its window holds. Its `since` is a reading of the executor's clock.
    pub breaker: Option<BreakerSnapshot>,
    /// Calls in flight; 0 without a bulkhead.
    pub in_flight: u64,
    /// The limit on the calls in flight that is in force, fixed or learned.
    pub limit: Option<u32>,
    /// What a limit that learns has learned; `None` as long as it never changed.
    pub learned_limit: Option<u32>,
    /// Tokens available for calls.
    pub tokens: Option<Tokens>,
    /// Tokens that waiting calls have booked ahead of the refill.
    pub booked: Option<Tokens>,
    /// Where a rate that adapts stands.
    pub adaptive_rate: Option<AdaptiveSnapshot>,
    /// What a throttle has counted, and the share of calls that it refuses.
    pub throttle: Option<ThrottleSnapshot>,
    /// Retries saved up.
    pub retry_budget: Option<RetryBudgetSnapshot>,
}

impl PartsSnapshot {
    pub(super) fn of(parts: &Parts, policy: &LimitPolicy, now: Instant) -> Self {
        let LimitPolicy { circuit, adaptive_rate, throttle, retry_budget, .. } = policy;
        let bucket: Option<BucketSnapshot> = circuit.bucket.map(|bucket| parts.bucket.snapshot(&bucket, now));
        let bulkhead = circuit.bulkhead.map(|bulkhead| (parts.bulkhead.snapshot(), parts.bulkhead.limit(&bulkhead)));
        let breaker = circuit.breaker.as_ref().map(|breaker| {
            let mut snapshot = parts.breaker.snapshot(breaker, parts.breaker_time(now));
            snapshot.since = snapshot.since.map(|since| {
                Instant::ORIGIN
                    .saturating_add(since.saturating_since(Instant::ORIGIN).saturating_sub(parts.breaker_ahead))
            });
            snapshot
        });
        Self {
            breaker,
            in_flight: bulkhead.map_or(0, |(bulkhead, _)| bulkhead.in_flight),
            limit: bulkhead.map(|(_, limit)| limit),
            learned_limit: bulkhead.and_then(|(bulkhead, _)| bulkhead.learned_limit),
            tokens: bucket.map(|bucket| bucket.level),
            booked: bucket.map(|bucket| bucket.debt),
            adaptive_rate: adaptive_rate.map(|adaptive| parts.adaptive_rate.snapshot(&adaptive, now)),
            throttle: throttle.map(|throttle| parts.throttle.snapshot(&throttle, now)),
            retry_budget: retry_budget.map(|budget| parts.retry_budget.snapshot(&budget, now)),
        }
    }
}
