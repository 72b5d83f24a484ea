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
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl ToolError {
    /// An error without a cause.
    pub fn new(category: ErrorCategory, message: impl Into<String>) -> Self {
        Self { category, message: message.into(), retry_after: None, source: None }
    }

    /// An error caused by `source`, with its message.
    pub fn caused_by(category: ErrorCategory, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let source = source.into();
        Self { category, message: source.to_string(), retry_after: None, source: Some(source) }
    }

    /// The same error, asking its callers to stay away for `retry_after`.
    #[must_use]
    pub fn with_retry_after(mut self, retry_after: Duration) -> Self {
        self.retry_after = Some(retry_after);
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
        Self::caused_by(error.category(), error)
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
}
