//! `Interruption`: how a caller gives up, and `Observed`: a call that tells its account what its caller sees.

use super::accounts::{Account, Ending, Seen};
use fastrand::Rng;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How a caller gives up.
#[derive(Clone, Copy, Debug)]
pub(super) enum Interruption {
    Never,
    /// Drops the call after so many polls.
    Polls(u32),
    /// Drops the call when this time is over.
    Drop(Duration),
    /// Fires a token when this time is over, from another task.
    Token(Duration),
    /// Aborts the task that runs the call when this time is over.
    Abort(Duration),
}

impl Interruption {
    pub(super) fn any(rng: &mut Rng) -> Self {
        let after = Duration::from_micros(if rng.u8(..4) == 0 { 0 } else { rng.u64(..8_000) });
        match rng.u8(..12) {
            0..=3 => Self::Never,
            4 | 5 => Self::Polls(rng.u32(1..6)),
            6 | 7 => Self::Drop(after),
            8 | 9 => Self::Token(after),
            _ => Self::Abort(after),
        }
    }

    /// The token that the call is to have.
    pub(super) fn token(self) -> Option<CancellationToken> {
        matches!(self, Self::Token(_)).then(CancellationToken::new)
    }

    /// Awaits the call for as long as this caller does.
    pub(super) async fn run(self, call: impl Future<Output = ()> + Send + 'static, token: Option<CancellationToken>) {
        match self {
            Self::Never => call.await,
            Self::Polls(polls) => {
                let (mut call, mut polled) = (pin!(call), 0);
                poll_fn(|cx| {
                    polled += 1;
                    match call.as_mut().poll(cx) {
                        Poll::Pending if polled < polls => Poll::Pending,
                        _ => Poll::Ready(()),
                    }
                })
                .await;
            }
            // over or not: it is dropped then
            Self::Drop(after) => drop(tokio::time::timeout(after, call).await),
            Self::Token(after) => {
                let token = token.unwrap_or_default();
                let firing = tokio::spawn(async move {
                    tokio::time::sleep(after).await;
                    token.cancel();
                });
                call.await;
                firing.await.expect("it only fires a token");
            }
            Self::Abort(after) => {
                let task = tokio::spawn(call);
                tokio::time::sleep(after).await;
                task.abort();
                if let Err(error) = task.await {
                    assert!(error.is_cancelled(), "a panic came through: {error}");
                }
            }
        }
    }
}

/// Runs a call and tells its account what becomes of it; it ends as `None` where no tool has the name.
pub(super) async fn observed<F>(account: &Account, call: F)
where
    F: Future<Output = Option<Ending>>,
{
    account.saw(Seen::Begun);
    let mut guard = Observed { account, call: Some(Box::pin(call)) };
    let ending = poll_fn(|cx| match &mut guard.call {
        Some(call) => call.as_mut().poll(cx),
        None => Poll::Pending,
    })
    .await;
    guard.call = None;
    account.saw(ending.map_or(Seen::Nothing, Seen::Ended));
}

/// A call under way.
struct Observed<'a, F> {
    account: &'a Account,
    call: Option<Pin<Box<F>>>,
}

impl<F> Drop for Observed<'_, F> {
    fn drop(&mut self) {
        if let Some(call) = self.call.take() {
            self.account.drops();
            drop(call);
            self.account.saw(Seen::Dropped);
        }
    }
}
