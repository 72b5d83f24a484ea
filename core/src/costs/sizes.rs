//! The sizes of states, of what a call holds, and of policies.

use crate::breaker::Ticket;
use crate::bulkhead::BulkheadTicket;
use crate::*;
use core::fmt::Write;
use std::string::String;

macro_rules! sizes {
    ($($type:ty),* $(,)?) => { &[$((stringify!($type), size_of::<$type>())),*] };
}

type Sizes = &'static [(&'static str, usize)];

const STATES: Sizes = sizes![
    Breaker,
    Breaker<CountWindow>,
    Breaker<TimeWindow>,
    TokenBucket,
    Bulkhead,
    AdaptiveRate,
    RetryBudget,
    Throttle,
    Circuit,
    Circuit<CountWindow>,
    Circuit<TimeWindow>,
    Fuse,
    Panel<8>,
];
const WINDOWS: Sizes = sizes![
    NoWindow,
    CountWindow<1>,
    CountWindow<4>,
    CountWindow<36>,
    CountWindow<74>,
    TimeWindow<2>,
    TimeWindow<10>,
    TimeWindow<60>,
];
const HELD: Sizes = sizes![Ticket, BulkheadTicket, Booking, Permit];
const POLICIES: Sizes = sizes![
    BreakerPolicy,
    BucketPolicy,
    PriorityPolicy,
    AdaptivePolicy,
    BulkheadPolicy,
    RetryBudgetPolicy,
    ThrottlePolicy,
    CircuitPolicy,
    Backoff,
    DecorrelatedBackoff,
];

/// A breaker and a bucket together.
pub(super) const BREAKER_AND_BUCKET: usize = size_of::<Breaker>() + size_of::<TokenBucket>();

pub(super) fn render(text: &mut String) {
    let mut table = |head: &str, sizes: Sizes| {
        writeln!(text, "\n| {head} | bytes |\n|---|---:|").expect("a string takes all");
        for (name, bytes) in sizes {
            writeln!(text, "| `{name}` | {bytes} |").expect("a string takes all");
        }
    };
    table("state", STATES);
    table("window, within its breaker", WINDOWS);
    table("what a call holds", HELD);
    table("policy, shared by any number of states", POLICIES);
    writeln!(text, "\nA breaker and a bucket together: {BREAKER_AND_BUCKET} bytes, of at most 40.")
        .expect("a string takes all");
}
