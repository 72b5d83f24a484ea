//! A request is made again where that can help and does no harm, and within the budget.

use crate::support::*;
use core::sync::atomic::{AtomicUsize, Ordering};
use fusebox::tower::{CircuitLayer, HttpStatus, RepeatAny, RepeatHttp, RepeatRequest, RetryLayer, WhenRefused};
use fusebox::{CallError, ErrorCategory, RetryHint, ToolError};
use fusebox_core::Tokens;
use http::{Method, Request, Response};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::time::Instant;
use tower::{Layer, Service, ServiceExt};

fn layer(json: Value) -> RetryLayer {
    RetryLayer::new(&only(json)).unwrap()
}

/// A client that always fails in the way of `error`, and the number of its calls.
fn failing<F>(error: F) -> (impl Service<u32, Response = (), Error = ToolError> + Clone, Arc<AtomicUsize>)
where
    F: Fn() -> ToolError + Clone,
{
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let client = tower::service_fn(move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
        core::future::ready(Err(error()))
    });
    (client, calls)
}

#[tokio::test(start_paused = true)]
async fn a_request_is_repeated_until_it_succeeds_or_no_retry_is_left() {
    let (client, calls) = scripted(&[Err(ErrorCategory::Network), Err(ErrorCategory::Timeout), Ok("done")]);
    assert_eq!(layer(json!({ "max_retries": 2 })).layer(client).oneshot(0).await.unwrap(), "done");
    assert_eq!(calls.load(Ordering::Relaxed), 3);

    for max in [0, 1, 3] {
        let (client, calls) = scripted(&[Err(ErrorCategory::Network)]);
        assert!(layer(json!({ "max_retries": max })).layer(client).oneshot(0).await.is_err());
        assert_eq!(calls.load(Ordering::Relaxed), max + 1);
    }
}

#[tokio::test(start_paused = true)]
async fn the_backoff_grows_and_a_service_that_asks_for_more_gets_it() {
    let backoff = json!({ "max_retries": 3, "backoff": { "base": "100ms", "cap": "10s", "jitter": "none" } });
    for (asked, expected) in [(None, 100 + 200 + 400), (Some(ms(300)), 300 + 300 + 400)] {
        let (client, _) = failing(move || match asked {
            Some(asked) => error(ErrorCategory::RateLimit).with_retry_after(asked),
            None => error(ErrorCategory::RateLimit),
        });
        let begun = Instant::now();
        assert!(layer(backoff.clone()).layer(client).oneshot(0).await.is_err());
        assert_eq!(begun.elapsed(), ms(expected));
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_help_or_may_do_harm_is_not_repeated() {
    let network = || error(ErrorCategory::Network);
    type Case = (&'static str, Value, fn() -> ToolError, usize);
    let cases: [Case; 6] = [
        ("its category is not retried", json!({}), || error(ErrorCategory::InvalidParameters), 1),
        ("it says so", json!({}), || error(ErrorCategory::Network).with_retry_hint(RetryHint::Never), 1),
        (
            "more than the cap is asked for",
            json!({ "backoff": { "base": "0s", "cap": "1s" } }),
            || error(ErrorCategory::RateLimit).with_retry_after(ms(1_001)),
            1,
        ),
        (
            "the cap is asked for",
            json!({ "backoff": { "base": "0s", "cap": "1s" } }),
            || error(ErrorCategory::RateLimit).with_retry_after(ms(1_000)),
            3,
        ),
        ("it is not idempotent", json!({ "idempotent": false }), || error(ErrorCategory::Network), 1),
        (
            "it is not idempotent, but nothing was done",
            json!({ "idempotent": false }),
            || error(ErrorCategory::Network).with_retry_hint(RetryHint::NothingDone),
            3,
        ),
    ];
    for (name, config, error, attempts) in cases {
        let (client, calls) = failing(error);
        assert!(layer(config).layer(client).oneshot(0).await.is_err());
        assert_eq!(calls.load(Ordering::Relaxed), attempts, "{name}");
    }

    #[derive(Clone)]
    struct Once;
    impl RepeatRequest<u32> for Once {
        fn is_idempotent(&self, _: &u32) -> bool {
            true
        }
        fn copy(&self, _: &u32) -> Option<u32> {
            None
        }
    }
    let (client, calls) = failing(network);
    assert!(layer(json!({})).repeated_by(Once).layer(client).oneshot(0).await.is_err());
    assert_eq!(calls.load(Ordering::Relaxed), 1, "it cannot be copied");
}

#[tokio::test(start_paused = true)]
async fn clones_share_the_retry_budget() {
    let (client, calls) = scripted(&[Err(ErrorCategory::Network)]);
    let budget = json!({ "retry_budget": { "share": 0.5, "per_second": 0.0 } });
    let service = layer(budget).layer(client.clone());
    // each call earns half a retry
    for (call, attempts) in [(1, 1), (2, 3), (3, 4), (4, 6)] {
        assert!(service.clone().oneshot(0).await.is_err());
        assert_eq!(calls.load(Ordering::Relaxed), attempts, "after call {call}");
    }
    assert_eq!(service.retry_budget().unwrap().balance, Tokens::ZERO);
}

#[tokio::test(start_paused = true)]
async fn services_share_the_retry_budget_of_a_shared_layer_only() {
    let budget = json!({ "retry_budget": { "share": 0.5, "per_second": 0.0 } });
    for (layer, attempts) in [(layer(budget.clone()), 2), (layer(budget).shared(), 3)] {
        let (client, calls) = scripted(&[Err(ErrorCategory::Network)]);
        for service in [layer.layer(client.clone()), layer.layer(client)] {
            assert!(service.oneshot(0).await.is_err());
        }
        assert_eq!(calls.load(Ordering::Relaxed), attempts);
    }
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_is_dropped_before_it_is_made_goes_back_to_the_budget() {
    let (client, calls) = scripted(&[Err(ErrorCategory::Network)]);
    let config = json!({
        "retry_budget": { "share": 1.0, "per_second": 0.0 }, "backoff": { "base": "1s", "jitter": "none" }
    });
    let service = layer(config).layer(client);
    let balance = || service.retry_budget().unwrap().balance;
    let mut call = Box::pin(service.clone().oneshot(0));
    assert!(poll_once(&mut call).is_pending());
    assert_eq!((balance(), calls.load(Ordering::Relaxed)), (Tokens::ZERO, 1));
    drop(call);
    assert_eq!(balance(), Tokens::ONE);

    let mut call = Box::pin(service.clone().oneshot(0));
    assert!(poll_once(&mut call).is_pending());
    tokio::time::advance(ms(1_000)).await;
    assert!(poll_once(&mut call).is_pending(), "it waits for its second retry");
    assert_eq!((balance(), calls.load(Ordering::Relaxed)), (Tokens::ZERO, 3));
    drop(call);
    assert_eq!(balance(), Tokens::ONE, "the retry that was made stays spent");
}

#[tokio::test(start_paused = true)]
async fn http_requests_are_repeated_by_method_or_key_and_answers_by_status() {
    let post = || Request::builder().method(Method::POST);
    let cases = [
        (Request::builder(), 503, 3),
        (Request::builder(), 404, 1),
        (Request::builder(), 429, 3),
        (post(), 503, 1),
        (post().header("Idempotency-Key", "order-17"), 503, 3),
    ];
    for (request, status, attempts) in cases {
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&calls);
        let client = tower::service_fn(move |request: Request<&'static str>| {
            counted.fetch_add(1, Ordering::Relaxed);
            assert_eq!(*request.body(), "body");
            core::future::ready(Response::builder().status(status).body(()))
        });
        let layer = layer(json!({})).repeated_by(RepeatHttp).judged_by(HttpStatus::new());
        let answer = layer.layer(client).oneshot(request.body("body").unwrap()).await.unwrap();
        assert_eq!(answer.status(), status, "the last answer is passed on");
        assert_eq!(calls.load(Ordering::Relaxed), attempts, "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_not_repeated_and_does_not_hide_the_error_before_it() {
    let (client, calls) = scripted(&[Err(ErrorCategory::Network)]);
    let circuit = CircuitLayer::new(&only(json!({ "breaker": { "consecutive_failures": 1 } }))).unwrap();
    let service = layer(json!({ "max_retries": 5 })).layer(circuit.when_refused(WhenRefused::Reject).layer(client));
    assert!(matches!(service.clone().oneshot(0).await, Err(CallError::Failed(_))), "the retry was refused");
    assert!(matches!(service.clone().oneshot(0).await, Err(CallError::Rejected(_))));
    assert_eq!(calls.load(Ordering::Relaxed), 1);
    assert_eq!(service.get_ref().circuit().snapshot().breaker.unwrap().outstanding, 0);
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_waits_for_its_slot_holds_nothing_when_it_is_dropped() {
    let backend = Backend::default();
    let circuit = CircuitLayer::new(&only(json!({ "bulkhead": { "max_in_flight": 1 } }))).unwrap();
    let service = layer(json!({})).repeated_by(RepeatAny).layer(circuit.layer(backend.client()));
    let in_flight = || service.get_ref().circuit().snapshot().in_flight;

    let mut called = service.clone();
    make_ready(&mut called);
    let mut call = Box::pin(called.call(0));
    let mut other = service.clone();
    let task = Task::new();
    assert!(task.poll_ready(&mut other).is_pending());
    backend.answer(Err(error(ErrorCategory::Network)));
    assert!(poll_once(&mut call).is_pending());
    // the slot was free for a moment, in which the retry took it again
    assert_eq!((in_flight(), backend.begun()), (1, 2));
    drop(call);
    assert_eq!(in_flight(), 0);
    assert!(task.was_woken());
    assert!(task.poll_ready(&mut other).is_ready());
}
