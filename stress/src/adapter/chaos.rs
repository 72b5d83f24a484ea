//! `Chaos`: a tool that does anything, drawn from the number that its arguments give, and notes down what it did.

use super::accounts::Account;
use fastrand::Rng;
use fusebox::{Attempt, BoxFuture, ErrorCategory, Tool, ToolError};
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A tool that succeeds, fails, hangs, panics, is slow, or several of these one after another.
#[derive(Clone, Debug)]
pub(super) struct Chaos {
    /// An account for each call, found by the number in its arguments.
    pub(super) accounts: Arc<Vec<Account>>,
    pub(super) log: Arc<Log>,
}

/// What the tools of one name have done.
#[derive(Debug, Default)]
pub(super) struct Log {
    pub(super) begun: AtomicU64,
    inside: AtomicU64,
    most_inside: AtomicU64,
}

impl Log {
    /// Attempts that run now.
    pub(super) fn inside(&self) -> u64 {
        self.inside.load(Ordering::SeqCst)
    }

    /// The most attempts that ran at a time.
    pub(super) fn most_inside(&self) -> u64 {
        self.most_inside.load(Ordering::SeqCst)
    }
}

impl Tool for Chaos {
    fn call<'a>(&'a self, args: &'a Value, attempt: Attempt) -> BoxFuture<'a, Result<Value, ToolError>> {
        let number = args.as_u64().expect("the number of the call");
        Box::pin(self.attempt(number, attempt))
    }
}

impl Chaos {
    /// The `attempt` of the call with this number.
    pub(super) async fn attempt(&self, number: u64, attempt: Attempt) -> Result<Value, ToolError> {
        let account = &self.accounts[usize::try_from(number).expect("an index")];
        let mut running = Running::begin(&self.log, account);
        let Some(seed) = account.seed() else {
            running.end(&account.succeeded);
            return Ok(Value::from(number)); // a call to see whether all is well
        };
        let mut rng = Rng::with_seed(seed ^ u64::from(attempt.number) << 32);
        for _ in 0..rng.u8(..3) {
            pause(&mut rng).await;
        }
        match rng.u8(..16) {
            0..=7 => {
                running.end(&account.succeeded);
                Ok(Value::from(number))
            }
            8..=12 => {
                running.end(&account.failed);
                Err(failure(&mut rng))
            }
            13 => {
                running.end(&account.panicked);
                // without the hook, which would print every one of them
                std::panic::resume_unwind(Box::new("as it likes"))
            }
            _ => core::future::pending().await,
        }
    }
}

async fn pause(rng: &mut Rng) {
    match rng.u8(..8) {
        0..=3 => tokio::task::yield_now().await,
        4 => std::thread::yield_now(),
        _ => tokio::time::sleep(Duration::from_micros(rng.u64(100..3_000))).await,
    }
}

fn failure(rng: &mut Rng) -> ToolError {
    // a timeout of the tool's own could not be told from the executor's
    let own = |category: &ErrorCategory| *category != ErrorCategory::Timeout;
    let categories: Vec<_> = ErrorCategory::ALL.into_iter().filter(own).collect();
    let error = ToolError::new(categories[rng.usize(..categories.len())], "as it likes");
    if rng.u8(..4) == 0 { error.with_retry_after(Duration::from_micros(rng.u64(..4_000))) } else { error }
}

/// An attempt under way; dropped before its end it is cut.
struct Running<'a> {
    log: &'a Log,
    account: &'a Account,
    ended: bool,
}

impl<'a> Running<'a> {
    fn begin(log: &'a Log, account: &'a Account) -> Self {
        log.begun.fetch_add(1, Ordering::Relaxed);
        log.most_inside.fetch_max(log.inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        account.begun.fetch_add(1, Ordering::Relaxed);
        Self { log, account, ended: false }
    }

    fn end(&mut self, how: &AtomicU64) {
        how.fetch_add(1, Ordering::Relaxed);
        self.ended = true;
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.account.cut.fetch_add(1, Ordering::Relaxed);
        }
        // before the executor settles the attempt: work is gone when its slot is free
        self.log.inside.fetch_sub(1, Ordering::SeqCst);
    }
}
