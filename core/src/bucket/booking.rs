//! `Booking`: a place in the refill that lies ahead.

use crate::time::Instant;
use crate::tokens::Tokens;

/// Tokens taken in advance: the call may go at [`Booking::ready_at`]. Neither `Clone` nor `Copy`.
///
/// A booking needs no settling when the call goes. When it does not, [`TokenBucket::cancel`](crate::TokenBucket::cancel)
/// gives back what can still be given; a booking that is merely dropped has used its tokens.
#[derive(Debug, Eq, PartialEq)]
#[must_use = "the call may not go before it is ready; a booking that is dropped has used its tokens"]
pub struct Booking {
    pub(super) ready_at: Instant,
    pub(super) cost: Tokens,
    /// The bucket's mark right after this booking: its end in the order of bookings.
    pub(super) mark: Option<u64>,
}

impl Booking {
    /// When the call may go; not before the time at which it was booked.
    pub const fn ready_at(&self) -> Instant {
        self.ready_at
    }

    /// What it took.
    pub const fn cost(&self) -> Tokens {
        self.cost
    }
}
