//! An answer from elsewhere, for a call that the dependency could not serve.

mod support;

use core::future::{pending, ready};
use fusebox::*;
use serde_json::json;
use support::*;

/// A call that ends with such an error.
async fn failed(executor: &Executor, category: ErrorCategory) -> Execution<u32, ToolError> {
    executor.run(&CallOptions::default(), |_| ready(Err(error(category)))).await
}

fn executor() -> Executor {
    Executor::new(plain(json!({ "max_retries": 0, "breaker": { "consecutive_failures": 1 } })))
}

#[tokio::test(start_paused = true)]
async fn a_fallback_answers_for_a_failure_and_for_a_refusal() {
    let executor = executor();
    for refused in [false, true] {
        let execution = failed(&executor, ErrorCategory::Network).await.or_else(async |_| Ok(7)).await;
        assert_eq!(execution.result.ok(), Some(7));
        assert_eq!(execution.fallback_for.is_some_and(|error| error.refusal().is_some()), refused);
    }
    assert_eq!(executor.counters().failed, 1, "the call itself has failed");
}

#[tokio::test(start_paused = true)]
async fn a_fallback_is_not_asked_where_the_dependency_is_not_to_blame() {
    for category in [ErrorCategory::InvalidParameters, ErrorCategory::PermissionDenied] {
        let execution = failed(&executor(), category).await;
        assert!(!execution.is_unavailable());
        let execution = execution.or_else(async |_| unreachable!("not asked")).await;
        assert!(execution.result.is_err() && execution.fallback_for.is_none());
    }
    let execution = executor().run(&CallOptions::default(), |_| ready(Ok::<_, ToolError>(1))).await;
    assert_eq!(execution.or_else(async |_| unreachable!("not asked")).await.result.ok(), Some(1));
}

#[tokio::test(start_paused = true)]
async fn a_fallback_that_fails_too_leaves_the_first_error() {
    let execution = failed(&executor(), ErrorCategory::Network).await;
    let execution = execution.or_else(async |_| Err(error(ErrorCategory::ResourceNotFound))).await;
    assert_eq!(execution.result.unwrap_err().category(), ErrorCategory::Network);
    assert!(execution.fallback_for.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_fallback_can_be_dropped_at_its_await() {
    let executor = executor();
    let execution = failed(&executor, ErrorCategory::Network).await;
    let before = (executor.snapshot(), executor.counters());
    let mut fallback = Box::pin(execution.or_else(async |_| pending().await));
    assert!(poll_once(fallback.as_mut()).is_pending());
    drop(fallback);
    assert_eq!((executor.snapshot(), executor.counters()), before);
}
