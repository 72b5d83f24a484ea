//! `Ending`: how a command ended, as its exit code tells.

use std::fmt;
use std::process::ExitCode;

/// How a command ended. Whatever there was to say about it has been said on stderr.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Ending {
    /// All was done.
    Complete,
    /// Input, output or a service failed.
    Failed,
    /// The configuration or the command line is wrong.
    Misconfigured,
    /// It was asked to stop.
    Interrupted,
}

impl Ending {
    /// A failure, told.
    pub(crate) fn failed(error: &dyn fmt::Display) -> Self {
        eprintln!("fusebox: {error}");
        Self::Failed
    }

    /// A wrong configuration, told.
    pub(crate) fn misconfigured(error: &dyn fmt::Display) -> Self {
        eprintln!("{error}");
        Self::Misconfigured
    }
}

impl From<Ending> for ExitCode {
    fn from(ending: Ending) -> Self {
        Self::from(match ending {
            Ending::Complete => 0,
            Ending::Failed => 1,
            Ending::Misconfigured => 2,
            Ending::Interrupted => 130,
        })
    }
}
