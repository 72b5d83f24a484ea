//! `Latest`: when a call was last refused, and how an attempt last failed.

use crate::ErrorCategory;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use fusebox_core::Instant;

/// The latest of what a status page shows; each word stands for itself.
#[derive(Debug)]
pub(crate) struct Latest {
    /// Nanoseconds; [`NEVER`] while no call was refused.
    refused_at: AtomicU64,
    /// The place of the category in [`ErrorCategory::ALL`]; past its end while nothing has failed.
    error: AtomicUsize,
}

/// The last point of the clock, 584 years after its origin, stands for "not yet".
const NEVER: u64 = u64::MAX;

impl Default for Latest {
    fn default() -> Self {
        Self { refused_at: AtomicU64::new(NEVER), error: AtomicUsize::new(usize::MAX) }
    }
}

impl Latest {
    pub(crate) fn refused(&self, now: Instant) {
        self.refused_at.store(now.as_nanos(), Ordering::Relaxed);
    }

    pub(crate) fn failed(&self, error: ErrorCategory) {
        if let Some(place) = ErrorCategory::ALL.iter().position(|&category| category == error) {
            self.error.store(place, Ordering::Relaxed);
        }
    }

    /// When a limit last refused an attempt for good.
    pub(crate) fn refused_at(&self) -> Option<Instant> {
        match self.refused_at.load(Ordering::Relaxed) {
            NEVER => None,
            nanos => Some(Instant::from_nanos(nanos)),
        }
    }

    /// The kind of error with which an attempt last failed.
    pub(crate) fn error(&self) -> Option<ErrorCategory> {
        ErrorCategory::ALL.get(self.error.load(Ordering::Relaxed)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_latest_at_first() {
        let latest = Latest::default();
        assert_eq!((latest.refused_at(), latest.error()), (None, None));
    }

    #[test]
    fn every_category_and_the_origin_of_the_clock_are_kept() {
        let latest = Latest::default();
        latest.refused(Instant::ORIGIN);
        assert_eq!(latest.refused_at(), Some(Instant::ORIGIN));
        for category in ErrorCategory::ALL {
            latest.failed(category);
            assert_eq!(latest.error(), Some(category));
        }
    }
}
