//! Random outcomes of calls.

use fastrand::Rng;
use fusebox_core::Outcome;

/// Any outcome; successes and failures are the usual ones.
pub(super) fn any_outcome(rng: &mut Rng) -> Outcome {
    match rng.u8(..8) {
        0..=2 => Outcome::Success,
        3..=5 => Outcome::Failure,
        6 => Outcome::Ignored,
        _ => Outcome::Cancelled,
    }
}
