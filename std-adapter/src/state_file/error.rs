//! `StateFileError`: why a state was not saved or not read.

use core::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why a state was not saved or not read. The file is as it was.
#[derive(Debug)]
#[non_exhaustive]
pub enum StateFileError {
    /// The state cannot be written as JSON.
    State(serde_json::Error),
    /// The file cannot be written.
    Write(PathBuf, io::Error),
    /// The file cannot be read.
    Read(PathBuf, io::Error),
    /// The file is damaged, or its state is of another type.
    Damaged(PathBuf, serde_json::Error),
    /// The file is JSON, but no state of ours.
    Foreign(PathBuf),
    /// The file has a version that cannot be read here; it is of another release.
    Version {
        /// The file.
        file: PathBuf,
        /// Its version.
        found: u32,
        /// The version that can be read.
        allowed: u32,
    },
}

impl fmt::Display for StateFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::State(error) => write!(f, "the state cannot be written as JSON: {error}"),
            Self::Write(file, error) => write!(f, "{} cannot be written: {error}", file.display()),
            Self::Read(file, error) => write!(f, "{} cannot be read: {error}", file.display()),
            Self::Damaged(file, error) => write!(f, "{} is damaged: {error}", file.display()),
            Self::Foreign(file) => write!(f, "{} is no saved state", file.display()),
            Self::Version { file, found, allowed } => {
                write!(f, "{} has the version {found}: allowed is {allowed}", file.display())
            }
        }
    }
}

impl Error for StateFileError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::State(error) | Self::Damaged(_, error) => Some(error),
            Self::Write(_, error) | Self::Read(_, error) => Some(error),
            Self::Foreign(_) | Self::Version { .. } => None,
        }
    }
}
