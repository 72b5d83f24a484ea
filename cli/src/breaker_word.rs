//! The word for a breaker's state, for people.

use fusebox::BreakerStateName;

/// The word for a state.
pub(crate) const fn word(state: BreakerStateName) -> &'static str {
    match state {
        BreakerStateName::Closed => "closed",
        BreakerStateName::Open => "open",
        BreakerStateName::HalfOpen => "half-open",
        BreakerStateName::ForcedOpen => "forced open",
        BreakerStateName::ForcedClosed => "forced closed",
        _ => "unknown",
    }
}
