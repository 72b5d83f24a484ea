//! How a call is admitted: asked of every limiter from the outermost to its own, all or nothing, and waited for as long
//! as the policy allows.
//!
//! A call that a bucket refuses books its tokens there, if they come in time, and keeps the booking until it goes. So
//! calls that wait for tokens go in the order in which they came.

use super::super::admission::{Admitted, Bookings};
use super::super::bounded::{Bounds, Cut};
use super::super::limiter::Limiter;
use super::{Call, Refused};
use crate::Sleep;
use core::mem;
use core::ptr;
use core::time::Duration;
use fusebox_core::{Part, Rejection, Wait};
use std::pin::pin;

/// Why an admission was not granted now.
pub(super) enum Denied<'a> {
    /// A limiter refused.
    By(&'a Limiter, Rejection),
    /// The call is over anyway.
    Over(Refused),
}

impl<'a, C: Sleep> Call<'a, C> {
    /// Waits until all limiters admit an attempt, for as long as the policy allows.
    pub(in super::super) async fn admit(&mut self) -> Result<Admitted<'a, C>, Refused> {
        let mut bookings = Bookings::new(self.executor);
        let mut awaited: Option<&Limiter> = None;
        let mut woken = false;
        loop {
            // listens before it asks, so that a release in between is not missed
            let mut released = pin!(awaited.map(|limiter| limiter.releases().next()));
            if let Some(released) = released.as_mut().as_pin_mut() {
                released.enable();
            }
            let answer = self.ask(&bookings);
            if let Some(limiter) = awaited
                && woken
            {
                limiter.announce_room(self.now);
            }
            let (limiter, rejection) = match answer {
                Ok(admitted) => {
                    bookings.used();
                    return Ok(admitted);
                }
                Err(Denied::By(limiter, rejection)) => (limiter, rejection),
                Err(Denied::Over(refused)) => return Err(refused),
            };
            let Some(mut wait) = self.worth_waiting(limiter, rejection) else {
                return Err(Refused::By(limiter.refusal(rejection)));
            };
            let listened = awaited.is_some_and(|awaited| ptr::eq(awaited, limiter));
            awaited = (rejection.wait == Wait::Release).then_some(limiter);
            woken = false;
            if awaited.is_some() && !listened {
                continue; // asks again while it listens
            }
            if awaited.is_none() {
                released.set(None); // so that a release goes to a call that waits for one
                // without a booking, such as where the bucket allows no more of them, it asks again by then
                if rejection.by == Part::Bucket
                    && bookings.at(limiter).is_none()
                    && let Some(booking) = limiter.book(self.now, self.options.priority, self.most_wait())
                {
                    wait = booking.ready_at().saturating_since(self.now); // others may have booked meanwhile
                    bookings.add(limiter, booking);
                }
            }
            let bounds = Bounds::new(&self.executor.clock, Some(wait), self.options.cancel.as_ref());
            let ended = match released.as_pin_mut() {
                Some(released) => bounds.run(released).await,
                None => bounds.run(core::future::pending()).await,
            };
            woken = ended.is_ok();
            let asked = mem::replace(&mut self.now, self.executor.clock.now());
            let waited = match ended {
                Err(Cut::Cancelled) => return Err(Refused::Cancelled),
                // at least that, also where the circuit's clock stands still
                Err(Cut::Expired) => self.now.saturating_since(asked).max(wait),
                Ok(()) => self.now.saturating_since(asked),
            };
            self.wait_left = self.wait_left.saturating_sub(waited);
        }
    }

    /// Asks all limiters once, unless the call is over anyway.
    pub(super) fn ask(&self, bookings: &Bookings<'a, C>) -> Result<Admitted<'a, C>, Denied<'a>> {
        let executor = self.executor;
        if self.options.cancel.as_ref().is_some_and(|token| token.is_cancelled()) {
            return Err(Denied::Over(Refused::Cancelled));
        }
        if self.time_left().is_some_and(|left| left.is_zero()) {
            return Err(Denied::Over(Refused::Deadline));
        }
        // first without taking anything, so that an open breaker costs nothing of what is shared
        if !executor.above.is_empty()
            && let Some(wait) = executor.own.breaker_refusal(self.now)
        {
            return Err(Denied::By(&executor.own, Rejection { by: Part::Breaker, wait }));
        }
        let mut admitted = Admitted::new(executor);
        for limiter in executor.limiters() {
            let booking = bookings.at(limiter);
            let answer = match booking.map(|booking| booking.ready_at().saturating_since(self.now)) {
                // the timer was faster than the clock
                Some(early) if !early.is_zero() => Err(Rejection { by: Part::Bucket, wait: Wait::Nanos(nanos(early)) }),
                _ => limiter.admit(self.now, self.options.priority, booking),
            };
            match answer {
                Ok((held, transition)) => {
                    executor.report(transition, self.now);
                    admitted.hold(limiter, held);
                }
                Err(rejection) => {
                    admitted.undo(bookings, self.now);
                    limiter.announce_room(self.now); // what it took and gave back has looked taken meanwhile
                    return Err(Denied::By(limiter, rejection));
                }
            }
        }
        Ok(admitted)
    }

    /// How long to wait for a limiter after its refusal; `None` where that is longer than the call may wait.
    fn worth_waiting(&self, limiter: &Limiter, rejection: Rejection) -> Option<Duration> {
        let most = self.most_wait();
        let wait = match rejection.wait {
            // a probe that never reports releases nobody: time does, when its lease is over
            Wait::Release => limiter.longest_refusal(self.now).map_or(most, |wait| wait.min(most)),
            wait => wait.duration()?,
        };
        (wait <= most && !most.is_zero()).then_some(wait)
    }

    /// The longest that the call may still wait.
    fn most_wait(&self) -> Duration {
        self.time_left().map_or(self.wait_left, |left| left.min(self.wait_left))
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}
