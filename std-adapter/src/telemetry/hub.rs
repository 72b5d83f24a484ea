//! `Hub`: where the tools of one registry report to: its subscribers and its metrics.

use super::event::{Event, EventKind};
#[cfg(feature = "metrics")]
use super::metrics::Recording;
use super::stream::Subscribers;
use super::trace;
use fusebox_core::Instant;
use std::sync::Arc;

/// Where the tools of one registry report to. Clones are the same hub.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hub {
    pub(crate) subscribers: Arc<Subscribers>,
    #[cfg(feature = "metrics")]
    pub(crate) recording: Arc<Recording>,
}

impl Hub {
    /// Reports a change of the registry: `tool` was registered, or, without a tool, a configuration was applied.
    pub(crate) fn changed(&self, tool: Option<&Arc<str>>, kind: EventKind, now: Instant) {
        trace::registry(tool.map(AsRef::as_ref), &kind);
        self.subscribers.tell(|| Event { at: now, tool: tool.cloned(), key: None, kind });
    }
}
