//! `Refusal`: who refused a call and when to return.

use core::error::Error;
use core::time::Duration;
use fusebox_core::{Part, Rejection, Wait};
use std::fmt;
use std::sync::Arc;

/// Why a call was refused and when to return. Nothing was taken from anything.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Refusal {
    /// The part that refused.
    pub by: Part,
    /// When the answer can change.
    pub wait: Wait,
    /// Whose part it is.
    pub scope: Scope,
}

/// Whose limit refused. Complete.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Scope {
    /// The tool's own.
    Own,
    /// One that it shares with others: the name of a group, or `registry` for the limit above all tools.
    Shared(Arc<str>),
}

impl Refusal {
    /// A refusal by the tool's own circuit.
    pub const fn own(rejection: Rejection) -> Self {
        Self { by: rejection.by, wait: rejection.wait, scope: Scope::Own }
    }

    /// How long to wait, where a time is known.
    pub const fn retry_after(&self) -> Option<Duration> {
        self.wait.duration()
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "refused by the {}", self.by)?;
        if let Scope::Shared(name) = &self.scope {
            write!(f, " of {name:?}")?;
        }
        match (self.wait, self.wait.duration()) {
            (_, Some(wait)) => write!(f, ", retry after {wait:?}"),
            (Wait::Never, _) => f.write_str(", waiting does not help"),
            _ => Ok(()),
        }
    }
}

impl Error for Refusal {}
