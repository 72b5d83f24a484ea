//! Another policy for services that are in use: what they hold and know is kept, and who waits looks again.

use crate::support::*;
use core::sync::atomic::Ordering;
use core::time::Duration;
use fusebox::config::BreakerConfig;
use fusebox::tower::{BreakerLayer, CircuitLayer, PolicyLayer, ServiceCircuit, WhenRefused};
use fusebox::{ErrorCategory, EventKind, Forced, Part};
use fusebox_core::{State, Tokens};
use serde_json::json;
use tokio::time::Instant;
use tower::{Layer, Service, ServiceExt};

#[tokio::test(start_paused = true)]
async fn an_open_breaker_stays_open_a_bucket_keeps_its_level_and_calls_in_flight_count() {
    let backend = Backend::default();
    let config = json!({
        "breaker": { "consecutive_failures": 1 }, "rate": { "limit": "1/day", "burst": 10 },
        "bulkhead": { "max_in_flight": 4 },
    });
    let service = CircuitLayer::new(&only(config)).unwrap().when_refused(WhenRefused::Reject).layer(backend.client());
    let circuit = service.circuit();
    let mut callers = [(); 5].map(|()| service.clone());
    let calls = callers.each_mut().map(|caller| {
        make_ready(caller);
        Box::pin(caller.call(0))
    });
    let [failing, _in_flight @ .., refused] = calls;
    assert_eq!(refused.await.unwrap_err().refusal().unwrap().by, Part::Bulkhead);
    backend.answer(Err(error(ErrorCategory::Network)));
    assert!(failing.await.is_err());

    let changed = only(json!({
        "breaker": { "consecutive_failures": 9 }, "rate": { "limit": "1/day", "burst": 100 },
        "bulkhead": { "max_in_flight": 2 },
    }));
    circuit.change_policy(&changed).unwrap();
    let snapshot = circuit.snapshot();
    assert_eq!(snapshot.breaker.unwrap().state, State::Open);
    assert_eq!((snapshot.tokens, snapshot.in_flight, snapshot.limit), (Some(Tokens::whole(60)), 3, Some(2)));
    assert_eq!(circuit.policy().effective().bulkhead.max_in_flight, Some(2));
    circuit.reset();
    assert_eq!(service.oneshot(0).await.unwrap_err().refusal().unwrap().by, Part::Bulkhead);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_waits_looks_again_at_once_whatever_it_waits_for() {
    type Case = (serde_json::Value, serde_json::Value);
    let cases: [Case; 2] = [
        (json!({ "rate": { "limit": "1/day", "burst": 1 } }), json!({ "rate": { "limit": "1000/s", "burst": 1 } })),
        (json!({ "bulkhead": { "max_in_flight": 1 } }), json!({ "bulkhead": { "max_in_flight": 3 } })),
    ];
    for (before, after) in cases {
        let backend = Backend::default();
        let service = CircuitLayer::new(&only(before)).unwrap().layer(backend.client());
        let mut callers = [(); 3].map(|()| service.clone());
        let [holder, waiting @ ..] = &mut callers;
        make_ready(holder);
        let _call = holder.call(0);
        let tasks = [(); 2].map(|()| Task::new());
        for (task, waiting) in tasks.iter().zip(&mut *waiting) {
            assert!(task.poll_ready(waiting).is_pending());
        }
        service.circuit().change_policy(&only(after)).unwrap();
        assert_eq!(tasks.each_ref().map(|task| task.was_woken()), [true; 2]);
        let begun = Instant::now();
        for waiting in waiting {
            patiently(waiting.ready()).await.unwrap();
            drop(waiting.call(0));
        }
        assert!(begun.elapsed() < ms(10));
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_waits_for_a_time_looks_again_when_the_breaker_is_reset() {
    let config = only(json!({ "breaker": { "consecutive_failures": 1, "open_wait": "1m" } }));
    let helps: [fn(&ServiceCircuit); 2] = [ServiceCircuit::reset, |circuit| circuit.force(Forced::Closed)];
    for help in helps {
        let ((client, _), task) = (scripted(&[Err(ErrorCategory::Network)]), Task::new());
        let mut service = CircuitLayer::new(&config).unwrap().when_refused(WhenRefused::Wait).layer(client);
        assert!(service.clone().oneshot(0).await.is_err());
        assert!(task.poll_ready(&mut service).is_pending());
        help(service.circuit());
        assert!(task.was_woken());
        assert!(task.poll_ready(&mut service).is_ready());
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_in_flight_is_settled_under_the_new_policy_and_leaves_parts_that_are_gone() {
    let backend = Backend::default();
    let before = only(json!({ "breaker": {}, "bulkhead": { "max_in_flight": 1 } }));
    let mut service = CircuitLayer::new(&before).unwrap().layer(backend.client());
    let circuit = service.circuit().clone();
    make_ready(&mut service);
    let call = service.call(0);
    circuit.change_policy(&only(json!({ "breaker": {}, "categories": { "Network": { "trips": false } } }))).unwrap();
    backend.answer(Err(error(ErrorCategory::Network)));
    assert!(call.await.is_err());
    assert_eq!(circuit.snapshot().breaker.unwrap().failures, 0);
    circuit.change_policy(&before).unwrap();
    assert_eq!(circuit.snapshot().in_flight, 0);
}

#[tokio::test(start_paused = true)]
async fn what_a_ready_service_holds_is_used_or_given_back_after_a_change() {
    let backend = Backend::default();
    let before = only(json!({ "bulkhead": { "max_in_flight": 1 } }));
    for after in [json!({ "bulkhead": { "max_in_flight": 2 } }), json!({ "breaker": {} }), json!({})] {
        let mut service = CircuitLayer::new(&before).unwrap().layer(backend.client());
        let circuit = service.circuit().clone();
        make_ready(&mut service);
        circuit.change_policy(&only(after)).unwrap();
        let call = service.call(0);
        backend.answer(Ok("done"));
        assert_eq!(call.await.unwrap(), "done");
        circuit.change_policy(&before).unwrap();
        assert_eq!(circuit.snapshot().in_flight, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_whole_policy_changes_its_timeouts_and_its_retries_too() {
    let backend = Backend::default();
    let (timeout, begun) = (|json| only(json), Instant::now());
    let service = PolicyLayer::new(&timeout(json!({ "timeout": "1s", "max_retries": 0 }))).unwrap();
    let service = service.layer(backend.client());
    assert!(service.clone().oneshot(0).await.is_err());
    assert_eq!((begun.elapsed(), backend.begun()), (ms(1_000), 1));
    assert!(service.retry_budget().is_none());

    let changed = only(json!({
        "timeout": "3s", "deadline": "10s", "max_retries": 9, "retry_budget": { "share": 0.5, "per_second": 1.0 }
    }));
    service.circuit().change_policy(&changed).unwrap();
    let begun = Instant::now();
    let error = service.clone().oneshot(0).await.unwrap_err();
    assert!(matches!(error, fusebox::CallError::DeadlineExceeded { .. }), "{error}");
    assert_eq!((begun.elapsed(), backend.begun()), (ms(10_000), 1 + 4));
    assert!(service.retry_budget().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_waits_is_the_last_where_the_new_policy_has_no_more() {
    let (client, calls) = scripted(&[Err(ErrorCategory::Network)]);
    let config = json!({ "max_retries": 5, "backoff": { "base": "1s", "cap": "1s", "jitter": "none" } });
    let service = PolicyLayer::new(&only(config)).unwrap().layer(client);
    let mut call = Box::pin(service.clone().oneshot(0));
    assert!(poll_once(&mut call).is_pending());
    service.circuit().change_policy(&only(json!({ "max_retries": 1 }))).unwrap();
    assert!(patiently(call).await.is_err());
    assert_eq!(calls.load(Ordering::Relaxed), 2);
}

#[tokio::test(start_paused = true)]
async fn the_longest_wait_is_that_of_the_policy_unless_the_layer_was_given_one() {
    let slot = |max_wait: &str| only(json!({ "bulkhead": { "max_in_flight": 1 }, "max_wait": max_wait }));
    let layer = CircuitLayer::new(&slot("1s")).unwrap();
    for (layer, expected) in [(layer.clone(), 5_000), (layer.max_wait(ms(200)), 200)] {
        let backend = Backend::default();
        let mut service = layer.layer(backend.client());
        let mut holder = service.clone();
        make_ready(&mut holder);
        service.circuit().change_policy(&slot("5s")).unwrap();
        let begun = Instant::now();
        assert!(patiently(service.ready()).await.unwrap().call(0).await.is_err());
        assert_eq!(begun.elapsed(), ms(expected));
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_allowed_changes_nothing_and_what_is_allowed_is_told() {
    let service = CircuitLayer::new(&only(json!({ "breaker": {} }))).unwrap().named("pages");
    let service = service.layer(Backend::default().client());
    let (circuit, before) = (service.circuit(), service.circuit().policy());
    let mut events = circuit.subscribe(8);
    for wrong in [json!({ "breaker": { "probes": 99 } }), json!({ "hedge": { "delay": "1s" } })] {
        assert!(circuit.change_policy(&config(wrong)).is_err());
        assert_eq!(circuit.policy(), before);
    }
    circuit.change_policy(&only(json!({}))).unwrap();
    let event = events.next().await.unwrap().unwrap();
    assert_eq!((event.tool.as_deref(), event.kind), (Some("pages"), EventKind::PolicyChanged));
    assert!(circuit.snapshot().breaker.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_layer_of_one_part_gets_another_only_where_the_configuration_speaks_of_it() {
    let layer = BreakerLayer::new(&BreakerConfig::default()).unwrap().shared();
    let circuit = layer.circuit().unwrap();
    circuit.change_policy(&config(json!({ "breaker": { "consecutive_failures": 9 } }))).unwrap();
    assert_eq!(circuit.policy().effective().breaker.consecutive_failures, Some(9));
    assert_eq!(circuit.snapshot().tokens, None);
    circuit.change_policy(&config(json!({ "rate": { "limit": "1/s", "burst": 7 } }))).unwrap();
    assert_eq!(circuit.snapshot().tokens, Some(Tokens::whole(7)));
    assert!(circuit.snapshot().breaker.is_some());
    tokio::time::advance(Duration::from_secs(1)).await;
}
