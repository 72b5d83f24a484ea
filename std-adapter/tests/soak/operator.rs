//! The operator, who changes everything while calls are under way; and outages, which come and go.

use super::cast::NAMES;
use super::configs;
use super::stage::Stage;
use core::time::Duration;
use fastrand::Rng;
use fusebox::{EventStream, Forced, Registry, RegistryConfig, RegistryState, ToolConfig};
use futures_util::FutureExt;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::time::{Instant, sleep};

/// Does something every half a minute or so.
pub(crate) async fn operate(stage: Arc<Stage>, mut rng: Rng, until: Instant) {
    while Instant::now() < until {
        sleep(Duration::from_millis(rng.u64(..60_000))).await;
        let tool = NAMES[rng.usize(..NAMES.len())];
        match rng.u8(..12) {
            0 | 1 => apply(&stage, configs::good(&mut rng)),
            2 | 3 => refuse(&stage, &mut rng),
            4 => stage.replace(tool, given(tool, &mut rng)),
            5 => {
                assert!(stage.change(|registry| registry.remove(tool)), "it was there");
                assert!(stage.registry().handle(tool).is_none(), "and is not any more");
                sleep(Duration::from_millis(rng.u64(..3_000))).await;
                stage.register(tool);
            }
            6 | 7 => {
                let handle = stage.handle(tool);
                handle.force(if rng.bool() { Forced::Open } else { Forced::Closed });
                sleep(Duration::from_millis(rng.u64(..20_000))).await;
                handle.reset();
            }
            8 => stage.handle(tool).reset(),
            _ => restore(&stage),
        }
    }
}

/// Outages of minutes.
pub(crate) async fn break_things(stage: Arc<Stage>, mut rng: Rng, until: Instant) {
    for name in NAMES.into_iter().cycle().take_while(|_| Instant::now() < until) {
        let [_, outage] = stage.faults(name);
        outage.resume();
        sleep(Duration::from_secs(rng.u64(10..180))).await;
        outage.stop();
        sleep(Duration::from_secs(rng.u64(..60))).await;
    }
}

/// A subscriber who is too slow misses events, and learns how many.
pub(crate) async fn listen_now_and_then(stage: Arc<Stage>, mut rng: Rng, until: Instant) {
    while Instant::now() < until {
        let (before, mut stream) = (stage.books.events(), stage.registry().subscribe(rng.usize(..50)));
        let mut seen = 0;
        for _ in 0..rng.u8(1..20) {
            sleep(Duration::from_millis(rng.u64(..6_000))).await;
            seen += take(&mut stream);
        }
        assert_eq!(seen, stage.books.events() - before, "events that were neither seen nor counted as missed");
    }
}

pub(crate) fn apply(stage: &Stage, config: RegistryConfig) {
    stage.change(|registry| registry.apply(&config)).expect("it is good");
    let in_force = stage.registry().config();
    assert_eq!((in_force.limits, in_force.groups, in_force.rules), (config.limits, config.groups, config.rules));
}

/// A bad configuration changes nothing.
fn refuse(stage: &Stage, rng: &mut Rng) {
    let (registry, config) = (stage.registry(), configs::bad(rng));
    let before = (registry.config(), registry.state(), registry.snapshot());
    registry.apply(&config).expect_err("it is bad");
    assert_eq!((registry.config(), registry.state(), registry.snapshot()), before);
    let long = ToolConfig { groups: vec!["nobody".to_owned()], ..ToolConfig::default() };
    registry.replace("guest", async |args: Value| Ok(args), long).expect_err("there is no such group");
    assert_eq!((registry.config(), registry.state(), registry.snapshot()), before);
}

/// What a program gives with a tool that it puts in the place of another.
fn given(tool: &str, rng: &mut Rng) -> ToolConfig {
    if tool != "guest" {
        return ToolConfig::default();
    }
    let config = json!({ "policy": {
        "rate": { "limit": format!("{}/s", rng.u64(1..5)), "burst": rng.u64(1..10) },
        "bulkhead": { "max_in_flight": rng.u64(1..5) },
        "max_wait": format!("{}ms", rng.u64(..3_000)),
    } });
    serde_json::from_value(config).expect("it can be read")
}

/// Another registry goes on from the state of this one.
fn restore(stage: &Stage) {
    let registry = stage.registry();
    let state = registry.state();
    let text = serde_json::to_string(&state).expect("it is data");
    let read: RegistryState = serde_json::from_str(&text).expect("it can be read back");
    assert_eq!(read, state);

    let second = Registry::new();
    second.apply(&registry.config()).expect("it is in force");
    second.restore(&read, Duration::ZERO);
    for tool in registry.snapshot() {
        second.register(&tool.name, async |args: Value| Ok(args)).expect("the name is free");
    }
    let as_value = |state: &RegistryState| serde_json::to_value(state).expect("it is data");
    let mut differences = Vec::new();
    compare(&as_value(&state), &as_value(&second.state()), "", &mut differences);
    assert!(differences.is_empty(), "a restored state that is another: {differences:#?}");
}

/// Where two states differ by more than they may: times by a tick of the clock that they are kept by, about a millisecond at
/// most, and a budget that is nearly full by what its floor is about to earn.
fn compare(before: &Value, after: &Value, path: &str, differences: &mut Vec<String>) {
    let least = match path.rsplit('.').next() {
        Some("nanos") => 1 << 20,
        Some("retries") => 5_000,
        _ => 0,
    };
    match (before, after) {
        (Value::Object(one), Value::Object(other)) if one.keys().eq(other.keys()) => {
            for (name, value) in one {
                compare(value, &other[name], &format!("{path}.{name}"), differences);
            }
        }
        _ if before == after => {}
        _ if before.as_u64().zip(after.as_u64()).is_some_and(|(before, after)| before.abs_diff(after) <= least) => {}
        _ => differences.push(format!("{path}: {before} has become {after}")),
    }
}

/// Takes all that is there: how many events were seen or missed.
fn take(stream: &mut EventStream) -> u64 {
    let mut count = 0;
    while let Some(Some(event)) = tokio::task::unconstrained(stream.next()).now_or_never() {
        count += event.map_or_else(|missed| missed.0, |_| 1);
    }
    count
}
