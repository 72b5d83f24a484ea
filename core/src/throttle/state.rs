//! The throttle's state in one word, and its transitions as pure functions.
//!
//! ```text
//! share refused = max(0, requests - K x accepts) / (requests + padding)
//! refused if      random / 2^64 < share refused,  as  random x (requests + padding) < (requests - K x accepts) x 2^64
//! ```
//!
//! ```text
//!  bit   63                          28  27            14 13             0
//!        +----------------------------+------------------+----------------+
//!        |   half window (36 bits)    |     accepts      |    requests    |
//!        +----------------------------+------------------+----------------+
//! ```
//!
//! Both counts halve at the end of each half window, and also when one more request would not fit: their ratio is what
//! matters, and 8191 calls tell it well enough. Every accept is counted together with its request and both are halved
//! alike, so accepts never exceed requests, and where all is accepted the two stay equal.
//!
//! **A clock that goes back.** The counts stay as they are, so nobody is admitted whom the latest reading would have
//! refused. A reading from the half window before the stored one is taken to be late and counted there; one that is
//! older still moves the counts to its own half window, or they would not fade until the clock has caught up.

use super::ThrottleSnapshot;
use super::policy::ThrottlePolicy;
use crate::field::Field;
use crate::half_window::{NUMBER_BITS, Passed};
use crate::time::{Instant, low};
use crate::wait::Wait;
use crate::word::Packed;

const REQUESTS: Field = Field::first(14);
const ACCEPTS: Field = REQUESTS.then(14);
const HALF: Field = ACCEPTS.then(NUMBER_BITS);
const _: () = assert!(HALF.end() == 64);

/// The throttle's word, decoded. Steps are functions of this value; see [`ThrottleState::admit`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ThrottleState {
    /// The half window in which the counts were written.
    half: u64,
    requests: u64,
    accepts: u64,
}

/// A state brought up to a time.
#[derive(Clone, Copy)]
struct Current {
    state: ThrottleState,
    /// Nanoseconds until the counts halve.
    left: u64,
    late_or_back: bool,
}

impl ThrottleState {
    /// A throttle that has counted nothing.
    pub const NEW: Self = Self { half: 0, requests: 0, accepts: 0 };

    /// A throttle that has counted at `now` what `snapshot` says; counts beyond a field's range are halved until they
    /// fit, and accepts beyond the requests are not counted.
    pub const fn with_counts(snapshot: ThrottleSnapshot, now: Instant, policy: &ThrottlePolicy) -> Self {
        let (mut requests, mut accepts) = (snapshot.requests, snapshot.accepts);
        if accepts > requests {
            accepts = requests;
        }
        while requests > REQUESTS.max() {
            (requests, accepts) = (requests >> 1, accepts >> 1);
        }
        Self { half: policy.halves().place(now).number, requests, accepts }
    }

    /// Whether a call may go; `random` is a number of the caller's, of which all 64 bits count. A refusal is counted as
    /// a request, an admission only when it ends.
    #[inline]
    pub const fn admit(self, now: Instant, random: u64, policy: &ThrottlePolicy) -> (Self, Result<(), Wait>) {
        if self.accepts == self.requests {
            return (self, Ok(())); // as long as all is accepted, without a look at the time
        }
        let current = self.current(now, policy);
        if current.state.admits(random, policy) {
            return (self, Ok(()));
        }
        let state = current.state.counting(false);
        (state, Err(Current { state, ..current }.wait(random, policy)))
    }

    /// Counts a call that was admitted and has ended.
    #[inline]
    pub const fn settle(self, now: Instant, accepted: bool, policy: &ThrottlePolicy) -> Self {
        self.current(now, policy).state.counting(accepted)
    }

    /// The counts at `now`.
    pub const fn counts(self, now: Instant, policy: &ThrottlePolicy) -> ThrottleSnapshot {
        let Self { requests, accepts, .. } = self.current(now, policy).state;
        let (above, below) = policy.refused_share(requests, accepts);
        let refused_milli = match above.saturating_mul(1_000).checked_div(below) {
            Some(milli) => milli,
            None => 0,
        };
        ThrottleSnapshot { requests, accepts, refused_milli }
    }

    /// Nanoseconds after `now` when the counts change by themselves, if they ever do.
    pub const fn next_change(self, now: Instant, policy: &ThrottlePolicy) -> Option<u64> {
        let current = self.current(now, policy);
        if current.state.requests == 0 { None } else { Some(current.left) }
    }

    /// Whether a throttle that has counted nothing would behave the same from `now` on.
    pub const fn is_fresh(self, now: Instant, policy: &ThrottlePolicy) -> bool {
        let current = self.current(now, policy);
        current.state.requests == 0 && !current.late_or_back
    }

    /// The same counts under another policy.
    pub const fn under(self, old: &ThrottlePolicy, new: &ThrottlePolicy, now: Instant) -> Self {
        let Self { requests, accepts, .. } = self.current(now, old).state;
        if requests == 0 { Self::NEW } else { Self { half: new.halves().place(now).number, requests, accepts } }
    }

    #[inline]
    const fn admits(self, random: u64, policy: &ThrottlePolicy) -> bool {
        let (above, below) = policy.refused_share(self.requests, self.accepts);
        low((random as u128).wrapping_mul(below as u128).unbounded_shr(u64::BITS)) >= above
    }

    const fn halved(self, halvings: u32) -> Self {
        let (requests, accepts) = (self.requests.unbounded_shr(halvings), self.accepts.unbounded_shr(halvings));
        Self { half: self.half, requests, accepts }
    }

    const fn counting(self, accepted: bool) -> Self {
        let Self { half, requests, accepts } = if self.requests < REQUESTS.max() { self } else { self.halved(1) };
        Self { half, requests: requests.saturating_add(1), accepts: accepts.saturating_add(accepted as u64) }
    }

    /// This state with all that the time has done to it until `now`.
    #[inline]
    const fn current(self, now: Instant, policy: &ThrottlePolicy) -> Current {
        let (halves, place) = (policy.halves(), policy.halves().place(now));
        let left = halves.nanos().saturating_sub(place.offset);
        match halves.passed(self.half, place) {
            Passed::Halvings(halvings) => {
                let state = Self { half: place.number, ..self.halved(halvings) };
                Current { state, left, late_or_back: false }
            }
            Passed::Late { ahead } => {
                Current { state: self, left: ahead.saturating_add(halves.nanos()), late_or_back: true }
            }
            Passed::Back => Current { state: Self { half: place.number, ..self }, left, late_or_back: true },
        }
    }

    pub(crate) const fn bits(self) -> u64 {
        HALF.put(self.half) | ACCEPTS.put(self.accepts) | REQUESTS.put(self.requests)
    }
}

impl Current {
    /// Walks through the half windows until the same draw is admitted: after 14 halvings nothing is left to refuse by.
    #[cold]
    const fn wait(&self, random: u64, policy: &ThrottlePolicy) -> Wait {
        let (mut halvings, mut wait) = (1, self.left);
        while halvings < REQUESTS.bits() && !self.state.halved(halvings).admits(random, policy) {
            halvings = halvings.saturating_add(1);
            wait = wait.saturating_add(policy.halves().nanos());
        }
        Wait::Nanos(wait)
    }
}

impl Packed for ThrottleState {
    #[inline]
    fn pack(self) -> u64 {
        self.bits()
    }

    #[inline]
    fn unpack(bits: u64) -> Self {
        Self { half: HALF.get(bits), requests: REQUESTS.get(bits), accepts: ACCEPTS.get(bits) }
    }
}
