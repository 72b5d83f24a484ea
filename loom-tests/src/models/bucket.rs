//! The bucket.

mod rules;

use super::noon;
use crate::model::{Made, Model, Start, StartOf, ToldOf};
use core::time::Duration;
use fusebox_core::{Booking, BucketPolicy, BucketState, Demand, Instant, Rate, TokenBucket, Tokens, Wait};
use std::rc::Rc;

/// A bucket under a policy with a debt cap, and another policy to change to.
#[derive(Debug)]
pub struct Filling {
    policy: BucketPolicy,
    other: BucketPolicy,
}

/// An operation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Op {
    /// Takes tokens.
    Take(Demand, Instant),
    /// Books a token ahead.
    Book(Instant),
    /// Cancels the latest booking.
    Cancel(Instant),
    /// Gives a token back.
    Refund(Instant),
    /// Changes to the other policy.
    Change(Instant),
}

/// What an operation returned.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Taken, or not.
    Took(Result<(), Wait>),
    /// When to go.
    Booked(Result<Instant, Wait>),
    /// What a cancel gave back.
    GaveBack(Tokens),
    /// Nothing is returned.
    Done,
    /// There was no booking to cancel.
    Nothing,
}

const BURST: Tokens = Tokens::whole(3);
const SOON: Instant = noon(0);
const LATE: Instant = noon(1_500);
const EARLY: Instant = noon(-60_000);
const MAX_WAIT: Duration = Duration::from_secs(2);

impl Filling {
    /// One token per second and a burst of three, with a debt of two.
    pub fn new() -> Self {
        let policy = |rate, burst, debt| {
            let policy = BucketPolicy::new(Rate::per_second(rate), burst).expect("in range");
            policy.with_debt(Tokens::whole(debt)).expect("in range")
        };
        Self { policy: policy(1, BURST, 2), other: policy(3, Tokens::whole(5), 1) }
    }
}

impl Default for Filling {
    fn default() -> Self {
        Self::new()
    }
}

impl Model for Filling {
    type State = BucketState;
    type Op = Op;
    type Verdict = Verdict;
    type Memory = Vec<Rc<Booking>>;
    type Shared = TokenBucket;
    type Tickets = Vec<Booking>;

    fn starts(&self) -> Vec<StartOf<Self>> {
        let holding = |level| BucketState::with_level(Tokens::whole(level), SOON, &self.policy);
        let start = |name, state, before| Start { name, state, before };
        let book = Op::Book(SOON);
        vec![
            start("never touched", BucketState::NEW, vec![]),
            start("full", holding(3), vec![]),
            start("one token left", holding(1), vec![]),
            start("empty", holding(0), vec![]),
            start("one booked ahead", holding(0), vec![vec![book], vec![]]),
            start("as much booked ahead as can be", holding(0), vec![vec![book], vec![book]]),
            start("one in debt, two bookings of one thread", holding(1), vec![vec![book, book], vec![]]),
        ]
    }

    fn ops(&self) -> Vec<Op> {
        let two = Demand::plain(Tokens::whole(2));
        let modest = Demand { cost: Tokens::ONE, leave: Tokens::ONE };
        vec![
            Op::Take(Demand::plain(Tokens::ONE), SOON),
            Op::Take(two, LATE),
            Op::Take(modest, SOON),
            Op::Take(Demand::plain(Tokens::ONE), EARLY),
            Op::Book(SOON),
            Op::Book(LATE),
            Op::Cancel(SOON),
            Op::Cancel(LATE),
            Op::Refund(SOON),
            Op::Change(SOON),
        ]
    }

    fn step(&self, state: &mut BucketState, bookings: &mut Vec<Rc<Booking>>, op: Op) -> Option<Verdict> {
        let policy = &self.policy;
        let (next, verdict) = match op {
            Op::Take(demand, now) => {
                let (next, took) = state.take_as(demand, now, policy);
                (next, Verdict::Took(took))
            }
            Op::Book(now) => {
                let max_wait = u64::try_from(MAX_WAIT.as_nanos()).expect("fits");
                let (next, booked) = state.book(Demand::plain(Tokens::ONE), max_wait, now, policy);
                let verdict = Verdict::Booked(booked.as_ref().map(Booking::ready_at).map_err(|wait| *wait));
                bookings.extend(booked.map(Rc::new));
                (next, verdict)
            }
            Op::Cancel(now) => {
                let Some(booking) = bookings.pop() else { return Some(Verdict::Nothing) };
                let (next, tokens) = state.cancel(&booking, now, policy);
                (next, Verdict::GaveBack(tokens))
            }
            Op::Refund(now) => (state.give_back(Tokens::ONE, now, policy), Verdict::Done),
            Op::Change(now) => (state.under(policy, &self.other, now), Verdict::Done),
        };
        *state = next;
        Some(verdict)
    }

    fn nothing() -> Verdict {
        Verdict::Nothing
    }

    fn shared(&self, state: &BucketState) -> TokenBucket {
        TokenBucket::from_state(*state)
    }

    fn run(&self, bucket: &TokenBucket, bookings: &mut Vec<Booking>, op: Op) -> Verdict {
        let policy = &self.policy;
        match op {
            Op::Take(demand, now) => Verdict::Took(bucket.try_acquire_as(policy, now, demand)),
            Op::Book(now) => {
                let booked = bucket.reserve(policy, now, Tokens::ONE, MAX_WAIT);
                let verdict = Verdict::Booked(booked.as_ref().map(Booking::ready_at).map_err(|wait| *wait));
                bookings.extend(booked);
                verdict
            }
            Op::Cancel(now) => match bookings.pop() {
                Some(booking) => Verdict::GaveBack(bucket.cancel(policy, now, booking)),
                None => Verdict::Nothing,
            },
            Op::Refund(now) => {
                bucket.refund(policy, now, Tokens::ONE);
                Verdict::Done
            }
            Op::Change(now) => {
                bucket.change_policy(policy, &self.other, now);
                Verdict::Done
            }
        }
    }

    fn state(&self, bucket: &TokenBucket) -> BucketState {
        bucket.state()
    }

    fn check_made(&self, made: &Made<'_, Self>) {
        self.demand_of_operation(made);
    }

    fn check_told(&self, start: &StartOf<Self>, told: &[ToldOf<Self>], state: &Self::State) {
        self.demand_of_execution(start, told, state);
    }
}
