//! `ToolError`: what a tool returns when it fails, and `Classify`: how any error says its category.

use crate::ErrorCategory;
use core::error::Error;
use core::time::Duration;
use std::fmt;

/// How an error type says what kind of error it is. Implement it for errors that [`Executor`](crate::Executor) sees.
pub trait Classify {
    /// The category, which decides over tripping and retrying.
    fn category(&self) -> ErrorCategory;

    /// How long the tool itself asks its callers to stay away, as in an HTTP `Retry-After`.
    fn retry_after(&self) -> Option<Duration> {
        None
    }

    /// What the tool knows about trying again, beyond its category. Default: nothing.
    fn retry_hint(&self) -> RetryHint {
        RetryHint::ByCategory
    }
}

/// What a tool knows about trying again. Complete.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum RetryHint {
    /// Nothing: the category decides, and whether the tool is idempotent.
    #[default]
    ByCategory,
    /// It is in vain, or does harm: no retry, whatever the category.
    Never,
    /// The attempt has done nothing, such as a connection that was refused: a retry does no harm, even where the tool is
    /// not idempotent. The category still decides whether it can help.
    NothingDone,
}

/// The error of a tool: a category, a message for people, and the cause.
///
/// ```
/// use fusebox::{ErrorCategory, ToolError};
/// use std::time::Duration;
///
/// let error = ToolError::new(ErrorCategory::RateLimit, "10 searches a minute").with_retry_after(Duration::from_secs(6));
/// assert_eq!(error.to_string(), "10 searches a minute");
/// ```
#[derive(Debug)]
pub struct ToolError {
    category: ErrorCategory,
    message: String,
    retry_after: Option<Duration>,
    retry_hint: RetryHint,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl ToolError {
    /// An error without a cause.
    pub fn new(category: ErrorCategory, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { category, message, retry_after: None, retry_hint: RetryHint::ByCategory, source: None }
    }

    /// An error caused by `source`, with its message.
    pub fn caused_by(category: ErrorCategory, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let source = source.into();
        let message = source.to_string();
        Self { source: Some(source), ..Self::new(category, message) }
    }

    /// The same error, asking its callers to stay away for `retry_after`, where it does.
    #[must_use]
    pub fn with_retry_after(mut self, retry_after: impl Into<Option<Duration>>) -> Self {
        self.retry_after = retry_after.into();
        self
    }

    /// The same error, with what the tool knows about trying again.
    #[must_use]
    pub fn with_retry_hint(mut self, retry_hint: RetryHint) -> Self {
        self.retry_hint = retry_hint;
        self
    }
}

impl Classify for ToolError {
    fn category(&self) -> ErrorCategory {
        self.category
    }

    fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    fn retry_hint(&self) -> RetryHint {
        self.retry_hint
    }
}

impl fmt::Display for ToolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for ToolError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl From<std::io::Error> for ToolError {
    fn from(error: std::io::Error) -> Self {
        let retry_hint = error.retry_hint();
        Self::caused_by(error.category(), error).with_retry_hint(retry_hint)
    }
}

impl Classify for std::io::Error {
    fn category(&self) -> ErrorCategory {
        use std::io::ErrorKind;
        match self.kind() {
            ErrorKind::NotFound => ErrorCategory::ResourceNotFound,
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => ErrorCategory::PermissionDenied,
            ErrorKind::ConnectionRefused
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::NotConnected
            | ErrorKind::AddrNotAvailable
            | ErrorKind::BrokenPipe
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkUnreachable
            | ErrorKind::NetworkDown
            | ErrorKind::UnexpectedEof => ErrorCategory::Network,
            ErrorKind::TimedOut => ErrorCategory::Timeout,
            ErrorKind::InvalidInput => ErrorCategory::InvalidParameters,
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::OutOfMemory => {
                ErrorCategory::ResourceExhausted
            }
            ErrorKind::ResourceBusy => ErrorCategory::ServiceUnavailable,
            _ => ErrorCategory::ExecutionError,
        }
    }
    fn retry_hint(&self) -> RetryHint {
        use std::io::ErrorKind;
        match self.kind() {
            // no connection, so nothing was sent
            ErrorKind::ConnectionRefused
            | ErrorKind::AddrNotAvailable
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkUnreachable
            | ErrorKind::NetworkDown => RetryHint::NothingDone,
            _ => RetryHint::ByCategory,
        }
    }
}
