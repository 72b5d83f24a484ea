//! The primitives as gates: each a state under a policy.

use super::{Ask, Ending, Gate, Gated};
use crate::adaptive::{AdaptivePolicy, AdaptiveRate};
use crate::breaker::{Breaker, BreakerPolicy, Ticket, Transition};
use crate::bucket::{BucketPolicy, TokenBucket};
use crate::bulkhead::{Bulkhead, BulkheadPolicy, BulkheadTicket};
use crate::circuit::{Part, Rejection};
use crate::outcome::Outcome;
use crate::retry_budget::{RetryBudget, RetryBudgetPolicy};
use crate::throttle::{Throttle, ThrottlePolicy};
use crate::tokens::Tokens;
use crate::window::Window;

type Taken<H> = Result<(H, Option<Transition>), Rejection>;

impl<W: Window> Breaker<W> {
    /// This breaker under `policy`, as a gate. Put it last: what is taken before it can be given back without a trace.
    pub const fn gate<'a>(&'a self, policy: &'a BreakerPolicy) -> Gated<'a, Self, BreakerPolicy> {
        Gated { state: self, policy }
    }
}

impl<W: Window> Gate for Gated<'_, Breaker<W>, BreakerPolicy> {
    const BREAKERS: usize = 1;

    type Held = Ticket;

    #[inline]
    fn refusal(&self, ask: &Ask) -> Option<Rejection> {
        let wait = self.state.refuse(self.policy, ask.now)?;
        Some(Rejection { by: Part::Breaker, wait })
    }

    #[inline]
    fn take(&self, ask: &Ask) -> Taken<Ticket> {
        self.state.admit(self.policy, ask.now).map_err(|wait| Rejection { by: Part::Breaker, wait })
    }

    fn undo(&self, ask: &Ask, ticket: Ticket) {
        self.state.settle(self.policy, ask.now, ticket, Outcome::Ignored);
    }

    #[inline]
    fn end(&self, ending: &Ending, ticket: Ticket) -> Option<Transition> {
        self.state.settle(self.policy, ending.now, ticket, ending.outcome)
    }
}

impl Bulkhead {
    /// This bulkhead under `policy`, as a gate.
    pub const fn gate<'a>(&'a self, policy: &'a BulkheadPolicy) -> Gated<'a, Self, BulkheadPolicy> {
        Gated { state: self, policy }
    }
}

impl Gate for Gated<'_, Bulkhead, BulkheadPolicy> {
    const BREAKERS: usize = 0;

    type Held = BulkheadTicket;

    #[inline]
    fn refusal(&self, _: &Ask) -> Option<Rejection> {
        None
    }

    #[inline]
    fn take(&self, ask: &Ask) -> Taken<BulkheadTicket> {
        match self.state.admit(self.policy, ask.now) {
            Ok(ticket) => Ok((ticket, None)),
            Err(wait) => Err(Rejection { by: Part::Bulkhead, wait }),
        }
    }

    fn undo(&self, _: &Ask, _: BulkheadTicket) {
        self.state.leave();
    }

    #[inline]
    fn end(&self, ending: &Ending, ticket: BulkheadTicket) -> Option<Transition> {
        self.state.settle(self.policy, ending.now, ticket, ending.outcome);
        None
    }
}

impl TokenBucket {
    /// This bucket under `policy`, as a gate.
    pub const fn gate<'a>(&'a self, policy: &'a BucketPolicy) -> Gated<'a, Self, BucketPolicy> {
        Gated { state: self, policy }
    }
}

impl Gate for Gated<'_, TokenBucket, BucketPolicy> {
    const BREAKERS: usize = 0;

    type Held = Tokens;

    #[inline]
    fn refusal(&self, _: &Ask) -> Option<Rejection> {
        None
    }

    #[inline]
    fn take(&self, ask: &Ask) -> Taken<Tokens> {
        if ask.booked {
            return Ok((ask.demand.cost, None));
        }
        match self.state.try_acquire_as(self.policy, ask.now, ask.demand) {
            Ok(()) => Ok((ask.demand.cost, None)),
            Err(wait) => Err(Rejection { by: Part::Bucket, wait }),
        }
    }

    fn undo(&self, ask: &Ask, tokens: Tokens) {
        if !ask.booked {
            self.state.refund(self.policy, ask.now, tokens);
        }
    }

    #[inline]
    fn end(&self, ending: &Ending, tokens: Tokens) -> Option<Transition> {
        if !ending.spent && returns_what_it_holds(ending.outcome) {
            self.state.refund(self.policy, ending.now, tokens);
        }
        None
    }
}

impl<'a> Gated<'a, TokenBucket, BucketPolicy> {
    /// This bucket at a rate that adapts to how calls end. `policy` must be one for this bucket's policy.
    pub const fn adaptive(self, rate: &'a AdaptiveRate, policy: &'a AdaptivePolicy) -> AdaptiveBucket<'a> {
        AdaptiveBucket { bucket: self, rate, policy }
    }
}

/// A bucket at a rate that adapts, as a gate: [`Gated::adaptive`].
#[derive(Debug)]
pub struct AdaptiveBucket<'a> {
    bucket: Gated<'a, TokenBucket, BucketPolicy>,
    rate: &'a AdaptiveRate,
    policy: &'a AdaptivePolicy,
}

impl Gate for AdaptiveBucket<'_> {
    const BREAKERS: usize = 0;

    type Held = Tokens;

    #[inline]
    fn refusal(&self, _: &Ask) -> Option<Rejection> {
        None
    }

    fn take(&self, ask: &Ask) -> Taken<Tokens> {
        match self.rate.scale(self.policy, ask.now, ask.demand) {
            Ok(_) if ask.booked => self.bucket.take(ask), // scaled when it was booked
            Ok(demand) => self.bucket.take(&Ask { demand, ..*ask }),
            Err(wait) => Err(Rejection { by: Part::AdaptiveRate, wait }),
        }
    }

    fn undo(&self, ask: &Ask, tokens: Tokens) {
        self.bucket.undo(ask, tokens);
    }

    fn end(&self, ending: &Ending, tokens: Tokens) -> Option<Transition> {
        self.rate.settle(self.policy, ending.now, ending.outcome);
        self.bucket.end(ending, tokens)
    }
}

impl Throttle {
    /// This throttle under `policy`, as a gate: it draws on [`Ask::random`], without which it refuses nobody, and takes a
    /// success for accepted and a failure for refused.
    pub const fn gate<'a>(&'a self, policy: &'a ThrottlePolicy) -> Gated<'a, Self, ThrottlePolicy> {
        Gated { state: self, policy }
    }
}

impl Gate for Gated<'_, Throttle, ThrottlePolicy> {
    const BREAKERS: usize = 0;

    type Held = ();

    fn refusal(&self, ask: &Ask) -> Option<Rejection> {
        let wait = self.state.try_admit(self.policy, ask.now, ask.random).err()?;
        Some(Rejection { by: Part::Throttle, wait })
    }

    #[inline]
    fn take(&self, _: &Ask) -> Taken<()> {
        Ok(((), None)) // it was asked already, and a call that goes is counted when it ends
    }

    fn undo(&self, _: &Ask, (): ()) {}

    fn end(&self, ending: &Ending, (): ()) -> Option<Transition> {
        match ending.outcome {
            Outcome::Success => self.state.settle(self.policy, ending.now, true),
            Outcome::Failure => self.state.settle(self.policy, ending.now, false),
            Outcome::Ignored | Outcome::Cancelled => {}
        }
        None
    }
}

impl RetryBudget {
    /// This budget under `policy`, as a gate: a retry ([`Ask::retry`]) takes one, a first call earns its share when it
    /// has ended.
    pub const fn gate<'a>(&'a self, policy: &'a RetryBudgetPolicy) -> Gated<'a, Self, RetryBudgetPolicy> {
        Gated { state: self, policy }
    }
}

impl Gate for Gated<'_, RetryBudget, RetryBudgetPolicy> {
    const BREAKERS: usize = 0;

    /// Whether the call is a retry.
    type Held = bool;

    #[inline]
    fn refusal(&self, _: &Ask) -> Option<Rejection> {
        None
    }

    fn take(&self, ask: &Ask) -> Taken<bool> {
        if ask.retry
            && let Err(wait) = self.state.try_withdraw(self.policy, ask.now)
        {
            return Err(Rejection { by: Part::RetryBudget, wait });
        }
        Ok((ask.retry, None))
    }

    fn undo(&self, ask: &Ask, retry: bool) {
        if retry {
            self.state.refund(self.policy, ask.now);
        }
    }

    fn end(&self, ending: &Ending, retry: bool) -> Option<Transition> {
        match (retry, ending.outcome) {
            (true, Outcome::Cancelled) if !ending.spent => self.state.refund(self.policy, ending.now),
            (true, _) | (false, Outcome::Cancelled) => {}
            (false, _) => self.state.deposit(self.policy, ending.now),
        }
        None
    }
}

const fn returns_what_it_holds(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Ignored | Outcome::Cancelled)
}
