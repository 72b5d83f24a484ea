//! Retries within retries do not multiply, whether a layer or an executor makes them.

use crate::support::*;
use core::sync::atomic::Ordering;
use fusebox::tower::{PolicyLayer, RepeatRequest, RetryLayer};
use fusebox::{CallError, ErrorCategory, Executor, Policy, PolicyConfig, ToolError};
use serde_json::json;
use tower::{Layer, ServiceExt};

fn twice() -> PolicyConfig {
    only(json!({ "max_retries": 2 }))
}

fn failed(error: CallError<ToolError>) -> ToolError {
    ToolError::caused_by(ErrorCategory::Network, error)
}

#[tokio::test(start_paused = true)]
async fn a_layer_within_an_executor_leaves_the_retries_to_it() {
    for (nested_retries, expected) in [(false, 3), (true, 9)] {
        let (client, calls) = scripted(&[Err(ErrorCategory::Network)]);
        let inner = PolicyConfig { nested_retries: Some(nested_retries), ..twice() };
        let service = PolicyLayer::new(&inner).unwrap().layer(client);
        let outer = Executor::new(Policy::new(&twice()).unwrap());
        assert!(outer.call(|_| service.clone().oneshot(0)).await.is_err());
        assert_eq!(calls.load(Ordering::Relaxed), expected);
        let given_up = if nested_retries { 0 } else { 3 };
        assert_eq!(service.circuit().counters().retries_nested, given_up);

        // within an executor that does not retry it retries
        let once = Executor::new(Policy::new(&only(json!({ "max_retries": 0 }))).unwrap());
        assert!(once.call(|_| service.clone().oneshot(0)).await.is_err());
        assert_eq!(calls.load(Ordering::Relaxed), expected + 3);
    }
}

#[tokio::test(start_paused = true)]
async fn an_executor_within_a_layer_leaves_the_retries_to_it() {
    let (client, calls) = scripted(&[Err(ErrorCategory::Network)]);
    let inner = Executor::new(Policy::new(&twice()).unwrap());
    let service = tower::service_fn(move |request: u32| {
        let (inner, client) = (inner.clone(), client.clone());
        async move { inner.call(|_| client.clone().oneshot(request)).await }
    });
    let service = RetryLayer::new(&twice()).unwrap().layer(service);
    assert!(service.oneshot(0).await.is_err());
    assert_eq!(calls.load(Ordering::Relaxed), 3);
}

#[tokio::test(start_paused = true)]
async fn a_layer_within_a_layer_leaves_the_retries_to_it_unless_that_cannot_repeat() {
    /// For requests that can be sent once.
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
    let (client, calls) = scripted(&[Err(ErrorCategory::Network)]);
    let inner = PolicyLayer::new(&twice()).unwrap().layer(client).map_err(failed);
    let outer = RetryLayer::new(&twice()).unwrap();
    assert!(outer.layer(inner.clone()).oneshot(0).await.is_err());
    assert_eq!(calls.load(Ordering::Relaxed), 3);
    assert!(outer.repeated_by(Once).layer(inner).oneshot(0).await.is_err());
    assert_eq!(calls.load(Ordering::Relaxed), 3 + 3);
}
