//! The whole order in one layer: deadline, retry, circuit, timeout; each attempt asks and is settled.

use crate::support::*;
use core::sync::atomic::Ordering;
use fusebox::tower::{AnyError, PolicyLayer};
use fusebox::{CallError, ErrorCategory, Part};
use fusebox_core::Tokens;
use serde_json::json;
use tokio::time::Instant;
use tower::{Layer, ServiceExt};

#[tokio::test(start_paused = true)]
async fn each_attempt_asks_the_circuit_and_is_settled() {
    let (client, calls) = scripted(&[Err(ErrorCategory::Network), Err(ErrorCategory::Network), Ok("done")]);
    let config = only(json!({
        "breaker": {}, "rate": { "limit": "1/h", "burst": 10 }, "bulkhead": { "max_in_flight": 1 }, "max_retries": 1
    }));
    let service = PolicyLayer::new(&config).unwrap().layer(client);
    assert!(matches!(service.clone().oneshot(0).await, Err(CallError::Failed(_))));
    let snapshot = service.circuit().snapshot();
    assert_eq!((snapshot.breaker.unwrap().failures, snapshot.tokens), (2, Some(Tokens::whole(8))));
    assert_eq!(service.clone().oneshot(0).await.unwrap(), "done");
    let snapshot = service.circuit().snapshot();
    assert_eq!((snapshot.breaker.unwrap().failures, snapshot.in_flight), (0, 0));
    assert_eq!(calls.load(Ordering::Relaxed), 3);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_times_out_counts_is_repeated_and_is_reported_as_such() {
    let backend = Backend::default();
    let config = only(json!({ "breaker": {}, "timeout": "1s", "max_retries": 2 }));
    // the judge of the service's errors has no say in those of the layers
    let service = PolicyLayer::new(&config)
        .unwrap()
        .judged_by(AnyError(ErrorCategory::InvalidParameters))
        .layer(backend.client());
    let begun = Instant::now();
    assert!(matches!(service.clone().oneshot(0).await, Err(CallError::TimedOut { after }) if after == ms(1_000)));
    assert_eq!((begun.elapsed(), backend.begun()), (ms(3_000), 3));
    assert_eq!(service.circuit().snapshot().breaker.unwrap().failures, 3);
}

#[tokio::test(start_paused = true)]
async fn the_deadline_bounds_all_attempts_and_cancels_the_last() {
    let backend = Backend::default();
    let config = only(json!({
        "breaker": {}, "bulkhead": { "max_in_flight": 1 }, "timeout": "1s", "deadline": "1500ms", "max_retries": 5
    }));
    let service = PolicyLayer::new(&config).unwrap().layer(backend.client());
    let begun = Instant::now();
    let result = service.clone().oneshot(0).await;
    assert!(matches!(result, Err(CallError::DeadlineExceeded { after, .. }) if after == ms(1_500)));
    assert_eq!((begun.elapsed(), backend.begun()), (ms(1_500), 2));
    let snapshot = service.circuit().snapshot();
    assert_eq!((snapshot.breaker.unwrap().failures, snapshot.in_flight), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn the_deadline_ends_the_wait_of_a_retry() {
    let (client, _) = scripted(&[Err(ErrorCategory::Network)]);
    let config = only(json!({ "deadline": "1s", "backoff": { "base": "1m", "cap": "1m", "jitter": "none" } }));
    let service = PolicyLayer::new(&config).unwrap().layer(client);
    let begun = Instant::now();
    assert!(matches!(service.oneshot(0).await, Err(CallError::DeadlineExceeded { .. })));
    assert_eq!(begun.elapsed(), ms(1_000));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_refused_says_by_whom_and_one_that_is_dropped_leaves_nothing() {
    let (client, calls) = scripted(&[Err(ErrorCategory::Network)]);
    let config = only(json!({ "breaker": { "consecutive_failures": 1 } }));
    let layer = PolicyLayer::new(&config).unwrap().shared();
    let service = layer.layer(client);
    assert!(matches!(service.clone().oneshot(0).await, Err(CallError::Failed(_))));
    let refused = layer.layer(service.get_ref().clone()).oneshot(0).await.unwrap_err();
    assert_eq!(refused.refusal().unwrap().by, Part::Breaker);
    assert_eq!(calls.load(Ordering::Relaxed), 1);

    let backend = Backend::default();
    let config = only(json!({ "bulkhead": { "max_in_flight": 1 } }));
    let service = PolicyLayer::new(&config).unwrap().layer(backend.client());
    let mut call = Box::pin(service.clone().oneshot(0));
    assert!(poll_once(&mut call).is_pending());
    assert_eq!(service.circuit().snapshot().in_flight, 1);
    drop(call);
    assert_eq!(service.circuit().snapshot().in_flight, 0);
}
