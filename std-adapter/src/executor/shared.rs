//! `Shared`: what the executors of one dependency have in common, whatever their policy and their limiter.

use super::latency::Latency;
use crate::telemetry::Telemetry;
use std::sync::OnceLock;

/// What the executors of one dependency have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) telemetry: Telemetry,
    /// How long attempts took lately, once calls are hedged by it.
    pub(crate) latency: OnceLock<Latency>,
}

impl Shared {
    pub(crate) const fn new(telemetry: Telemetry) -> Self {
        Self { telemetry, latency: OnceLock::new() }
    }
}
