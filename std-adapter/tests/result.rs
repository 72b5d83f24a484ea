//! Results and errors as data: the shape that others read, the numbers in it, and the chain of causes.

mod support;

use core::error::Error;
use core::future::{pending, ready};
use fusebox::*;
use serde_json::{Value, json};
use support::*;

async fn run(policy: Value, tool: impl Tool) -> CallResult {
    let registry = Registry::new();
    let handle = registry.register_with("tool", tool, config(policy)).expect("in range");
    handle.run(&Value::Null, &CallOptions::default()).await
}

fn fails(error: impl Fn() -> ToolError + Send + Sync + 'static) -> impl Tool {
    move |_| ready(Err(error()))
}

fn report(result: CallResult) -> ErrorReport {
    assert!(!result.success && result.output.is_none());
    result.error.expect("it did not succeed")
}

#[test]
fn a_result_of_four_fields_can_be_read() {
    for output in [json!("hello"), json!({ "pages": [1, 2] }), json!(3.5)] {
        let text = json!({ "success": true, "attempts": 1, "output": output, "error": null }).to_string();
        let result: CallResult = serde_json::from_str(&text).expect("it has all that is needed");
        assert_eq!((result.success, result.attempts, result.output), (true, 1, Some(output)));
        assert_eq!((result.error, result.elapsed_ms, result.outcomes), (None, 0.0, vec![]));
    }
}

#[tokio::test(start_paused = true)]
async fn a_success_keeps_its_shape() {
    let result = run(json!({}), |_: Value| ready(Ok(json!("hello")))).await;
    let expected = json!({
        "success": true, "attempts": 1, "output": "hello", "error": null,
        "elapsed_ms": 0.0, "outcomes": [{ "error": null, "elapsed_ms": null }]
    });
    assert_eq!(serde_json::to_value(&result).expect("it is data"), expected);
    assert_eq!(serde_json::from_value::<CallResult>(expected).expect("it can be read back"), result);
}

#[tokio::test(start_paused = true)]
async fn a_failure_keeps_its_shape() {
    let policy = json!({ "max_retries": 1, "backoff": { "base": "100ms", "jitter": "none" } });
    let result = run(policy, fails(|| ToolError::new(ErrorCategory::Network, "connection reset"))).await;
    let expected = json!({
        "success": false, "attempts": 2, "output": null,
        "error": { "kind": "failed", "category": "Network", "message": "connection reset", "retry_after_ms": null },
        "elapsed_ms": 100.0,
        "outcomes": [{ "error": "Network", "elapsed_ms": 0.0 }, { "error": "Network", "elapsed_ms": 0.0 }]
    });
    assert_eq!(serde_json::to_value(&result).expect("it is data"), expected);
    assert_eq!(serde_json::from_value::<CallResult>(expected).expect("it can be read back"), result);
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_succeeds_shows_each_attempt() {
    struct Flaky;
    impl Tool for Flaky {
        fn call<'a>(&'a self, _: &'a Value, attempt: Attempt) -> BoxFuture<'a, Result<Value, ToolError>> {
            Box::pin(async move {
                tokio::time::sleep(ms(7)).await;
                if attempt.number == 1 { Err(error(ErrorCategory::RateLimit)) } else { Ok(Value::Null) }
            })
        }
    }
    let result = run(json!({ "backoff": { "base": "0s" } }), Flaky).await;
    assert!(result.success && result.error.is_none());
    assert_eq!(result.output, Some(Value::Null), "null is an output too");
    let outcomes: Vec<_> = result.outcomes.iter().map(|attempt| (attempt.error, attempt.elapsed_ms)).collect();
    assert_eq!(outcomes, [(Some(ErrorCategory::RateLimit), Some(7.0)), (None, None)]);
}

#[tokio::test(start_paused = true)]
async fn each_end_has_its_kind_and_category() {
    let hangs = |_: Value| pending();
    let timed_out = report(run(json!({ "timeout": "1500ms", "max_retries": 0 }), hangs).await);
    assert_eq!((timed_out.kind, timed_out.category), (ErrorKind::TimedOut, ErrorCategory::Timeout));
    assert_eq!(timed_out.message, "timed out after 1.5s");

    let late = report(run(json!({ "deadline": "1s" }), hangs).await);
    assert_eq!((late.kind, late.category), (ErrorKind::DeadlineExceeded, ErrorCategory::Timeout));
    assert_eq!(late.message, "deadline of 1s exceeded");

    let panicked = report(run(json!({}), |_: Value| async { panic!("no such index") }).await);
    assert_eq!((panicked.kind, panicked.category), (ErrorKind::Panicked, ErrorCategory::ExecutionError));
    assert_eq!(panicked.message, "panicked: no such index");

    let registry = Registry::new();
    let handle = registry.register("tool", hangs).expect("the name is free");
    let token = tokio_util::sync::CancellationToken::new();
    token.cancel();
    let options = CallOptions { cancel: Some(token), ..CallOptions::default() };
    let cancelled = report(handle.run(&Value::Null, &options).await);
    assert_eq!((cancelled.kind, cancelled.category), (ErrorKind::Cancelled, ErrorCategory::Cancelled));
    assert_eq!(cancelled.message, "cancelled");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_names_its_part_and_when_to_return() {
    let registry = Registry::new();
    let policy = config(json!({ "rate": { "limit": "3/s", "burst": 1 } }));
    let handle = registry.register_with("tool", |_: Value| ready(Ok(Value::Null)), &policy).expect("in range");
    handle.call(&Value::Null).await.expect("the bucket is full");
    let result = handle.run(&Value::Null, &CallOptions::default()).await;
    assert_eq!((result.attempts, result.outcomes.len()), (0, 0));
    let error = serde_json::to_value(report(result)).expect("it is data");
    // a third of a second is 333.3 ms: who came back after 333 ms would be refused again
    assert_eq!(
        error,
        json!({
            "kind": "rejected", "category": "CircuitOpen",
            "message": "refused by the bucket, retry after 333.333334ms",
            "retry_after_ms": 334, "by": "bucket"
        })
    );
    tokio::time::advance(ms(334)).await;
    handle.call(&Value::Null).await.expect("there is a token again");
}

#[tokio::test(start_paused = true)]
async fn each_part_that_refuses_is_named() {
    for (policy, by) in [
        (json!({ "bulkhead": { "max_in_flight": 1 } }), RefusedBy::Bulkhead),
        (json!({ "rate": { "limit": "1/s", "burst": 1 } }), RefusedBy::Bucket),
        (json!({ "breaker": { "consecutive_failures": 1 }, "max_retries": 0, "timeout": "1ms" }), RefusedBy::Breaker),
    ] {
        let registry = Registry::new();
        let handle = registry.register_with("tool", |_: Value| pending(), config(policy)).expect("in range");
        let (args, options) = (Value::Null, CallOptions::default());
        let mut first = Box::pin(handle.run(&args, &options));
        assert!(poll_once(first.as_mut()).is_pending());
        if by == RefusedBy::Breaker {
            let _ = first.as_mut().await;
        }
        let refused = report(handle.run(&args, &options).await);
        assert_eq!((refused.kind, refused.by), (ErrorKind::Rejected, Some(by)));
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_tool_asks_for_is_rounded_up_to_milliseconds() {
    for (nanos, millis) in [(0, 0), (1, 1), (1_000_000, 1), (1_000_001, 2), (u64::MAX, 18_446_744_073_710)] {
        let tool = fails(move || {
            error(ErrorCategory::Authentication).with_retry_after(core::time::Duration::from_nanos(nanos))
        });
        assert_eq!(report(run(json!({}), tool).await).retry_after_ms, Some(millis));
    }
    let for_ever = fails(|| error(ErrorCategory::Authentication).with_retry_after(core::time::Duration::MAX));
    assert_eq!(report(run(json!({}), for_ever).await).retry_after_ms, Some(u64::MAX));
}

#[tokio::test(start_paused = true)]
async fn the_causes_of_an_error_are_kept() {
    #[derive(Debug)]
    struct Outer(std::io::Error);
    impl core::fmt::Display for Outer {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
            f.write_str("cannot read the index")
        }
    }
    impl Error for Outer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }
    let executor = Executor::new(plain(json!({ "max_retries": 0 })));
    let tool = |_| {
        let cause = Outer(std::io::Error::other("disk full"));
        ready(Err::<(), _>(ToolError::caused_by(ErrorCategory::ExecutionError, cause)))
    };
    let error = executor.call(tool).await.unwrap_err();
    assert_eq!(error.to_string(), "cannot read the index");
    let outer = error.source().expect("the cause");
    assert!(outer.is::<Outer>());
    assert_eq!(outer.source().expect("the cause of the cause").to_string(), "disk full");

    let rejected =
        CallError::<ToolError>::Rejected(Refusal { by: Part::Bulkhead, wait: Wait::Release, scope: Scope::Own });
    assert_eq!(rejected.to_string(), "refused by the bulkhead");
    assert!(rejected.source().is_some_and(|source| source.is::<Refusal>()));
}

#[test]
fn an_io_error_has_a_category() {
    use std::io::ErrorKind as Io;
    for (kind, category) in [
        (Io::ConnectionRefused, ErrorCategory::Network),
        (Io::TimedOut, ErrorCategory::Timeout),
        (Io::NotFound, ErrorCategory::ResourceNotFound),
        (Io::PermissionDenied, ErrorCategory::PermissionDenied),
        (Io::StorageFull, ErrorCategory::ResourceExhausted),
        (Io::InvalidInput, ErrorCategory::InvalidParameters),
        (Io::ResourceBusy, ErrorCategory::ServiceUnavailable),
        (Io::Other, ErrorCategory::ExecutionError),
    ] {
        let error = ToolError::from(std::io::Error::from(kind));
        assert_eq!(error.category(), category);
        assert!(error.source().is_some_and(|source| source.is::<std::io::Error>()));
    }
}
