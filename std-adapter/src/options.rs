//! `CallOptions` and `Attempt`: what a caller asks for, and what a tool is told.

use core::time::Duration;
use fusebox_core::Priority;
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
}

/// What a tool is told about the attempt that it makes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Attempt {
    /// The number of the attempt within its call, from 1.
    pub number: u32,
    /// What is left of the call's deadline, where it has one.
    pub time_left: Option<Duration>,
}
