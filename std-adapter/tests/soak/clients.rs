//! The callers: they come at random, want all kinds of things, and many of them do not wait for the end.

use super::cast::args;
use super::configs::HOSTS;
use super::stage::Stage;
use super::watched::Watched;
use core::future::poll_fn;
use core::task::Poll;
use core::time::Duration;
use fastrand::Rng;
use fusebox::{CallOptions, Priority};
use serde_json::json;
use std::pin::pin;
use std::sync::Arc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// Calls per second in a calm minute; every fourth minute is a rush with three times as many.
const PER_SECOND: f64 = 6.0;

/// How a caller gives up.
#[derive(Clone, Copy, Debug)]
enum Interruption {
    Never,
    /// Drops the call after so many polls; 0 drops it before it has begun.
    Polls(u32),
    Drop(Duration),
    Abort(Duration),
    Token(Duration),
}

/// Callers come one after another, most of them while others wait, until it is over and all have gone.
pub(crate) async fn arrive(stage: Arc<Stage>, mut rng: Rng, until: Instant) {
    let mut callers = JoinSet::new();
    while Instant::now() < until {
        let rush = ((until - Instant::now()).as_secs() / 60).is_multiple_of(4);
        let per_second = if rush { 3.0 * PER_SECOND } else { PER_SECOND };
        sleep(Duration::from_secs_f64(-(1.0 - rng.f64()).ln() / per_second)).await;
        callers.spawn(call(Arc::clone(&stage), rng.fork()));
        while let Some(caller) = callers.try_join_next() {
            caller.expect("no caller panics");
        }
    }
    while let Some(caller) = callers.join_next().await {
        caller.expect("no caller panics");
    }
}

async fn call(stage: Arc<Stage>, mut rng: Rng) {
    let tool = *pick(
        &mut rng,
        &[
            "search", "search", "search", "find", "find", "fetch", "fetch", "fetch", "fetch", "fetch", "embed",
            "embed", "order", "order", "stream", "plan", "plan", "guest", "guest", "cache",
        ],
    );
    let tool = if rng.u8(..) == 0 { "nobody" } else { tool };
    let priority =
        *pick(&mut rng, &[Priority::Low, Priority::Normal, Priority::Normal, Priority::High, Priority::Critical]);
    let how = interruption(&mut rng);
    let hosts = rng.usize(..HOSTS.len());
    let token = matches!(how, Interruption::Token(_)).then(CancellationToken::new);
    let options = CallOptions {
        priority,
        deadline: rng.bool().then(|| Duration::from_millis(rng.u64(20..8_000))),
        cancel: token.clone(),
        // the first hosts are asked more often
        circuit_key: Some(HOSTS[rng.usize(..=hosts)].into()),
        role: pick(&mut rng, &[None, Some("agent"), Some("intern"), Some("guest")]).map(Into::into),
        approved: rng.bool(),
        ..CallOptions::default()
    };
    let number = stage.next_call();
    let mut args = args(number, priority);
    if rng.u8(..10) == 0 {
        args["amount"] = json!("many");
    }
    let (registry, deadline) = (stage.registry(), options.deadline);
    let by_handle = rng.bool().then(|| registry.handle(tool)).flatten();
    if rng.u8(..20) == 0 {
        sleep(Duration::from_millis(500)).await; // the tool may be another one by then, or gone
    }
    let call = async move {
        match by_handle {
            Some(handle) => handle.execute(&args, &options).await,
            None => registry.execute(tool, &args, &options).await,
        }
    };
    let call = Watched::new(&stage, number, deadline, call);
    match how {
        Interruption::Never => drop(call.await),
        Interruption::Polls(polls) => {
            let (mut call, mut polled) = (pin!(call), 0);
            poll_fn(|cx| {
                if polled == polls {
                    return Poll::Ready(());
                }
                polled += 1;
                match call.as_mut().poll(cx) {
                    Poll::Pending if polled < polls => Poll::Pending,
                    _ => Poll::Ready(()),
                }
            })
            .await;
        }
        // over or not: it is dropped then
        Interruption::Drop(after) => drop(tokio::time::timeout(after, call).await),
        Interruption::Abort(after) => {
            let task = tokio::spawn(call);
            sleep(after).await;
            task.abort();
            if let Err(error) = task.await {
                assert!(error.is_cancelled(), "a panic came through: {error}");
            }
        }
        Interruption::Token(after) => {
            let mut call = pin!(call);
            if tokio::time::timeout(after, &mut call).await.is_err() {
                token.unwrap_or_default().cancel();
                let begun = Instant::now();
                drop(call.await);
                if begun.elapsed() > Duration::ZERO {
                    stage.books.complain("a call that was cancelled did not end at once".to_owned());
                }
            }
        }
    }
}

fn interruption(rng: &mut Rng) -> Interruption {
    let after = Duration::from_millis(if rng.u8(..4) == 0 { rng.u64(..5_000) } else { rng.u64(..300) });
    match rng.u8(..20) {
        0..=11 => Interruption::Never,
        12 | 13 => Interruption::Polls(rng.u32(..6)),
        14 | 15 => Interruption::Drop(after),
        16 | 17 => Interruption::Abort(after),
        _ => Interruption::Token(after),
    }
}

fn pick<'a, T>(rng: &mut Rng, among: &'a [T]) -> &'a T {
    &among[rng.usize(..among.len())]
}
