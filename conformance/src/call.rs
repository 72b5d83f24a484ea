//! A call in flight through a library that wraps futures, driven by hand: polled once to admit it, once to end it.

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::sync::{Arc, Mutex, PoisonError};

/// The error of the wrapped call. The libraries' predicates count `Failure` and do not count `Ignored`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Ended {
    Failure,
    Ignored,
}

impl Ended {
    pub(crate) fn is_failure(&self) -> bool {
        matches!(self, Self::Failure)
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl core::error::Error for Ended {}

type End = Result<(), Ended>;

/// The wrapped call: pending until it is told how it ended.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wrapped {
    end: Arc<Mutex<Option<End>>>,
}

impl Future for Wrapped {
    type Output = End;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<End> {
        match *self.end.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(end) => Poll::Ready(end),
            None => Poll::Pending,
        }
    }
}

/// A call that was admitted. Dropping it cancels it.
pub(crate) struct Call<F> {
    future: Pin<Box<F>>,
    wrapped: Wrapped,
}

impl<F: Future> Call<F> {
    /// Begins a call; `None` when the library ended it at once, which is a refusal.
    pub(crate) fn begin(through: impl FnOnce(Wrapped) -> F) -> Option<Self> {
        let wrapped = Wrapped::default();
        let mut call = Self { future: Box::pin(through(wrapped.clone())), wrapped };
        call.poll().is_pending().then_some(call)
    }

    /// Lets the wrapped call end, and the library see it.
    pub(crate) fn end(mut self, end: End) {
        *self.wrapped.end.lock().unwrap_or_else(PoisonError::into_inner) = Some(end);
        assert!(self.poll().is_ready(), "a call that has ended is ready");
    }

    fn poll(&mut self) -> Poll<F::Output> {
        self.future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
    }
}
