//! `AvailableTools`: which tools an agent may be offered now, and when the others return.

use super::entry::Entry;
use crate::Sleep;
use crate::executor::Absence;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The tools of a registry at one moment, by name.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[non_exhaustive]
pub struct AvailableTools {
    /// Tools whose breaker lets a call through.
    pub available: Vec<AvailableTool>,
    /// Tools whose breaker refuses.
    pub unavailable: Vec<UnavailableTool>,
}

/// A tool that can be called, as its users must know it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[non_exhaustive]
pub struct AvailableTool {
    /// Its name.
    pub name: String,
    /// What it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The JSON Schema of its arguments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub args: Option<Value>,
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
    /// The names of the available tools.
    pub fn names(&self) -> Vec<&str> {
        self.available.iter().map(|tool| tool.name.as_str()).collect()
    }

    /// Of tools in the order of their names.
    pub(super) fn of<'a, C: Sleep + Clone + 'a>(entries: impl Iterator<Item = &'a Entry<C>>) -> Self {
        let mut tools = Self::default();
        for entry in entries {
            let name = entry.name.to_string();
            match entry.executor().absence() {
                None => {
                    let (description, args) = (entry.description.clone(), entry.args.clone());
                    tools.available.push(AvailableTool { name, description, args });
                }
                Some(Absence { returns_in }) => {
                    let returns_in_ms = returns_in.map(crate::result::millis_up);
                    tools.unavailable.push(UnavailableTool { name, returns_in_ms });
                }
            }
        }
        tools
    }
}
