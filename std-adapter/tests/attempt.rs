//! What a tool is told about its attempt, and what it can do about its idle timeout.

mod support;

use core::future::{pending, ready};
use fusebox::*;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use support::*;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// A tool that reports progress after each of `pauses`, and then ends.
async fn working(executor: &Executor, pauses: &[u64]) -> Execution<(), ToolError> {
    let tool = async |attempt: Attempt| {
        for &pause in pauses {
            sleep(ms(pause)).await;
            attempt.progress().made();
        }
        Ok(())
    };
    executor.run(&CallOptions::default(), tool).await
}

#[tokio::test(start_paused = true)]
async fn a_tool_that_makes_no_progress_is_stopped() {
    let executor = Executor::new(plain(json!({ "idle_timeout": "1s", "max_retries": 1 })));
    let dropped = Arc::new(());
    let tool = |_| {
        let held = Arc::clone(&dropped);
        async move {
            let _held = held;
            pending::<Result<(), ToolError>>().await
        }
    };
    let execution = executor.run(&CallOptions::default(), tool).await;
    assert!(matches!(execution.result, Err(CallError::Stalled { after }) if after == ms(1_000)));
    assert_eq!(execution.result.unwrap_err().to_string(), "no progress for 1s");
    assert_eq!((execution.attempts, execution.elapsed), (2, ms(2_000)), "it is retried as a timeout is");
    assert_eq!(Arc::strong_count(&dropped), 1, "its future is gone");
    assert_eq!(executor.counters().timeouts, 2);
}

#[tokio::test(start_paused = true)]
async fn progress_starts_the_idle_timeout_anew() {
    let executor = Executor::new(plain(json!({ "idle_timeout": "1s", "max_retries": 0 })));
    let execution = working(&executor, &[900, 999, 1_000]).await;
    assert!(execution.result.is_ok(), "each pause is within the limit, the last one just so");
    assert_eq!(execution.elapsed, ms(2_899));
    let execution = working(&executor, &[900, 1_001]).await;
    assert_eq!((execution.elapsed, execution.result.is_err()), (ms(1_900), true));
}

#[tokio::test(start_paused = true)]
async fn no_progress_outlasts_the_timeout_of_the_attempt() {
    let executor = Executor::new(plain(json!({ "idle_timeout": "1s", "timeout": "3s", "max_retries": 0 })));
    let execution = working(&executor, &[600; 10]).await;
    assert!(matches!(execution.result, Err(CallError::TimedOut { after }) if after == ms(3_000)));
}

#[tokio::test(start_paused = true)]
async fn progress_made_by_a_spawned_task_counts() {
    let executor = Executor::new(plain(json!({ "idle_timeout": "1s", "max_retries": 0 })));
    let tool = async |attempt: Attempt| {
        let progress = attempt.progress().clone();
        let worker = tokio::spawn(async move {
            for _ in 0..5 {
                sleep(ms(800)).await;
                progress.made();
            }
        });
        worker.await.expect("it does not panic");
        Ok::<_, ToolError>(())
    };
    assert!(executor.call(tool).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn progress_without_an_idle_timeout_changes_nothing() {
    let executor = Executor::new(plain(json!({ "timeout": "1s", "max_retries": 0 })));
    assert!(working(&executor, &[500, 400]).await.result.is_ok());
    assert_eq!(working(&executor, &[500, 600]).await.elapsed, ms(1_000));
}

/// The token of each attempt, and whether it had fired when the next one began.
async fn tokens(executor: &Executor, options: &CallOptions, tool: End) -> Vec<CancellationToken> {
    let tokens = Mutex::new(Vec::<CancellationToken>::new());
    let make = async |attempt: Attempt| {
        let token = attempt.cancellation();
        assert!(!token.is_cancelled() && !attempt.cancellation().is_cancelled(), "it fires at the end only");
        {
            let mut tokens = tokens.lock().unwrap();
            assert!(tokens.iter().all(CancellationToken::is_cancelled), "earlier attempts are over");
            tokens.push(token);
        }
        sleep(ms(10)).await;
        match tool {
            End::Ok => Ok(()),
            End::Fail => Err(error(ErrorCategory::Network)),
            End::Panic => panic!("as planned"),
            End::Hang => pending().await,
        }
    };
    let _ = executor.run(options, make).await;
    tokens.into_inner().unwrap()
}

#[derive(Clone, Copy)]
enum End {
    Ok,
    Fail,
    Panic,
    Hang,
}

#[tokio::test(start_paused = true)]
async fn the_token_of_an_attempt_fires_however_it_ends() {
    let policy = || plain(json!({ "timeout": "1s", "max_retries": 2, "breaker": { "enabled": false } }));
    for (end, attempts) in [(End::Ok, 1), (End::Fail, 3), (End::Panic, 1), (End::Hang, 3)] {
        let tokens = tokens(&Executor::new(policy()), &CallOptions::default(), end).await;
        assert_eq!(tokens.len(), attempts);
        assert!(tokens.iter().all(CancellationToken::is_cancelled));
    }
    let cancel = CancellationToken::new();
    let options = CallOptions { cancel: Some(cancel.clone()), ..CallOptions::default() };
    let executor = Executor::new(policy());
    let (tokens, ()) = tokio::join!(tokens(&executor, &options, End::Hang), async {
        sleep(ms(5)).await;
        cancel.cancel();
    });
    assert!(tokens.len() == 1 && tokens[0].is_cancelled());
}

#[tokio::test(start_paused = true)]
async fn the_token_of_an_attempt_fires_when_the_call_is_dropped() {
    let executor = Executor::new(plain(json!({})));
    let seen = Mutex::new(None);
    let mut call = Box::pin(executor.call(async |attempt: Attempt| {
        *seen.lock().unwrap() = Some(attempt.cancellation());
        pending::<Result<(), ToolError>>().await
    }));
    assert!(poll_once(call.as_mut()).is_pending());
    let token = seen.lock().unwrap().clone().expect("the attempt has begun");
    assert!(!token.is_cancelled());
    drop(call);
    assert!(token.is_cancelled());
}

async fn keys(executor: &Executor, options: &CallOptions) -> Vec<String> {
    let keys = Mutex::new(Vec::new());
    let tool = |attempt: Attempt| {
        keys.lock().unwrap().push(attempt.idempotency_key.to_string());
        ready(Err::<(), _>(error(ErrorCategory::Network)))
    };
    let _ = executor.run(options, tool).await;
    keys.into_inner().unwrap()
}

#[tokio::test(start_paused = true)]
async fn all_attempts_of_a_call_have_one_key_and_no_other_call_has_it() {
    let executor = Executor::new(plain(json!({ "max_retries": 2, "breaker": { "enabled": false } })));
    let first = keys(&executor, &CallOptions::default()).await;
    assert!(first.len() == 3 && first.iter().all(|key| *key == first[0] && key.len() == 32));
    assert_ne!(keys(&executor, &CallOptions::default()).await[0], first[0]);
    let options = CallOptions { idempotency_key: Some(IdempotencyKey::new("order-17")), ..CallOptions::default() };
    assert_eq!(keys(&executor, &options).await, ["order-17"; 3]);
}

#[tokio::test(start_paused = true)]
async fn a_registered_tool_can_look_at_its_attempt() {
    let registry = Registry::new();
    let tool = with_attempt(async |args: Value, attempt| {
        let left = attempt.time_left.expect("there is a deadline").as_millis();
        Ok(json!([args, attempt.number, u64::try_from(left).unwrap()]))
    });
    registry.register_with("look", tool, config(json!({ "deadline": "2s" }))).unwrap();
    assert_eq!(registry.call("look", &json!("here")).await.unwrap(), json!(["here", 1, 2_000]));
}

#[tokio::test(start_paused = true)]
async fn an_idle_timeout_can_be_configured_like_any_limit() {
    let error = Policy::new(&config(json!({ "idle_timeout": "0s" }))).unwrap_err();
    assert_eq!(error.to_string(), "idle_timeout is 0s: allowed is 1ms to 365days");
    let begun = Instant::now();
    let executor = Executor::new(plain(json!({ "max_retries": 0 })));
    assert!(working(&executor, &[20_000]).await.result.is_ok(), "there is none by default");
    assert_eq!(begun.elapsed(), ms(20_000));
}

#[tokio::test(start_paused = true)]
async fn a_call_within_an_attempt_has_what_is_left_of_the_deadline() {
    let outer = Executor::new(plain(json!({ "deadline": "2s", "max_retries": 1 })));
    let inner = Executor::new(plain(json!({})));
    let seen = Mutex::new(Vec::new());
    let tool = async |attempt: Attempt| {
        let inside = async |attempt: Attempt| {
            seen.lock().unwrap().push(attempt.time_left);
            sleep(ms(500)).await;
            Err::<(), _>(error(ErrorCategory::Network))
        };
        inner.run(&attempt.call_options(), inside).await.result.map_err(|_| error(ErrorCategory::Network))
    };
    outer.call(tool).await.expect_err("it fails");
    assert_eq!(*seen.lock().unwrap(), [Some(ms(2_000)), Some(ms(1_500))]);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_an_attempt_has_spawned_ends_with_the_attempt() {
    let outer = Executor::new(plain(json!({ "timeout": "1s", "max_retries": 0 })));
    let inner = Arc::new(Executor::new(plain(json!({}))));
    let (spawned, begun) = (Mutex::new(None), Instant::now());
    let tool = async |attempt: Attempt| {
        let (inner, options) = (Arc::clone(&inner), attempt.call_options());
        let call = async move { inner.run(&options, |_| pending::<Result<(), ToolError>>()).await };
        *spawned.lock().unwrap() = Some(tokio::spawn(call));
        pending::<Result<(), ToolError>>().await
    };
    outer.call(tool).await.expect_err("it times out");
    let spawned = spawned.lock().unwrap().take().expect("the attempt began");
    assert!(matches!(spawned.await.unwrap().result, Err(CallError::Cancelled)));
    assert_eq!((begun.elapsed(), inner.counters().cancelled), (ms(1_000), 1));
}
