//! `CircuitPolicy`: which parts a circuit has, each under its own checked policy.

use crate::breaker::BreakerPolicy;
use crate::bucket::BucketPolicy;
use crate::bulkhead::BulkheadPolicy;

/// The parts of a circuit. A part that is `None` admits everything.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct CircuitPolicy {
    /// When to refuse calls because earlier ones failed.
    pub breaker: Option<BreakerPolicy>,
    /// How many calls may be in flight.
    pub bulkhead: Option<BulkheadPolicy>,
    /// How many calls may go per time.
    pub bucket: Option<BucketPolicy>,
}

impl CircuitPolicy {
    /// No part at all: everything is admitted. A start for struct literals in a `const`.
    pub const UNLIMITED: Self = Self { breaker: None, bulkhead: None, bucket: None };
}
