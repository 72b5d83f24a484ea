//! `EventStream`: what happens, for a subscriber who may be slow; whoever reports an event never waits for one.
//!
//! Each subscriber has a queue of its own. An event that finds it full is not delivered but counted. The count travels
//! with the next event that finds room, so a stream reports what it missed at the place where it missed it.

use super::event::Event;
use arc_swap::ArcSwap;
use core::error::Error;
use core::future::poll_fn;
use core::pin::Pin;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use core::task::{Context, Poll};
use futures_util::Stream;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{self, error::TrySendError};

/// What happens from the subscription on, see [`Event`]. Dropping it unsubscribes.
///
/// **Order.** Events of one call come in the order in which they happened; those of concurrent calls in the order in
/// which they were reported.
///
/// **Slow subscribers.** Calls never wait for a subscriber. When `capacity` events wait to be taken, further ones are
/// missed, and the stream says how many, as [`Missed`], at the place of the gap: after the events before it and before
/// the next one.
///
/// **End.** The stream ends when nobody is left to report an event: the registry and all that came from it are gone.
#[derive(Debug)]
#[must_use = "dropping the stream unsubscribes"]
pub struct EventStream {
    queue: mpsc::Receiver<(u64, Event)>,
    /// The event after a gap that was just reported.
    held: Option<Event>,
    missed: Arc<AtomicU64>,
    subscribers: Weak<Subscribers>,
}

/// How many events a stream did not see because its queue was full.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Missed(pub u64);

impl fmt::Display for Missed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} events missed: the subscriber was too slow", self.0)
    }
}

impl Error for Missed {}

impl EventStream {
    /// The next event, or how many were missed before it; `None` at the end. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Result<Event, Missed>> {
        poll_fn(|cx| self.poll(cx)).await
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Event, Missed>>> {
        if let Some(event) = self.held.take() {
            return Poll::Ready(Some(Ok(event)));
        }
        let next = match self.queue.poll_recv(cx) {
            Poll::Ready(Some((0, event))) => return Poll::Ready(Some(Ok(event))),
            Poll::Ready(Some((missed, event))) => {
                self.held = Some(event);
                return Poll::Ready(Some(Err(Missed(missed))));
            }
            // tokio has others go first: what waits in the queue comes before what was missed
            Poll::Pending if !self.queue.is_empty() => return Poll::Pending,
            Poll::Pending => Poll::Pending,
            Poll::Ready(None) => Poll::Ready(None),
        };
        match self.missed.swap(0, Ordering::Relaxed) {
            0 => next,
            missed => Poll::Ready(Some(Err(Missed(missed)))),
        }
    }
}

impl Stream for EventStream {
    type Item = Result<Event, Missed>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll(cx)
    }
}

impl Drop for EventStream {
    fn drop(&mut self) {
        if let Some(subscribers) = self.subscribers.upgrade() {
            subscribers.edit(|list| list.retain(|subscriber| !Arc::ptr_eq(&subscriber.missed, &self.missed)));
        }
    }
}

/// Everybody who listens.
#[derive(Debug, Default)]
pub(crate) struct Subscribers {
    /// Whether there is anybody: all that an event costs when nobody listens.
    any: AtomicBool,
    list: ArcSwap<Vec<Subscriber>>,
    /// Held while the list changes; reporting an event does not take it.
    editing: Mutex<()>,
}

#[derive(Clone, Debug)]
struct Subscriber {
    /// Events, each with how many were missed just before it.
    queue: mpsc::Sender<(u64, Event)>,
    missed: Arc<AtomicU64>,
}

impl Subscribers {
    /// A stream of what happens from now on, which keeps up to `capacity` events; 0 counts as 1.
    pub(crate) fn subscribe(self: &Arc<Self>, capacity: usize) -> EventStream {
        let (sender, queue) = mpsc::channel(capacity.clamp(1, Semaphore::MAX_PERMITS));
        let missed = Arc::new(AtomicU64::new(0));
        let subscriber = Subscriber { queue: sender, missed: Arc::clone(&missed) };
        self.edit(|list| list.push(subscriber));
        EventStream { queue, held: None, missed, subscribers: Arc::downgrade(self) }
    }

    /// Tells everybody, without waiting for anybody. One load, and `event` is not made, where nobody listens.
    pub(crate) fn tell(&self, event: impl FnOnce() -> Event) {
        if self.any.load(Ordering::Relaxed) {
            let event = event();
            self.list.load().iter().for_each(|subscriber| subscriber.offer(&event));
        }
    }

    /// Changes a copy of the list and puts it in place, one change after another.
    fn edit(&self, change: impl FnOnce(&mut Vec<Subscriber>)) {
        let _one_at_a_time = self.editing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut list = Vec::clone(&self.list.load());
        change(&mut list);
        let any = !list.is_empty();
        self.list.store(Arc::new(list));
        self.any.store(any, Ordering::Release);
    }
}

impl Subscriber {
    fn offer(&self, event: &Event) {
        match self.queue.try_reserve() {
            Ok(place) => place.send((self.missed.swap(0, Ordering::Relaxed), event.clone())),
            Err(TrySendError::Full(())) => {
                self.missed.fetch_add(1, Ordering::Relaxed);
            }
            Err(TrySendError::Closed(())) => {}
        }
    }
}

#[cfg(test)]
mod tests;
