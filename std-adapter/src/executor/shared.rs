//! `Shared`: what the executors of one dependency have in common, whatever their policy and their limiter.

use super::latency::Latency;
use crate::counters::Counters;
use std::sync::OnceLock;

/// What the executors of one dependency have in common.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    pub(crate) counters: Counters,
    /// How long attempts took lately, once calls are hedged by it.
    pub(crate) latency: OnceLock<Latency>,
}
