//! Random policies of tools, in which everything takes milliseconds.

use super::subject::Limits;
use fastrand::Rng;
use fusebox::PolicyConfig;
use serde_json::{Value, json};

/// Any policy within these limits. Where they are not pinned, some parts may be missing.
pub(super) fn any_policy(limits: &Limits, rng: &mut Rng) -> PolicyConfig {
    let open_wait = rng.u64(1..6);
    let mut policy = json!({
        "timeout": ms(rng.u64(1..8)),
        "deadline": ms(rng.u64(4..40)),
        "max_wait": ms(if rng.bool() { 0 } else { rng.u64(1..8) }),
        "max_retries": rng.u32(..4),
        "backoff": { "base": ms(rng.u64(..2)), "cap": ms(3) },
        "breaker": {
            "consecutive_failures": rng.u32(1..6),
            "open_wait": ms(open_wait),
            "open_wait_max": ms(8),
            "probes": rng.u8(1..4),
            "required_successes": rng.u8(1..4),
            "probe_lease": ms(rng.u64(10..=open_wait * 32)),
            "cancelled_is_failure": rng.u8(..4) == 0,
        },
        "rate": rate(limits),
        "bulkhead": { "max_in_flight": limits.slots },
        // a timeout always trips: else it would give its tokens back
        "categories": { "RateLimit": { "trips": rng.bool() }, "ResourceExhausted": { "retry": rng.bool() } },
    });
    if !limits.pinned {
        for part in ["breaker", "rate", "bulkhead"] {
            if rng.u8(..4) == 0 {
                policy[part] = json!({ "enabled": false });
            }
        }
    }
    read(policy)
}

/// A policy under which nothing changes any more, within the same limits.
pub(super) fn calm_policy(limits: &Limits) -> PolicyConfig {
    read(json!({
        "breaker": { "open_wait": "1ms", "open_wait_max": "1ms", "probe_lease": "10ms" },
        "rate": rate(limits),
        "bulkhead": { "max_in_flight": limits.slots },
    }))
}

/// A policy under which every call succeeds in the end, if its tool does.
pub(super) fn patient_policy() -> PolicyConfig {
    read(json!({
        "max_wait": "1h",
        // a lease that is not over yet, for probes that lost their breaker and never report
        "breaker": { "open_wait": "10ms", "open_wait_max": "10ms", "probe_lease": "300ms" },
        "rate": { "enabled": false },
        "bulkhead": { "max_in_flight": 1 },
    }))
}

fn rate(limits: &Limits) -> Value {
    json!({ "limit": format!("{}/day", limits.per_day), "burst": limits.burst })
}

fn read(policy: Value) -> PolicyConfig {
    serde_json::from_value(policy).expect("a policy that can be read")
}

fn ms(millis: u64) -> String {
    format!("{millis}ms")
}
