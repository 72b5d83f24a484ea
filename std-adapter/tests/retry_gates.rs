//! What keeps a failed call from being retried: the tool's word, idempotency, the retry budget, a call around it.

mod support;

use core::future::{pending, ready};
use core::time::Duration;
use fusebox::*;
use fusebox_core::Tokens;
use serde_json::{Value, json};
use support::*;

/// A policy under which only the gate under test stops a call.
fn gate(json: Value) -> Policy {
    let mut policy = json;
    policy["breaker"] = json!({ "enabled": false });
    plain(policy)
}

async fn failing(executor: &Executor, hint: RetryHint) -> Execution<(), ToolError> {
    let tool = |_| ready(Err(error(ErrorCategory::Network).with_retry_hint(hint)));
    executor.run(&CallOptions::default(), tool).await
}

fn balance(executor: &Executor) -> Tokens {
    executor.retry_budget().expect("the policy has a budget").balance
}

#[tokio::test(start_paused = true)]
async fn a_tool_can_forbid_retries() {
    let executor = Executor::new(gate(json!({ "max_retries": 3 })));
    let execution = failing(&executor, RetryHint::Never).await;
    assert_eq!((execution.attempts, execution.stopped), (1, Some(Stopped::ToldNotTo)));
    assert_eq!(failing(&executor, RetryHint::ByCategory).await.attempts, 4);
}

#[tokio::test(start_paused = true)]
async fn a_tool_that_is_not_idempotent_is_retried_only_where_nothing_was_done() {
    let executor = Executor::new(gate(json!({ "max_retries": 3, "idempotent": false })));
    let execution = failing(&executor, RetryHint::ByCategory).await;
    assert_eq!((execution.attempts, execution.stopped), (1, Some(Stopped::NotIdempotent)));
    let execution = failing(&executor, RetryHint::NothingDone).await;
    assert_eq!((execution.attempts, execution.stopped), (4, Some(Stopped::RetriesExhausted)));
}

#[tokio::test(start_paused = true)]
async fn a_timeout_of_a_tool_that_is_not_idempotent_is_not_retried() {
    let executor = Executor::new(gate(json!({ "idempotent": false, "timeout": "1s" })));
    let execution = executor.run(&CallOptions::default(), |_| pending::<Result<(), ToolError>>()).await;
    assert_eq!((execution.attempts, execution.stopped), (1, Some(Stopped::NotIdempotent)));
}

#[tokio::test(start_paused = true)]
async fn nothing_done_does_not_make_a_category_retryable() {
    let executor = Executor::new(gate(json!({ "max_retries": 3 })));
    let tool = |_| {
        let refused = error(ErrorCategory::PermissionDenied).with_retry_hint(RetryHint::NothingDone);
        ready(Err::<(), _>(refused))
    };
    let execution = executor.run(&CallOptions::default(), tool).await;
    assert_eq!((execution.attempts, execution.stopped), (1, Some(Stopped::NotRetryable)));
}

#[test]
fn an_io_error_says_whether_anything_was_sent() {
    use std::io::ErrorKind;
    let hint = |kind: ErrorKind| ToolError::from(std::io::Error::from(kind)).retry_hint();
    assert_eq!(hint(ErrorKind::ConnectionRefused), RetryHint::NothingDone);
    assert_eq!(hint(ErrorKind::ConnectionReset), RetryHint::ByCategory);
}

fn less(balance: Tokens, retries: u64) -> Tokens {
    Tokens::milli(balance.as_milli() - retries * 1_000)
}

/// No retry but those that calls earn, after the half that a fresh budget has from its floor.
fn budget(share: f64, per_second: f64) -> Value {
    json!({ "share": share, "per_second": per_second, "window": "10s" })
}

#[tokio::test(start_paused = true)]
async fn retries_are_a_share_of_the_calls() {
    let executor = Executor::new(gate(json!({ "max_retries": 5, "retry_budget": budget(0.2, 0.0) })));
    let mut attempts = 0;
    for _ in 0..100 {
        attempts += failing(&executor, RetryHint::ByCategory).await.attempts;
    }
    assert_eq!(attempts, 120, "100 calls earn 20 retries");
    let counters = executor.counters();
    assert_eq!((counters.retries, counters.retries_over_budget), (20, 100));
    assert_balanced(&counters, 0);
    assert_eq!(failing(&executor, RetryHint::ByCategory).await.stopped, Some(Stopped::RetryBudget));
}

#[tokio::test(start_paused = true)]
async fn without_a_budget_every_call_is_retried() {
    let executor = Executor::new(gate(json!({ "max_retries": 5, "retry_budget": { "enabled": false } })));
    for _ in 0..100 {
        assert_eq!(failing(&executor, RetryHint::ByCategory).await.attempts, 6);
    }
    assert_eq!(executor.retry_budget(), None);
}

#[tokio::test(start_paused = true)]
async fn each_second_earns_retries_for_a_quiet_client() {
    let executor = Executor::new(gate(json!({ "max_retries": 1_000, "retry_budget": budget(0.0, 1.0) })));
    assert_eq!(failing(&executor, RetryHint::ByCategory).await.attempts, 1 + 5, "half a window's worth at first");
    tokio::time::advance(ms(3_000)).await;
    assert_eq!(failing(&executor, RetryHint::ByCategory).await.attempts, 1 + 3);
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_was_not_made_goes_back_to_the_budget() {
    let backoff = json!({ "base": "1s", "jitter": "none" });
    let budget = budget(0.0, 1.0);
    let executor = Executor::new(gate(json!({ "max_retries": 9, "backoff": backoff, "retry_budget": budget })));
    let before = balance(&executor);
    let cancel = tokio_util::sync::CancellationToken::new();
    let options = CallOptions { cancel: Some(cancel.clone()), ..CallOptions::default() };
    let tool = |_| ready(Err::<(), _>(error(ErrorCategory::Network)));
    let mut dropped = Box::pin(executor.call(tool));
    let mut cancelled = Box::pin(executor.run(&options, tool));
    assert!(poll_once(dropped.as_mut()).is_pending() && poll_once(cancelled.as_mut()).is_pending());
    assert_eq!(balance(&executor), less(before, 2), "both wait for their retry");
    drop(dropped);
    assert_eq!(balance(&executor), less(before, 1));
    cancel.cancel();
    assert!(matches!(cancelled.await.result, Err(CallError::Cancelled)));
    assert_eq!(balance(&executor), before);
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_the_circuit_refuses_goes_back_to_the_budget() {
    let executor = Executor::new(plain(json!({
        "max_retries": 9, "rate": { "limit": "1/min", "burst": 1 }, "retry_budget": budget(0.0, 1.0),
    })));
    let before = balance(&executor);
    let execution = failing(&executor, RetryHint::ByCategory).await;
    assert!(matches!(execution.stopped, Some(Stopped::Rejected(Refusal { by: Part::Bucket, .. }))));
    assert_eq!(balance(&executor), before);
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_has_begun_is_used_up_however_it_ends() {
    let executor = Executor::new(gate(json!({ "retry_budget": budget(1.0, 0.0) })));
    let mut call = Box::pin(executor.call(async |attempt: Attempt| match attempt.number {
        1 => Err::<(), _>(error(ErrorCategory::Network)),
        _ => pending().await,
    }));
    assert!(poll_once(call.as_mut()).is_pending());
    // the backoff of nothing is over at the next tick of the timer
    tokio::time::advance(ms(1)).await;
    assert!(poll_once(call.as_mut()).is_pending());
    assert_eq!(executor.counters().retries, 1);
    drop(call);
    assert_eq!(balance(&executor), Tokens::ZERO, "the one that the call had earned");
}

#[tokio::test(start_paused = true)]
async fn a_change_of_policy_keeps_the_balance() {
    let executor = Executor::new(gate(json!({ "max_retries": 2, "retry_budget": budget(0.0, 1.0) })));
    failing(&executor, RetryHint::ByCategory).await;
    let left = balance(&executor);
    assert_eq!(left, Tokens::whole(3));
    let changed = executor.with_policy(gate(json!({ "retry_budget": budget(0.0, 2.0) })));
    assert_eq!((balance(&changed), balance(&executor)), (left, left));
    let without = changed.with_policy(gate(json!({ "retry_budget": { "enabled": false } })));
    assert_eq!(without.retry_budget(), None);
    assert_eq!(balance(&without.with_policy(gate(json!({ "retry_budget": budget(0.0, 2.0) })))), left);
}

#[test]
fn a_budget_out_of_range_is_refused_by_name() {
    let refused = |budget: Value| Policy::new(&config(json!({ "retry_budget": budget }))).unwrap_err().to_string();
    assert_eq!(refused(json!({ "share": 10.5 })), "retry_budget.share is 10.5: allowed is 0 to 10");
    assert_eq!(refused(json!({ "per_second": -1.0 })), "retry_budget.per_second is -1: allowed is 0 to 100000");
    assert_eq!(refused(json!({ "window": "1ms" })), "retry_budget.window is 1ms: allowed is 1s to 1h");
    assert_eq!(refused(json!({ "burst": 99.0 })), "retry_budget.burst is 99: allowed is 100 to 100000");
    let policy = policy(json!({ "retry_budget": { "per_second": 1_000.0 } }));
    assert_eq!(policy.effective().retry_budget.burst, Some(10_000.0), "as much as the floor needs");
}

/// An outer call whose tool is a call of `inner`, which always fails.
async fn nested(outer: Value, inner: &Executor) -> Execution<(), ToolError> {
    let outer = Executor::new(gate(outer));
    let tool = async |_| match failing(inner, RetryHint::ByCategory).await.result {
        Ok(()) => Ok(()),
        Err(CallError::Failed(error)) => Err(error),
        Err(other) => Err(ToolError::new(other.category(), other.to_string())),
    };
    outer.run(&CallOptions::default(), tool).await
}

#[tokio::test(start_paused = true)]
async fn retries_within_retries_do_not_multiply() {
    let inner = Executor::new(gate(json!({ "max_retries": 4 })));
    let execution = nested(json!({ "max_retries": 2 }), &inner).await;
    assert_eq!((execution.attempts, execution.stopped), (3, Some(Stopped::RetriesExhausted)));
    let counters = inner.counters();
    assert_eq!((counters.calls, counters.attempts, counters.retries_nested), (3, 3, 3));
    assert_eq!(failing(&inner, RetryHint::ByCategory).await.attempts, 5, "outside it is retried as ever");
}

#[tokio::test(start_paused = true)]
async fn a_call_within_one_that_is_not_retried_is_retried_itself() {
    let inner = Executor::new(gate(json!({ "max_retries": 4 })));
    assert_eq!(nested(json!({ "max_retries": 0 }), &inner).await.attempts, 1);
    assert_eq!(inner.counters().attempts, 5);
}

#[tokio::test(start_paused = true)]
async fn nested_retries_can_be_allowed() {
    let inner = Executor::new(gate(json!({ "max_retries": 4, "nested_retries": true })));
    nested(json!({ "max_retries": 2 }), &inner).await;
    assert_eq!(inner.counters().attempts, 15);
}

#[tokio::test(start_paused = true)]
async fn a_call_two_levels_down_is_not_retried_either() {
    let innermost = Executor::new(gate(json!({ "max_retries": 4 })));
    let middle = Executor::new(gate(json!({ "max_retries": 0 })));
    let outer = Executor::new(gate(json!({ "max_retries": 2 })));
    let tool = async |_| {
        let ended = middle.call(async |_| failing(&innermost, RetryHint::ByCategory).await.result.map_err(flat)).await;
        ended.map_err(flat)
    };
    let _ = outer.call(tool).await;
    assert_eq!(innermost.counters().attempts, 3);
}

fn flat(error: CallError<ToolError>) -> ToolError {
    ToolError::new(error.category(), error.to_string())
}

#[tokio::test(start_paused = true)]
async fn the_budget_forgets_what_was_earned_long_ago() {
    let executor = Executor::new(gate(json!({ "max_retries": 0, "retry_budget": budget(1.0, 0.0) })));
    for _ in 0..64 {
        failing(&executor, RetryHint::ByCategory).await;
    }
    assert_eq!(balance(&executor), Tokens::whole(64));
    tokio::time::advance(Duration::from_secs(5)).await;
    assert_eq!(balance(&executor), Tokens::whole(32));
}
