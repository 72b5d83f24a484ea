//! The gates that the core does not have: a breaker on a time of its own, and a bucket whose rate adapts or not.

use super::window_slot::WindowSlot;
use core::time::Duration;
use fusebox_core::{
    AdaptiveBucket, Ask, Breaker, BreakerPolicy, BucketPolicy, Bulkhead, BulkheadPolicy, BulkheadTicket, Ending, Gate,
    Gated, HeldWindow, Rejection, Throttle, ThrottlePolicy, Ticket, TokenBucket, Tokens, Transition,
};

/// All parts that a policy has, as one gate; the breaker last.
pub(super) type Gates<'a> = (
    (Option<Gated<'a, Throttle, ThrottlePolicy>>, Option<Gated<'a, Bulkhead, BulkheadPolicy>>),
    (Option<BucketGate<'a>>, Option<BreakerGate<'a>>),
);

/// What they hold for a call.
pub(super) type Taken = ((Option<()>, Option<BulkheadTicket>), (Option<Tokens>, Option<Ticket>));

/// A breaker whose time is ahead of the caller's.
#[derive(Debug)]
pub(super) struct BreakerGate<'a> {
    gate: Gated<'a, Breaker<HeldWindow<WindowSlot>>, BreakerPolicy>,
    ahead: Duration,
}

impl<'a> BreakerGate<'a> {
    pub(super) const fn new(gate: Gated<'a, Breaker<HeldWindow<WindowSlot>>, BreakerPolicy>, ahead: Duration) -> Self {
        Self { gate, ahead }
    }

    fn own(&self, ask: &Ask) -> Ask {
        Ask { now: ask.now.saturating_add(self.ahead), ..*ask }
    }
}

impl Gate for BreakerGate<'_> {
    const BREAKERS: usize = 1;

    type Held = Ticket;

    fn refusal(&self, ask: &Ask) -> Option<Rejection> {
        self.gate.refusal(&self.own(ask))
    }

    fn take(&self, ask: &Ask) -> Result<(Ticket, Option<Transition>), Rejection> {
        self.gate.take(&self.own(ask))
    }

    fn undo(&self, ask: &Ask, ticket: Ticket) {
        self.gate.undo(&self.own(ask), ticket);
    }

    fn end(&self, ending: &Ending, ticket: Ticket) -> Option<Transition> {
        let ahead = |at: fusebox_core::Instant| at.saturating_add(self.ahead);
        self.gate.end(&Ending { issued: ahead(ending.issued), now: ahead(ending.now), ..*ending }, ticket)
    }
}

/// A bucket at its own rate, or at one that adapts. Either settles what the other took.
#[derive(Debug)]
pub(super) enum BucketGate<'a> {
    Plain(Gated<'a, TokenBucket, BucketPolicy>),
    Adaptive(AdaptiveBucket<'a>),
}

impl Gate for BucketGate<'_> {
    const BREAKERS: usize = 0;

    type Held = Tokens;

    fn refusal(&self, ask: &Ask) -> Option<Rejection> {
        match self {
            Self::Plain(gate) => gate.refusal(ask),
            Self::Adaptive(gate) => gate.refusal(ask),
        }
    }

    fn take(&self, ask: &Ask) -> Result<(Tokens, Option<Transition>), Rejection> {
        match self {
            Self::Plain(gate) => gate.take(ask),
            Self::Adaptive(gate) => gate.take(ask),
        }
    }

    fn undo(&self, ask: &Ask, tokens: Tokens) {
        match self {
            Self::Plain(gate) => gate.undo(ask, tokens),
            Self::Adaptive(gate) => gate.undo(ask, tokens),
        }
    }

    fn end(&self, ending: &Ending, tokens: Tokens) -> Option<Transition> {
        match self {
            Self::Plain(gate) => gate.end(ending, tokens),
            Self::Adaptive(gate) => gate.end(ending, tokens),
        }
    }
}
