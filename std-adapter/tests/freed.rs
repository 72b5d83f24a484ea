//! What a registry holds is freed with it, and a tool's own once nobody calls it any more.

mod support;

use core::time::Duration;
use fusebox::*;
use serde_json::{Value, json};
use std::sync::Arc;
use support::*;

/// A clock of which every part of a registry has a copy, and a count of those.
#[derive(Clone, Debug)]
struct Counted {
    clock: TokioClock,
    #[allow(dead_code, reason = "it is counted, not read")]
    copies: Arc<()>,
}

impl Clock for Counted {
    fn now(&self) -> Instant {
        self.clock.now()
    }
}

impl Sleep for Counted {
    type Delay = tokio::time::Sleep;

    fn sleep(&self, span: Duration) -> Self::Delay {
        self.clock.sleep(span)
    }
}

/// A tool that holds something, runs for as many milliseconds as its argument says, and fails where it is text.
fn holding(held: &Arc<()>) -> impl Tool {
    let held = Arc::clone(held);
    move |args: Value| {
        let held = Arc::clone(&held);
        async move {
            if let Some(millis) = args.as_u64() {
                tokio::time::sleep(ms(millis)).await;
            }
            drop(held);
            if args.is_string() { Err(error(ErrorCategory::Network)) } else { Ok(args) }
        }
    }
}

/// All that there is: limits, groups, aliases, a fallback, keyed circuits.
fn everything() -> RegistryConfig {
    let limits = json!({ "rate": { "limit": "10/s" }, "bulkhead": { "max_in_flight": 10 } });
    registry_config(json!({
        "limits": limits, "groups": { "web": limits },
        "defaults": { "max_wait": "1h" },
        "tools": {
            "a": { "aliases": ["alpha"], "groups": ["web"], "fallback": "b" },
            "b": { "groups": ["web"], "keyed": {} },
        },
    }))
}

#[tokio::test(start_paused = true)]
async fn a_registry_is_freed_with_its_last_handle() {
    let (copies, held) = (Arc::new(()), Arc::new(()));
    let clock = Counted { clock: TokioClock::new(), copies: Arc::clone(&copies) };
    let registry = Registry::with_clock(config(json!({ "max_retries": 1 })), clock).expect("in range");
    let mut events = registry.subscribe(1);
    registry.register("a", holding(&held)).expect("the name is free");
    registry.register("b", holding(&held)).expect("the name is free");
    registry.apply(&everything()).expect("in range");
    registry.call("alpha", &json!(7)).await.expect("it succeeds");
    registry.call("a", &json!("fail")).await.expect_err("its fallback fails too");
    registry.apply(&everything()).expect("in range");
    registry.restore(&registry.state(), Duration::ZERO);
    registry.call("a", &json!(7)).await.expect("it succeeds");
    let handle = registry.handle("alpha").expect("it is there");
    let args = json!(100);
    let mut dropped = Box::pin(handle.call(&args));
    assert!(poll_once(dropped.as_mut()).is_pending());
    drop(dropped);

    let clone = registry.clone();
    drop(registry);
    drop(clone);
    handle.call(&json!(7)).await.expect("a handle keeps the registry");
    assert!(Arc::strong_count(&copies) > 1 && Arc::strong_count(&held) > 1);
    drop(handle);
    assert_eq!((Arc::strong_count(&copies), Arc::strong_count(&held)), (1, 1), "all of it is freed");
    while let Some(event) = events.next().await {
        drop(event); // the stream ends, since nobody is left to tell anything
    }
}

#[tokio::test(start_paused = true)]
async fn a_tool_that_was_replaced_is_freed_once_its_calls_have_ended() {
    let (old, new) = (Arc::new(()), Arc::new(()));
    let registry = unlimited_registry();
    let handle = registry.register("a", holding(&old)).expect("the name is free");
    let (args, mut calls) = (json!(100), Vec::new());
    for _ in 0..2 {
        calls.push(Box::pin(handle.call(&args)));
    }
    for call in &mut calls {
        assert!(poll_once(call.as_mut()).is_pending());
    }
    registry.replace("a", holding(&new), ToolConfig::default()).expect("in range");
    assert!(Arc::strong_count(&old) > 1, "its calls are under way");
    calls.pop().expect("there are two").await.expect("it succeeds");
    drop(calls);
    assert_eq!(Arc::strong_count(&old), 1);

    for _ in 0..100 {
        registry.replace("a", holding(&new), ToolConfig::default()).expect("in range");
        registry.apply(&everything()).expect("in range");
        handle.call(&json!(1)).await.expect("it succeeds");
    }
    assert_eq!(Arc::strong_count(&new), 2, "of a hundred the last one is left");
}

#[tokio::test(start_paused = true)]
async fn a_tool_that_was_removed_is_freed_with_its_last_handle() {
    let held = Arc::new(());
    let registry = unlimited_registry();
    registry.apply(&everything()).expect("in range");
    for name in ["a", "b"] {
        let handle = registry.register(name, holding(&held)).expect("the name is free");
        registry.call(name, &json!(1)).await.expect("it succeeds");
        assert!(registry.remove(name));
        assert!(handle.snapshot().counters.calls > 0);
        drop(handle);
        assert_eq!(Arc::strong_count(&held), 1, "{name}");
    }
}
