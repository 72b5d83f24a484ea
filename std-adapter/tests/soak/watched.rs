//! `Watched`: a call whose events are its own, settled in the books when it ends or is dropped.

use super::accounts::Seen;
use super::stage::Stage;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use fusebox::{Event, Execution, ToolError};
use serde_json::Value;
use std::sync::Arc;

type Outcome = Execution<Value, ToolError>;

/// A call under way.
pub(crate) struct Watched<F: Future<Output = Outcome>> {
    stage: Arc<Stage>,
    number: u64,
    deadline: Option<Duration>,
    /// `None` once it has ended.
    call: Option<Pin<Box<F>>>,
    polled: bool,
    events: Vec<Event>,
}

impl<F: Future<Output = Outcome>> Watched<F> {
    pub(crate) fn new(stage: &Arc<Stage>, number: u64, deadline: Option<Duration>, call: F) -> Self {
        let (stage, call) = (Arc::clone(stage), Some(Box::pin(call)));
        Self { stage, number, deadline, call, polled: false, events: Vec::new() }
    }

    fn settle(&mut self, seen: Seen) {
        self.stage.settle(self.number, seen, core::mem::take(&mut self.events), self.deadline);
    }
}

impl<F: Future<Output = Outcome>> Future for Watched<F> {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome> {
        let this = &mut *self;
        let Some(call) = &mut this.call else { return Poll::Pending };
        this.polled = true;
        this.stage.books.enter();
        let polled = call.as_mut().poll(cx);
        if polled.is_ready() {
            this.call = None;
        }
        this.stage.books.leave(&mut this.events);
        if let Poll::Ready(execution) = &polled {
            this.settle(Seen::from(execution));
        }
        polled
    }
}

impl<F: Future<Output = Outcome>> Drop for Watched<F> {
    fn drop(&mut self) {
        let Some(call) = self.call.take() else { return };
        self.stage.books.enter();
        drop(call);
        self.stage.books.leave(&mut self.events);
        let seen = if self.polled { Seen::Dropped } else { Seen::Nothing };
        self.settle(seen);
    }
}
