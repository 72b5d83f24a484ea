//! `WindowConfig`: which of the latest calls a breaker's rates are about, and `WindowPolicy`: the same, checked.

use super::{ConfigError, DurationText};
use core::time::Duration;
use fusebox_core::{ChosenWindow, CountWindow, TimeWindow};
use serde::{Deserialize, Serialize};

/// Which of the latest calls a breaker's rates are about: so many, or those of a span of time.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "config-file", derive(schemars::JsonSchema))]
pub struct WindowConfig {
    /// The latest calls, 1 to 2047; either this or `span`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calls: Option<u32>,
    /// The calls of the latest span of time, 1 s to 365 days; either this or `calls`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub span: Option<DurationText>,
    /// The steps in which a span moves on, 2 to 63; more of them forget more evenly and cost more. Default: 10.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slots: Option<u32>,
}

/// A checked window.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum WindowPolicy {
    Calls(u32),
    Span { span: Duration, slots: u32 },
}

/// The window of a breaker that is configured at run time: room for 2047 calls, or for 63 slots.
pub(crate) type BreakerWindow = ChosenWindow<74, 63>;

const DEFAULT_SLOTS: u32 = 10;

impl WindowConfig {
    pub(super) const fn is_given(&self) -> bool {
        self.calls.is_some() || self.span.is_some() || self.slots.is_some()
    }

    pub(super) fn or(self, defaults: &Self) -> Self {
        // calls and a span are two ways to write one thing: setting either hides the other of the defaults
        let (own_calls, own_span) = (self.calls.is_some(), self.span.is_some());
        Self {
            calls: self.calls.or(defaults.calls.filter(|_| !own_span)),
            span: self.span.or(defaults.span.filter(|_| !own_calls)),
            slots: self.slots.or(defaults.slots.filter(|_| !own_calls)),
        }
    }

    pub(super) fn build(&self) -> Result<Option<WindowPolicy>, ConfigError> {
        let window = match (self.calls, self.span, self.slots) {
            (None, None, None) => return Ok(None),
            (Some(calls), None, None) => WindowPolicy::Calls(calls),
            (None, Some(span), slots) => WindowPolicy::Span { span: span.0, slots: slots.unwrap_or(DEFAULT_SLOTS) },
            (Some(calls), Some(_), _) => {
                let allowed = "only one of it and breaker.window.span";
                return Err(ConfigError::new("breaker.window.calls", calls, allowed));
            }
            (_, None, Some(slots)) => {
                return Err(ConfigError::new("breaker.window.slots", slots, "only with breaker.window.span"));
            }
        };
        window.make().map(|_| Some(window)).map_err(|error| ConfigError::in_section("breaker", error))
    }

    pub(super) fn show(window: Option<WindowPolicy>) -> Self {
        match window {
            None => Self::default(),
            Some(WindowPolicy::Calls(calls)) => Self { calls: Some(calls), ..Self::default() },
            Some(WindowPolicy::Span { span, slots }) => {
                Self { calls: None, span: Some(span.into()), slots: Some(slots) }
            }
        }
    }
}

impl WindowPolicy {
    /// An empty window.
    pub(crate) fn window(self) -> BreakerWindow {
        self.make().unwrap_or(BreakerWindow::None) // it was checked
    }

    fn make(self) -> Result<BreakerWindow, fusebox_core::PolicyError> {
        match self {
            Self::Calls(calls) => CountWindow::new(calls).map(BreakerWindow::Count),
            Self::Span { span, slots } => TimeWindow::with_slots(span, slots).map(BreakerWindow::Time),
        }
    }
}
