//! `AvailableTools`: which tools an agent may be offered now, and when the others return.

use super::handle::Entry;
use crate::Sleep;
use crate::executor::Absence;
use serde::{Deserialize, Serialize};

/// The tools of a registry at one moment, by name.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct AvailableTools {
    /// Tools whose breaker lets a call through.
    pub available: Vec<String>,
    /// Tools whose breaker refuses.
    pub unavailable: Vec<UnavailableTool>,
}

/// A tool whose breaker refuses calls.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct UnavailableTool {
    /// Its name.
    pub name: String,
    /// When it returns at the latest, in milliseconds rounded up; absent when it was forced open. A probe that succeeds
    /// may bring it back sooner.
    pub returns_in_ms: Option<u64>,
}

impl AvailableTools {
    pub(super) fn of<'a, C: Sleep + 'a>(entries: impl Iterator<Item = &'a Entry<C>>) -> Self {
        let mut tools = Self::default();
        for entry in entries {
            let name = entry.name.to_string();
            match entry.executor.absence() {
                None => tools.available.push(name),
                Some(Absence { returns_in }) => {
                    let returns_in_ms = returns_in.map(crate::result::millis_up);
                    tools.unavailable.push(UnavailableTool { name, returns_in_ms });
                }
            }
        }
        tools.available.sort_unstable();
        tools.unavailable.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        tools
    }
}
