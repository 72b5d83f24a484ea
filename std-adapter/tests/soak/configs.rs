//! The configurations that an operator applies, good and bad ones, and what goes wrong in the tools.

use core::time::Duration;
use fastrand::Rng;
use fusebox::testing::{Fault, Faults};
use fusebox::{ErrorCategory, RegistryConfig};
use serde_json::{Value, json};

pub(crate) const MAX_KEYS: usize = 8;

/// Tools whose calls never wait, so that nothing is booked.
pub(crate) const WITHOUT_WAIT: [&str; 2] = ["order", "plan"];

/// The most retries saved up in any budget.
pub(crate) const RETRIES: f64 = 20.0;

/// More hosts than keys are remembered.
pub(crate) const HOSTS: [&str; 24] = [
    "a.example",
    "b.example",
    "c.example",
    "d.example",
    "e.example",
    "f.example",
    "g.example",
    "h.example",
    "i.example",
    "j.example",
    "k.example",
    "l.example",
    "m.example",
    "n.example",
    "o.example",
    "p.example",
    "q.example",
    "r.example",
    "s.example",
    "t.example",
    "u.example",
    "v.example",
    "w.example",
    "x.example",
];

/// A configuration that uses everything.
pub(crate) fn good(rng: &mut Rng) -> RegistryConfig {
    read(some(rng))
}

/// The one for the end, under which a breaker closes with its first good call.
pub(crate) fn calm(rng: &mut Rng) -> RegistryConfig {
    let mut config = some(rng);
    config["defaults"]["breaker"]["required_successes"] = json!(1);
    config["defaults"]["breaker"]["probes"] = json!(1);
    config["tools"]["guest"] =
        json!({ "policy": { "rate": { "limit": "5/s", "burst": 10 }, "bulkhead": { "max_in_flight": 3 } } });
    read(config)
}

/// A configuration with one fault somewhere.
pub(crate) fn bad(rng: &mut Rng) -> RegistryConfig {
    let mut config = some(rng);
    match rng.u8(..7) {
        0 => config["limits"]["rate"]["burst"] = json!(0),
        1 => config["groups"]["web"]["bulkhead"]["max_in_flight"] = json!(0),
        2 => config["tools"]["search"]["fallback"] = json!("fetch"),
        3 => config["tools"]["embed"]["groups"] = json!(["nobody"]),
        4 => config["tools"]["order"]["aliases"] = json!(["find"]),
        // a tool that only the program knows of
        5 => config["tools"]["order"]["aliases"] = json!(["guest"]),
        _ => config["tools"]["plan"]["policy"]["timeout"] = json!("0s"),
    }
    read(config)
}

fn some(rng: &mut Rng) -> Value {
    let mut scaled = |base: u64| {
        let scaled = base * rng.u64(50..=150) / 100;
        scaled.max(1)
    };
    let per_second = |rate: u64| format!("{rate}/s");
    let mut config = json!({
        "limits": { "rate": { "limit": per_second(scaled(30)), "burst": scaled(60) }, "bulkhead": { "max_in_flight": scaled(24) } },
        "defaults": {
            "timeout": "2s",
            "max_wait": "100ms",
            "backoff": { "base": "50ms", "cap": "5s" },
            "retry_budget": { "share": 0.1, "per_second": 0.5, "burst": RETRIES },
            "breaker": { "consecutive_failures": 5, "open_wait": "2s", "open_wait_max": "30s", "probes": 2, "required_successes": 2 },
            "rate": { "limit": per_second(scaled(10)), "burst": scaled(20) },
            "bulkhead": { "max_in_flight": scaled(10) },
        },
        "groups": {
            "web": { "rate": { "limit": per_second(scaled(14)), "burst": scaled(30) }, "bulkhead": { "max_in_flight": scaled(12) } },
            "gpu": { "rate": { "limit": per_second(scaled(4)), "burst": scaled(8) }, "bulkhead": { "max_in_flight": scaled(6) } },
        },
        "tools": {
            "search": {
                "aliases": ["find"], "groups": ["web"], "fallback": "cache", "capabilities": ["web.search"],
                "policy": {
                    "breaker": { "window": { "calls": 40 }, "minimum_calls": 10, "failure_rate": 0.6, "slow_call_rate": 0.9, "slow_call_duration": "1s" },
                    "priorities": { "low": { "reserve": 0.4 }, "normal": { "reserve": 0.2 } },
                },
            },
            "fetch": {
                "groups": ["web"], "fallback": "search", "capabilities": ["web.fetch"],
                "keyed": { "max_keys": MAX_KEYS, "rate": { "limit": "4/s", "burst": 12 }, "bulkhead": { "max_in_flight": 1 } },
                "policy": { "max_wait": "500ms", "rate": { "limit": per_second(scaled(4)), "burst": scaled(8) }, "breaker": { "window": { "span": "1m" }, "minimum_calls": 6 } },
            },
            "embed": {
                "groups": ["gpu"],
                "policy": {
                    "max_wait": "2s",
                    "rate": { "limit": per_second(scaled(3)), "burst": scaled(6), "adaptive": { "floor": 0.5, "max_pause": "10s" } },
                    "bulkhead": { "max_in_flight": scaled(8), "adaptive": { "min": 1, "initial": 1, "slow_after": "1s" } },
                    "breaker": { "consecutive_failures": 40 },
                    "throttle": { "ratio": 1.5, "padding": 4 },
                },
            },
            "order": { "capabilities": ["shop.order"], "policy": { "idempotent": false, "max_wait": "0s", "deadline": "5s", "max_retries": 3 } },
            "stream": { "groups": ["gpu", "web"], "policy": { "timeout": "5s", "idle_timeout": "500ms" } },
            "plan": { "policy": { "max_wait": "0s", "timeout": "6s", "deadline": "10s", "max_retries": 1 } },
            "cache": { "max_output": "2 KiB", "policy": { "max_wait": "1s" } },
        },
        "rules": [
            { "role": "guest", "capability": "shop.*", "decision": "deny" },
            { "role": "intern", "capability": "shop.*", "decision": "needs_approval" },
            { "role": "*", "capability": "*", "decision": "allow" },
        ],
    });
    if rng.bool() {
        config["tools"]["search"]["policy"]["hedge"] = json!({ "percentile": 95, "min_samples": 50 });
    }
    if rng.bool() {
        config["tools"]["fetch"]["policy"]["hedge"] = json!({ "delay": "150ms", "max": 2 });
    }
    if rng.u8(..4) == 0 {
        config["tools"]["search"]["policy"]["breaker"]["window"] = json!({ "span": "30s", "slots": 6 });
    }
    if rng.u8(..4) == 0 {
        config["tools"]["plan"]["policy"]["nested_retries"] = json!(true);
        config["defaults"]["nested_retries"] = json!(true);
    }
    #[cfg(feature = "json-schema")]
    {
        config["tools"]["order"]["args"] =
            json!({ "type": "object", "properties": { "amount": { "type": "integer" } } });
        config["tools"]["embed"]["result"] = json!({ "type": "object" });
    }
    config
}

/// What goes wrong in a tool: always a little, and in an outage, which has not begun.
pub(crate) fn faults(name: &str, rng: &mut Rng) -> [Faults; 2] {
    let ms = Duration::from_millis;
    let always = [
        (0.03, Fault::Error(ErrorCategory::Network)),
        (0.01, Fault::Error(ErrorCategory::ResourceNotFound)),
        (0.01, Fault::Busy(ErrorCategory::RateLimit, ms(400))),
        (0.002, Fault::Busy(ErrorCategory::ServiceUnavailable, ms(20_000))),
        (0.01, Fault::AnswerLost(ErrorCategory::ExecutionError)),
        (0.005, Fault::Hang),
        (0.005, Fault::Panic),
        (0.02, Fault::Slow(ms(900))),
    ];
    let outage = [
        (0.5, Fault::Error(ErrorCategory::ServiceUnavailable)),
        (0.2, Fault::Busy(ErrorCategory::RateLimit, ms(1_500))),
        (0.1, Fault::Hang),
        (0.1, Fault::AnswerLost(ErrorCategory::Network)),
    ];
    let always = Faults::random(rng.u64(..), always).and_then(|faults| faults.with_latency(ms(5)..=ms(latency(name))));
    let outage = Faults::random(rng.u64(..), outage).expect("shares");
    outage.stop();
    [always.expect("shares"), outage]
}

fn latency(name: &str) -> u64 {
    match name {
        "cache" => 10,
        "embed" => 800,
        "fetch" => 500,
        _ => 200,
    }
}

fn read(config: Value) -> RegistryConfig {
    serde_json::from_value(config).expect("a configuration that can be read")
}
