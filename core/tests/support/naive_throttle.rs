//! A throttle as its documentation words it, one half window after the other: the oracle of its tests and of its fuzz
//! target. It shares no code with the core.

use fusebox_core::{ThrottleConfig, ThrottlePolicy};

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Naive {
    pub(crate) half: i128,
    pub(crate) requests: u128,
    pub(crate) accepts: u128,
}

impl Naive {
    pub(crate) fn follow(&mut self, policy: &ThrottlePolicy, now: u64) {
        let number = i128::from(now) / (policy.config().window.as_nanos().cast_signed() / 2);
        if number == self.half - 1 {
            return;
        }
        while self.half < number && self.requests > 0 {
            (self.requests, self.accepts, self.half) = (self.requests / 2, self.accepts / 2, self.half + 1);
        }
        self.half = number;
    }

    pub(crate) fn count(&mut self, accepted: bool) {
        if self.requests == 16_383 {
            (self.requests, self.accepts) = (self.requests / 2, self.accepts / 2);
        }
        (self.requests, self.accepts) = (self.requests + 1, self.accepts + u128::from(accepted));
    }

    pub(crate) fn refuses(&self, policy: &ThrottlePolicy, random: u64) -> bool {
        let ThrottleConfig { ratio_milli, padding, .. } = *policy.config();
        let above = (1_000 * self.requests).saturating_sub(self.accepts * u128::from(ratio_milli));
        u128::from(random) * 1_000 * (self.requests + u128::from(padding)) < above << 64
    }
}
