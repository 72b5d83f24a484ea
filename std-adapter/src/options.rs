//! `CallOptions`: what a caller asks for one call, beside its arguments.

use crate::IdempotencyKey;
use core::time::Duration;
use fusebox_core::Priority;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// What a caller asks for one call, beside its arguments.
#[derive(Clone, Debug, Default)]
pub struct CallOptions {
    /// What the call costs of the rate limit. Default: normal, one token.
    pub priority: Priority,
    /// The longest that the whole call may take; the policy's deadline applies too. Default: none.
    pub deadline: Option<Duration>,
    /// Cancels the call when it fires; the call then ends as [`CallError::Cancelled`](crate::CallError::Cancelled).
    pub cancel: Option<CancellationToken>,
    /// What tells the dependency that two attempts are one call. Default: a key of the call's own.
    pub idempotency_key: Option<IdempotencyKey>,
    /// The host, tenant or other key whose circuit the call belongs to, for a tool with keyed circuits. Default: the
    /// empty key.
    pub circuit_key: Option<Arc<str>>,
    /// Who calls, for a registry with rules. Default: somebody without a role.
    pub role: Option<Arc<str>>,
    /// Whether somebody has approved the call, for a registry with rules. Default: no.
    pub approved: bool,
}
