//! Scenarios for the core: primitives and their combinations under racing threads, on a clock of our own.

pub(crate) mod breaker;
pub(crate) mod bucket;
pub(crate) mod bulkhead;
mod chain;
pub(crate) mod circuit;
pub(crate) mod gates;
pub(crate) mod hostile;
mod outcomes;
pub(crate) mod rate;
pub(crate) mod retry_budget;
pub(crate) mod window;
