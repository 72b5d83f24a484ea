//! `Gate`: what every part of a circuit is to it: it may refuse a call, it holds what it gave, and it learns how the
//! call ended.
//!
//! A gate is a state under a policy, [`Gated`], made by the `gate` method of each primitive. Gates combine: a pair of
//! gates is a gate, and so are an `Option` and an array of them. A combination admits all or nothing, whatever it is made
//! of, and costs nothing for what it leaves out.
//!
//! ```
//! use fusebox_core::*;
//!
//! static SEARCH: Breaker = Breaker::new();
//! static OWN: TokenBucket = TokenBucket::new();
//! static SHARED: TokenBucket = TokenBucket::new(); // of all tools
//! let own = BucketPolicy::new(Rate::per_second(2), Tokens::whole(10))?;
//! let shared = BucketPolicy::new(Rate::per_second(5), Tokens::ONE)?;
//! let breaker = BreakerPolicy::DEFAULT;
//!
//! let gates = ([SHARED.gate(&shared), OWN.gate(&own)], SEARCH.gate(&breaker));
//! let ask = Ask::at(Instant::from_nanos(0));
//! let (pass, _) = gates.admit(&ask).expect("everything is fresh");
//! assert_eq!(gates.admit(&ask).unwrap_err().by, Part::Bucket);
//! assert_eq!(OWN.peek(&own, ask.now), Tokens::whole(9), "the refused call took nothing from the other bucket");
//! gates.settle(ask.now, pass, Outcome::Success);
//! # Ok::<(), PolicyError>(())
//! ```
//!
//! **Order.** Gates that must not be moved in vain, breakers and throttles, are first asked without being taken, from right
//! to left. Then all take, from left to right; when one refuses, those to its left give back, from right to left.
//!
//! A combination holds at most one breaker, and it stands last: then no refusal by another gate can leave it half-open
//! without a probe, and its transitions are all reported. A combination that breaks this rule does not compile.
//!
//! **Guarantees.** A refused admission leaves every gate as it was, but for a clock that went back and for what a
//! throttle has counted; the rejection names the part that refused. `Ignored` and `Cancelled` return exactly what the
//! pass still holds, once; a retry that was made stays withdrawn from its budget unless it was cancelled unspent.
//!
//! **Not guaranteed.** Settle with the gates that admitted: an `Option` that has become `None` since keeps what it gave.
//! What an adaptive limit or rate learned from an ending is not reported here; their snapshots show it.

mod combine;
mod leaves;

pub use leaves::AdaptiveBucket;

use crate::breaker::Transition;
use crate::bucket::Demand;
use crate::circuit::Rejection;
use crate::outcome::Outcome;
use crate::time::Instant;
use crate::tokens::Tokens;

/// What a call asks of its gates.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Ask {
    /// The time: one reading serves all gates.
    pub now: Instant,
    /// What the call takes from each bucket, and what it must leave there. Default: one token.
    pub demand: Demand,
    /// Whether a [`Booking`](crate::Booking) has taken the demand's tokens already, at the rate of that time: no bucket
    /// takes any, and the pass holds them. A refusal leaves them booked. Default: no.
    pub booked: bool,
    /// A fresh uniform number, of which all 64 bits count. Only a throttle draws on it, and it refuses nobody while this
    /// is the default, the luckiest.
    pub random: u64,
    /// Whether the call repeats one that failed. Only a retry budget asks. Default: no.
    pub retry: bool,
}

impl Ask {
    /// A plain call at `now`.
    pub const fn at(now: Instant) -> Self {
        Self { now, demand: Demand::plain(Tokens::ONE), booked: false, random: u64::MAX, retry: false }
    }
}

/// How an admitted call ended, as all its gates learn it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Ending {
    /// When the call was admitted.
    pub issued: Instant,
    /// When it ended.
    pub now: Instant,
    /// How it ended.
    pub outcome: Outcome,
    /// Whether its tokens were used, see [`Pass::spend`].
    pub spent: bool,
}

/// A state under a policy, as a gate: `breaker.gate(&policy)`.
#[derive(Debug)]
pub struct Gated<'a, S, P> {
    pub(crate) state: &'a S,
    pub(crate) policy: &'a P,
}

/// What may refuse a call, holds what it gave, and learns how the call ended.
pub trait Gate {
    /// How many breakers it contains. Checked when gates are combined: at most one, in the last place.
    const BREAKERS: usize;

    /// What an admission holds until it is settled or undone.
    type Held: core::fmt::Debug;

    /// The refusal that a call would meet, for gates that must not be moved in vain; the others do not answer here.
    ///
    /// Changes nothing that another call can see, except after a clock went back, and that a throttle counts whom it
    /// refuses. A gate around other gates must ask them here: those that answer do not refuse again in [`Gate::take`].
    fn refusal(&self, ask: &Ask) -> Option<Rejection>;

    /// Admits the call and takes what it needs, or leaves everything as it was.
    ///
    /// # Errors
    /// The part that refuses and when to return.
    fn take(&self, ask: &Ask) -> Result<(Self::Held, Option<Transition>), Rejection>;

    /// Gives back what was taken for a call that another gate then refused.
    fn undo(&self, ask: &Ask, held: Self::Held);

    /// Ends a call, and returns the transition that its outcome caused.
    fn end(&self, ending: &Ending, held: Self::Held) -> Option<Transition>;

    /// May a call go? Returns its pass, and the transition that admitting it caused.
    ///
    /// # Errors
    /// The part that refused and when to return; nothing was taken from any gate.
    fn admit(&self, ask: &Ask) -> Result<(Pass<Self::Held>, Option<Transition>), Rejection> {
        if let Some(rejection) = self.refusal(ask) {
            return Err(rejection);
        }
        let (held, transition) = self.take(ask)?;
        Ok((Pass { issued: ask.now, spent: false, held }, transition))
    }

    /// Ends the pass's call at `now`, and returns the transition that its outcome caused.
    fn settle(&self, now: Instant, pass: Pass<Self::Held>, outcome: Outcome) -> Option<Transition> {
        let Pass { issued, spent, held } = pass;
        self.end(&Ending { issued, now, outcome, spent }, held)
    }
}

/// The right to one call, with all that its gates gave.
///
/// Settling consumes it, and it cannot be copied. Dropping it unsettled leaks what it holds.
#[derive(Debug)]
#[must_use = "an admitted call holds its slots until its pass is settled"]
pub struct Pass<H> {
    issued: Instant,
    spent: bool,
    held: H,
}

impl<H> Pass<H> {
    /// When the call was admitted.
    pub const fn issued(&self) -> Instant {
        self.issued
    }

    /// Marks the tokens as used: the dependency has done its work, so no outcome gives them back any more.
    ///
    /// Without it a caller that keeps getting ignored errors, such as "not found", would never be rate limited.
    pub const fn spend(&mut self) {
        self.spent = true;
    }

    /// Whether the tokens were used.
    pub const fn is_spent(&self) -> bool {
        self.spent
    }

    pub(crate) const fn held(&self) -> &H {
        &self.held
    }

    pub(crate) const fn held_mut(&mut self) -> &mut H {
        &mut self.held
    }
}
