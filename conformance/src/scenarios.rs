//! The scenarios, one file each: plain functions from a subject to a verdict.

pub(crate) mod backward_clock;
pub(crate) mod cancelled_probe;
pub(crate) mod cancelled_wait;
pub(crate) mod forgetting;
mod half_open;
pub(crate) mod ignored_outcome;
pub(crate) mod long_horizon;
pub(crate) mod lost_probe;
pub(crate) mod never_fits;
pub(crate) mod policy_change;
pub(crate) mod polling;
pub(crate) mod probe_limit;
pub(crate) mod refusing_part;
pub(crate) mod sliding_window;
pub(crate) mod stale_success;
pub(crate) mod window_cost;

use crate::limiter::LimiterUnderTest;
use crate::time::Nanos;

/// Takes single tokens at `now` until one is denied, at most `limit` of them, and says how many.
fn take_all(limiter: &impl LimiterUnderTest, now: Nanos, limit: u64) -> u64 {
    let mut taken = 0;
    while taken < limit && limiter.try_acquire(now, 1).is_ok() {
        taken += 1;
    }
    taken
}
