//! `Recording`: whether the tools of a registry record metrics, and under which labels.

use super::{ToolMetrics, catalogue};
use core::sync::atomic::{AtomicBool, Ordering};
use foldhash::fast::RandomState;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

/// The label of all tools beyond the cap.
const OTHER: &str = "other";

/// Whether the tools of a registry record metrics; off until it is switched on.
#[derive(Debug, Default)]
pub(crate) struct Recording {
    on: AtomicBool,
    labels: Mutex<ToolLabels>,
}

/// The tools that have a label of their own. A recorder forgets no label, so neither does this.
#[derive(Debug, Default)]
struct ToolLabels {
    given: HashSet<Arc<str>, RandomState>,
    at_most: usize,
}

impl Recording {
    /// Records from now on, with a label of their own for the first `max_tools` names. The recorder must be installed by now:
    /// handles that were made without one record nothing, for good.
    pub(crate) fn start(&self, max_tools: usize) {
        catalogue::describe();
        self.labels.lock().unwrap_or_else(PoisonError::into_inner).at_most = max_tools;
        self.on.store(true, Ordering::Release);
    }

    /// All that metrics cost while they are off: one load.
    pub(crate) fn is_on(&self) -> bool {
        self.on.load(Ordering::Relaxed)
    }

    /// The metrics of a tool, under its name or, beyond the cap, under `other`.
    pub(crate) fn metrics_of(&self, tool: &Arc<str>) -> ToolMetrics {
        let mut labels = self.labels.lock().unwrap_or_else(PoisonError::into_inner);
        let own = labels.given.contains(tool) || labels.given.len() < labels.at_most;
        if own {
            labels.given.insert(Arc::clone(tool));
            ToolMetrics::new(tool, true)
        } else {
            ToolMetrics::new(&OTHER.into(), false)
        }
    }
}
