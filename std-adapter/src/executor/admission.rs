//! `Admitted`: what an attempt holds while it runs, settled once, as `Cancelled` when the attempt is dropped; and
//! `Bookings`: the tokens that a call has booked ahead, given back when it does not go.

use super::Executor;
use super::limiter::Limiter;
use super::parts::Held;
use crate::Sleep;
use arrayvec::ArrayVec;
use core::ptr;
use fusebox_core::{Booking, Instant, Outcome};

/// How many limiters a call may pass: the registry's, three groups', that of a tool with keyed circuits, its own.
pub(crate) const MOST_LIMITERS: usize = 6;

/// An attempt that may run.
#[derive(Debug)]
pub(super) struct Admitted<'a, C: Sleep> {
    executor: &'a Executor<C>,
    /// What it holds, in the order in which it was asked for. Empty once it is settled.
    held: ArrayVec<(&'a Limiter, Held), MOST_LIMITERS>,
}

impl<'a, C: Sleep> Admitted<'a, C> {
    /// One that holds nothing yet.
    pub(super) fn new(executor: &'a Executor<C>) -> Self {
        Self { executor, held: ArrayVec::new() }
    }

    /// Takes up what a limiter gave.
    pub(super) fn hold(&mut self, limiter: &'a Limiter, held: Held) {
        if let Err(full) = self.held.try_push((limiter, held)) {
            // cannot be: an executor has no more limiters
            let (limiter, held) = full.element();
            limiter.settle(self.executor.clock.now(), held, Outcome::Cancelled);
        }
    }

    /// Marks the tokens as used: the tool has run to its end.
    pub(super) fn spend(&mut self) {
        self.held.iter_mut().for_each(|(_, held)| held.spend());
    }

    /// Takes the admission back, since a limiter further in has refused. Tokens that were booked stay booked: given back
    /// here, they would be there twice.
    pub(super) fn undo(mut self, bookings: &Bookings<'a, C>, now: Instant) {
        let booked = self.held.iter_mut().filter(|(limiter, _)| bookings.at(limiter).is_some());
        booked.for_each(|(_, held)| held.spend());
        self.end(Outcome::Cancelled, now);
    }

    pub(super) fn settle(mut self, outcome: Outcome, now: Instant) {
        self.end(outcome, now);
    }

    fn end(&mut self, outcome: Outcome, now: Instant) {
        while let Some((limiter, held)) = self.held.pop() {
            let transition = limiter.settle(now, held, outcome);
            self.executor.report(transition, now);
        }
    }
}

impl<C: Sleep> Drop for Admitted<'_, C> {
    fn drop(&mut self) {
        if !self.held.is_empty() {
            self.end(Outcome::Cancelled, self.executor.clock.now());
        }
    }
}

/// Tokens that a call has booked ahead. Those that it does not use are given back when this is dropped.
#[derive(Debug)]
pub(super) struct Bookings<'a, C: Sleep> {
    executor: &'a Executor<C>,
    booked: Vec<(&'a Limiter, Booking)>,
}

impl<'a, C: Sleep> Bookings<'a, C> {
    /// None yet.
    pub(super) const fn new(executor: &'a Executor<C>) -> Self {
        Self { executor, booked: Vec::new() }
    }

    /// What is booked at a limiter.
    pub(super) fn at(&self, limiter: &Limiter) -> Option<&Booking> {
        self.booked.iter().find_map(|(at, booking)| ptr::eq(*at, limiter).then_some(booking))
    }

    pub(super) fn add(&mut self, limiter: &'a Limiter, booking: Booking) {
        self.booked.push((limiter, booking));
    }

    /// The call goes: they are used.
    pub(super) fn used(mut self) {
        self.booked.clear();
    }
}

impl<C: Sleep> Drop for Bookings<'_, C> {
    fn drop(&mut self) {
        if self.booked.is_empty() {
            return;
        }
        let now = self.executor.clock.now();
        // the latest first: a place at the end of a line can be given to others
        while let Some((limiter, booking)) = self.booked.pop() {
            limiter.cancel(booking, now);
        }
    }
}
