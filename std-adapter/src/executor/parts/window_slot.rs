//! `WindowSlot`: where a breaker's window stands, so that another one can be put in its place.

use crate::config::{BreakerWindow, WindowPolicy};
use arc_swap::ArcSwapOption;
use fusebox_core::WindowHolder;
use std::sync::Arc;

/// A window of the kind that its policy says; a settled call reads it without a lock.
#[derive(Debug)]
pub(super) struct WindowSlot {
    present: ArcSwapOption<(WindowPolicy, BreakerWindow)>,
}

impl WindowSlot {
    pub(super) fn new(policy: Option<WindowPolicy>) -> Self {
        Self { present: ArcSwapOption::new(made(policy)) }
    }

    /// Puts an empty window in the place of one that is not as `policy` says.
    pub(super) fn change(&self, policy: Option<WindowPolicy>) {
        if self.present.load().as_ref().map(|present| present.0) != policy {
            self.present.store(made(policy));
        }
    }
}

impl WindowHolder for WindowSlot {
    type Window = BreakerWindow;

    fn with<R>(&self, work: impl FnOnce(&BreakerWindow) -> R) -> R {
        static NONE: BreakerWindow = BreakerWindow::None;
        match &*self.present.load() {
            Some(present) => work(&present.1),
            None => work(&NONE),
        }
    }
}

fn made(policy: Option<WindowPolicy>) -> Option<Arc<(WindowPolicy, BreakerWindow)>> {
    policy.map(|policy| Arc::new((policy, policy.window())))
}
