//! Who may call what in a registry: decided before anything else, and a call that is denied touches nothing.

mod support;

use fusebox::*;
use serde_json::{Value, json};
use support::*;

/// `read` and `write` with capabilities, `ping` with none but its name.
fn registry(rules: Value) -> Registry {
    let registry = unlimited_registry();
    let config = json!({
        "tools": {
            "read": { "capabilities": ["fs.read"], "aliases": ["cat"] },
            "write": { "capabilities": ["fs.read", "fs.write"] },
        },
        "rules": rules,
    });
    registry.apply(&registry_config(config)).expect("in range");
    for name in ["ping", "read", "write"] {
        registry.register(name, sleeper()).expect("the name is free");
    }
    registry
}

fn rule(role: &str, capability: &str, decision: &str) -> Value {
    json!({ "role": role, "capability": capability, "decision": decision })
}

/// How a call ends: `ok`, or the kind of its error.
async fn call(registry: &Registry, role: Option<&str>, name: &str, approved: bool) -> String {
    let options = CallOptions { role: role.map(Into::into), approved, ..CallOptions::default() };
    match registry.run(name, &json!(0), &options).await.error {
        None => "ok".to_owned(),
        Some(error) => serde_json::to_value(error.kind).unwrap().as_str().unwrap().to_owned(),
    }
}

#[tokio::test(start_paused = true)]
async fn rules_decide_by_role_and_by_all_that_a_tool_can_do() {
    let registry = registry(json!([
        rule("admin", "*", "allow"),
        rule("*", "fs.write", "needs_approval"),
        rule("intern", "fs.*", "allow"),
        rule("guest", "ping", "allow"),
        rule("guest", "fs.read", "deny"),
    ]));
    let table = [
        // role, and what follows for ping, read and write
        (Some("admin"), ["ok", "ok", "ok"]),
        (Some("intern"), ["denied", "ok", "needs_approval"]),
        (Some("guest"), ["ok", "denied", "denied"]),
        (Some("Admin"), ["denied", "denied", "denied"]),
        (None, ["denied", "denied", "denied"]),
    ];
    for (role, expected) in table {
        for (name, expected) in ["ping", "read", "write"].into_iter().zip(expected) {
            assert_eq!(call(&registry, role, name, false).await, expected, "{role:?} {name}");
            let approved = if expected == "needs_approval" { "ok" } else { expected };
            assert_eq!(call(&registry, role, name, true).await, approved, "{role:?} {name}, approved");
        }
    }
    assert_eq!(call(&registry, Some("intern"), "cat", false).await, "ok", "by another name");
    assert_eq!(call(&registry, Some("guest"), "cat", false).await, "denied");
}

#[tokio::test(start_paused = true)]
async fn without_rules_everybody_may_call_everything_and_with_rules_nobody_what_none_speaks_of() {
    let open = registry(json!([]));
    assert_eq!(call(&open, None, "write", false).await, "ok");
    let closed = registry(json!([rule("admin", "nothing", "allow")]));
    for name in ["ping", "read", "write"] {
        assert_eq!(call(&closed, Some("admin"), name, true).await, "denied");
    }
    let error = closed.call("ping", &json!(0)).await.unwrap_err();
    assert_eq!(error.to_string(), r#"the capability "ping" is denied: no rule allows it"#);
    assert_eq!(error.category(), ErrorCategory::PermissionDenied);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_denied_touches_nothing() {
    let registry = unlimited_registry();
    let limits =
        json!({ "rate": { "enabled": true, "limit": "1/day", "burst": 2 }, "bulkhead": { "max_in_flight": 1 } });
    let mut policy = limits.clone();
    policy["breaker"] = json!({ "consecutive_failures": 1 });
    policy["categories"] = json!({ "PermissionDenied": { "trips": true, "retry": true } });
    let config = json!({
        "limits": limits, "groups": { "web": limits },
        "tools": { "t": { "groups": ["web"], "policy": policy } },
        "rules": [rule("*", "t", "needs_approval")],
    });
    registry.apply(&registry_config(config)).expect("in range");
    let handle = registry.register("t", sleeper()).expect("the name is free");
    let before = state_of(&registry);
    for _ in 0..5 {
        let execution = handle.execute(&json!(0), &CallOptions::default()).await;
        assert!(matches!(execution.result, Err(CallError::NeedsApproval(_))), "{execution:?}");
        assert_eq!((execution.attempts, execution.stopped), (0, Some(Stopped::NotRetryable)));
    }
    assert_eq!(state_of(&registry), before);
    let snapshot = handle.snapshot();
    assert_eq!((snapshot.counters.denied, snapshot.counters.attempts), (5, 0));
    assert_eq!(snapshot.breaker.map(|breaker| breaker.failures), Some(0));
    assert_balanced(&snapshot.counters, 0);
    assert_eq!(call(&registry, None, "t", true).await, "ok");
}

#[tokio::test(start_paused = true)]
async fn who_asks_is_shown_what_is_not_denied_to_them() {
    let registry = registry(json!([
        rule("admin", "*", "allow"),
        rule("intern", "fs.write", "needs_approval"),
        rule("intern", "fs.*", "allow"),
    ]));
    assert_eq!(registry.available_to(Some("admin")).names(), ["ping", "read", "write"]);
    assert_eq!(registry.available_to(Some("intern")).names(), ["read", "write"], "with approval is not denied");
    assert_eq!(registry.available_to(None), AvailableTools::default());
    assert_eq!(registry.available().names(), ["ping", "read", "write"]);
    registry.handle("read").unwrap().force(Forced::Open);
    let tools = registry.available_to(Some("intern"));
    assert_eq!((tools.names(), tools.unavailable.len()), (vec!["write"], 1));
    registry.handle("read").unwrap().reset();

    registry.apply(&RegistryConfig::default()).expect("in range");
    assert_eq!(registry.available_to(None).names(), ["ping", "read", "write"], "there are no rules any more");
    registry.register("new", sleeper()).expect("the name is free");
    assert_eq!(call(&registry, None, "new", false).await, "ok");
}
