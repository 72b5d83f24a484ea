//! Calls that are dropped, aborted or cancelled at random moments of a random schedule, in paused time: the circuit is
//! left as if they had never been, and every call and attempt is accounted for.
//!
//! `cancellation.rs` interrupts one call of each scenario at each of its polls; here many interrupted calls meet.

mod support;

use core::future::poll_fn;
use core::task::Poll;
use core::time::Duration;
use fastrand::Rng;
use fusebox::*;
use fusebox_core::Tokens;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use support::world::{End, Log, Step, World, scripted};
use support::*;
use tokio_util::sync::CancellationToken;

const WORLDS: u64 = 250;
const CALLS: usize = 40;

type Result<T> = core::result::Result<T, CallError<ToolError>>;

/// What tools do, attempt after attempt. None fails with a timeout of its own.
const SCRIPTS: &[&[Step]] = &[
    &[Step(&[], End::Ok)],
    &[Step(&[0], End::Ok)],
    &[Step(&[5, 0, 7], End::Ok)],
    &[Step(&[35], End::Ok)],
    &[Step(&[0, 60], End::Ok)],
    &[Step(&[], End::Fail(ErrorCategory::Network))],
    &[Step(&[3], End::Fail(ErrorCategory::ServiceUnavailable)), Step(&[2], End::Ok)],
    &[Step(&[0], End::Fail(ErrorCategory::InvalidParameters))],
    &[Step(&[8], End::Fail(ErrorCategory::ResourceNotFound))],
    &[Step(&[1], End::Fail(ErrorCategory::ResourceExhausted))],
    &[Step(&[2], End::Busy(15)), Step(&[], End::Busy(0)), Step(&[9], End::Ok)],
    &[Step(&[], End::Busy(100_000))],
    &[Step(&[4, 0], End::Panic)],
    &[Step(&[], End::Hang), Step(&[6], End::Ok)],
    &[Step(&[11], End::Hang)],
];

/// How a caller gives up.
#[derive(Clone, Copy, Debug)]
enum Interruption {
    Never,
    Polls(u32),
    Drop(Duration),
    Abort(Duration),
    Token(Duration),
}

impl Interruption {
    fn any(rng: &mut Rng) -> Self {
        let after = ms(rng.u64(1..90)); // at 0 the call might not have begun
        match rng.u8(..12) {
            0..=3 => Self::Never,
            4..=6 => Self::Polls(rng.u32(1..7)),
            7 | 8 => Self::Drop(after),
            9 => Self::Abort(after),
            _ => Self::Token(after),
        }
    }
}

/// How one call went; `None` where it was dropped.
type Seen = Option<Result<u32>>;

/// Makes a call and gives it up as told. What was cut before that had timed out.
async fn make(executor: Arc<Executor>, log: Arc<Log>, call: usize, script: &'static [Step], how: Interruption) -> Seen {
    let token = CancellationToken::new();
    let options = CallOptions { cancel: Some(token.clone()), ..CallOptions::default() };
    let tool = scripted(&log, call, script);
    let mut future = Box::pin(async move { executor.run(&options, tool).await.result });
    let seen = match how {
        Interruption::Never => Some(future.await),
        Interruption::Polls(polls) => {
            let mut polled = 0;
            let seen = poll_fn(|cx| {
                polled += 1;
                match future.as_mut().poll(cx) {
                    Poll::Ready(result) => Poll::Ready(Some(result)),
                    Poll::Pending if polled < polls => Poll::Pending,
                    Poll::Pending => Poll::Ready(None),
                }
            })
            .await;
            log.cuts_were_timeouts(call);
            drop(future);
            return seen;
        }
        Interruption::Drop(after) => {
            let seen = tokio::select! {
                biased;
                result = &mut future => Some(result),
                () = tokio::time::sleep(after) => None,
            };
            log.cuts_were_timeouts(call);
            drop(future);
            return seen;
        }
        Interruption::Abort(after) => {
            let task = tokio::spawn(future);
            tokio::time::sleep(after).await;
            if !task.is_finished() {
                log.cuts_were_timeouts(call);
                task.abort();
            }
            match task.await {
                Ok(result) => Some(result),
                Err(error) => {
                    assert!(error.is_cancelled(), "a panic came through: {error}");
                    return None;
                }
            }
        }
        Interruption::Token(after) => {
            let early = tokio::select! {
                biased;
                result = &mut future => Some(result),
                () = tokio::time::sleep(after) => None,
            };
            if early.is_none() {
                log.cuts_were_timeouts(call);
                token.cancel();
                return Some(future.await);
            }
            early
        }
    };
    log.cuts_were_timeouts(call);
    seen
}

fn any_policy(rng: &mut Rng) -> Value {
    let mut policy = json!({
        "timeout": format!("{}ms", rng.u64(20..50)),
        "max_wait": format!("{}ms", [0, 20, 200][rng.usize(..3)]),
        "max_retries": rng.u32(..4),
        "backoff": { "base": format!("{}ms", rng.u64(..20)), "cap": "40ms", "jitter": "none" },
        "breaker": {
            "consecutive_failures": rng.u32(2..8),
            "open_wait": format!("{}ms", rng.u64(5..60)),
            "open_wait_max": "200ms",
            "jitter": "none",
            "probes": rng.u8(1..4),
            "required_successes": rng.u8(1..4),
        },
        // so little flows in that it does not show
        "rate": { "limit": "1/day", "burst": rng.u32(10..100) },
        "categories": { "ResourceExhausted": { "trips": true } },
    });
    if rng.bool() {
        policy["bulkhead"] = json!({ "max_in_flight": rng.u32(1..5) });
    }
    if rng.bool() {
        policy["deadline"] = json!(format!("{}ms", rng.u64(30..150)));
    }
    policy
}

/// Many calls, some beside each other, most of them given up. Returns how many of those had not begun an attempt, and
/// how many had.
async fn check(seed: u64) -> [u64; 2] {
    let mut rng = Rng::with_seed(seed);
    let policy = any_policy(&mut rng);
    let context = format!("seed {seed}, {policy}");
    let mut world = World::new(policy);
    let mut calls = Vec::new();
    for _ in 0..CALLS {
        let call = world.next_call();
        let (script, how) = (SCRIPTS[rng.usize(..SCRIPTS.len())], Interruption::any(&mut rng));
        let making = make(Arc::clone(&world.executor), Arc::clone(&world.log), call, script, how);
        calls.push((call, tokio::spawn(making)));
        tokio::time::sleep(ms(rng.u64(..12))).await;
    }

    let mut interrupted = BTreeSet::new();
    let (mut succeeded, mut failed, mut cancelled, mut rejected, mut attempts) = (0, 0, [0; 2], 0, 0);
    for (call, making) in calls {
        match making.await.expect("no panic comes through") {
            None | Some(Err(CallError::Cancelled)) => {
                cancelled[usize::from(world.log.attempts(call).0 > 0)] += 1;
                interrupted.insert(call);
            }
            Some(Ok(_)) => succeeded += 1,
            Some(Err(CallError::Rejected(_))) => rejected += 1,
            Some(Err(_)) => failed += 1,
        }
        let (begun, ended) = world.log.attempts(call);
        assert_eq!(begun, ended, "{context}: call {call} still runs");
        attempts += u64::from(begun);
    }

    let counters = world.executor.counters();
    assert_balanced(&counters, 0);
    assert_eq!(counters.calls, CALLS as u64, "{context}");
    assert_eq!((counters.succeeded, counters.failed), (succeeded, failed), "{context}");
    assert_eq!(counters.cancelled, cancelled.iter().sum::<u64>(), "{context}");
    let by_part = counters.rejected_by_breaker + counters.rejected_by_bulkhead + counters.rejected_by_bucket;
    assert_eq!(by_part, rejected, "{context}");
    assert_eq!((counters.attempts, counters.timeouts), (attempts, world.log.timeouts() as u64), "{context}");
    let reference = world.snapshot_without_all(|call| interrupted.contains(&call));
    assert_eq!(but_for_stale(world.snapshot()), but_for_stale(reference), "{context}");

    tokio::time::sleep(ms(1_000)).await;
    if world.snapshot().tokens.is_some_and(|tokens| tokens >= Tokens::ONE) {
        world.call(&[Step(&[], End::Ok)]).await.unwrap_or_else(|error| panic!("{context}: afterwards: {error}"));
    }
    cancelled
}

/// The one trace that a call leaves which outlived its generation: it is counted as stale.
fn but_for_stale(mut snapshot: PartsSnapshot) -> PartsSnapshot {
    if let Some(breaker) = &mut snapshot.breaker {
        breaker.stale = 0;
    }
    snapshot
}

#[tokio::test(start_paused = true)]
async fn b5_calls_given_up_at_random_leave_the_circuit_as_if_they_had_never_been() {
    let mut given_up = [0; 2];
    for seed in 0..WORLDS {
        given_up.iter_mut().zip(check(seed).await).for_each(|(sum, count)| *sum += count);
    }
    let [waiting, running] = given_up;
    assert!(waiting > WORLDS && running > WORLDS, "given up: {waiting} before their first attempt, {running} later");
}
