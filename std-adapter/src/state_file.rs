//! A file that keeps a program's state across restarts: written as a whole or not at all, and read with its age. Feature
//! `state-file`.
//!
//! ```
//! use fusebox::state_file::StateFile;
//!
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("state.json");
//! let file = StateFile::new(path);
//! assert!(file.load::<Vec<String>>()?.is_none());
//!
//! file.save(&vec!["web_search"])?;
//! let saved = file.load::<Vec<String>>()?.expect("it was just saved");
//! assert_eq!(saved.state, ["web_search"]);
//! assert!(saved.age.as_secs() < 60);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod error;

pub use error::StateFileError;

use core::time::Duration;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// A file that keeps a state across restarts, as JSON with a version and the time of saving.
///
/// Both operations block; from async code call them where blocking is allowed, `tokio::task::spawn_blocking` for one.
#[derive(Clone, Debug)]
pub struct StateFile {
    path: PathBuf,
}

/// A state as it was saved.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Saved<T> {
    /// The state.
    pub state: T,
    /// How long ago it was saved by the wall clock, to the millisecond; 0 where the clock went back since.
    pub age: Duration,
}

/// The version of the frame around the state; what is in the state is the business of its own type.
const VERSION: u32 = 1;
const FORMAT: &str = "fusebox-state";

#[derive(Serialize)]
struct Written<'s, T> {
    format: &'static str,
    version: u32,
    saved_at_ms: u64,
    state: &'s T,
}

/// The frame alone, so that a file of another version is told from one that is damaged.
#[derive(Deserialize)]
struct Frame {
    format: Option<String>,
    version: Option<u32>,
}

#[derive(Deserialize)]
struct Read<T> {
    saved_at_ms: u64,
    state: T,
}

impl StateFile {
    /// The file at this path. It is not touched yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the state in the place of the one before.
    ///
    /// It is written to another file in the same folder, brought to the disk, and renamed: whatever happens meanwhile,
    /// the file is the old one or the new one. On Unix only its owner may read it, as a state may tell who was called.
    ///
    /// # Errors
    /// That the state cannot be written as JSON, or the file cannot be written; the old file is still there.
    pub fn save<T: Serialize>(&self, state: &T) -> Result<(), StateFileError> {
        self.save_at(state, SystemTime::now())
    }

    /// Reads the state, if there is a file.
    ///
    /// # Errors
    /// That the file cannot be read, is damaged, is of another version, or is none of ours. It is left as it is, so that
    /// somebody can look at it; the next [`save`](Self::save) replaces it.
    pub fn load<T: DeserializeOwned>(&self) -> Result<Option<Saved<T>>, StateFileError> {
        self.load_at(SystemTime::now())
    }

    fn save_at<T: Serialize>(&self, state: &T, now: SystemTime) -> Result<(), StateFileError> {
        let written = Written { format: FORMAT, version: VERSION, saved_at_ms: millis(now), state };
        // before a file is opened: a state that is no JSON is no fault of the disk's
        let text = serde_json::to_vec(&written).map_err(StateFileError::State)?;
        self.replace(&text).map_err(|error| StateFileError::Write(self.path.clone(), error))
    }

    fn replace(&self, text: &[u8]) -> io::Result<()> {
        let folder = match self.path.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(text)?;
        file.as_file().sync_all()?;
        file.persist(&self.path)?;
        sync_folder(folder)
    }

    fn load_at<T: DeserializeOwned>(&self, now: SystemTime) -> Result<Option<Saved<T>>, StateFileError> {
        let text = match fs::read(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StateFileError::Read(self.path.clone(), error)),
        };
        let file = || self.path.clone();
        let damaged = |error| StateFileError::Damaged(file(), error);
        match serde_json::from_slice(&text).map_err(damaged)? {
            Frame { format: Some(format), version: Some(VERSION) } if format == FORMAT => {}
            Frame { format: Some(format), version: Some(found) } if format == FORMAT => {
                return Err(StateFileError::Version { file: file(), found, allowed: VERSION });
            }
            _ => return Err(StateFileError::Foreign(file())),
        }
        let Read { saved_at_ms, state } = serde_json::from_slice(&text).map_err(damaged)?;
        let age = Duration::from_millis(millis(now).saturating_sub(saved_at_ms));
        Ok(Some(Saved { state, age }))
    }
}

/// Milliseconds since 1970; a clock that is before it counts as there.
fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Brings the renaming itself to the disk.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    fs::File::open(folder)?.sync_all()
}

/// Elsewhere a folder cannot be opened, and the system keeps the order itself.
#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests;
