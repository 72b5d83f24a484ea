//! A plain breaker, limiter and facade that pass every scenario, each with a switch that breaks it in one way.

mod breaker;
mod circuit;
mod limiter;

pub(crate) use breaker::{BreakerFlaw, ReferenceBreaker};
pub(crate) use circuit::{CircuitFlaw, ReferenceCircuit};
pub(crate) use limiter::{LimiterFlaw, ReferenceLimiter};
