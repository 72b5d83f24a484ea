//! `FileError`: all that is wrong with a file, each thing with its place.

use core::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};

/// All that is wrong with a file and its overrides. Shown one per line: `tools.toml:3:5: tools.a.policy.timeout is 0s:
/// allowed is 1ms to 365days`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FileError {
    file: Option<PathBuf>,
    faults: Vec<FileFault>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub struct FileFault {
    /// Where it stands.
    pub place: Place,
    /// The path of the field, such as `tools.search.policy.timeout`; empty where it is about the file as a whole.
    pub field: String,
    /// The path of the field, its value and what is allowed, as a sentence.
    pub message: String,
}

/// Where a value of a configuration comes from.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Place {
    /// From no place that is known: the file cannot be read, or the field stands in nothing that was read.
    Unknown,
    /// From the file.
    At {
        /// From 1.
        line: usize,
        /// In characters, from 1.
        column: usize,
    },
    /// From an environment variable of this name.
    Variable(String),
}

impl FileError {
    /// In the order of the file, then by variable.
    pub(super) fn new(file: Option<&Path>, mut faults: Vec<FileFault>) -> Self {
        faults.sort_by(|a, b| a.place.cmp(&b.place));
        Self { file: file.map(Path::to_owned), faults }
    }

    /// A file that cannot be read at all.
    pub(super) fn unreadable(file: &Path, why: &str) -> Self {
        let message = format!("the file cannot be read: {why}");
        Self::new(Some(file), vec![FileFault { place: Place::Unknown, field: String::new(), message }])
    }

    /// The file, unless the text came from elsewhere.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// All that is wrong, at least one thing, in the order of the file.
    pub fn faults(&self) -> &[FileFault] {
        &self.faults
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, FileFault { place, message, .. }) in self.faults.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            match (place, &self.file) {
                (Place::Variable(name), _) => write!(f, "{name}: ")?,
                (Place::At { line, column }, Some(file)) => write!(f, "{}:{line}:{column}: ", file.display())?,
                (Place::At { line, column }, None) => write!(f, "{line}:{column}: ")?,
                (Place::Unknown, Some(file)) => write!(f, "{}: ", file.display())?,
                (Place::Unknown, None) => {}
            }
            f.write_str(message)?;
        }
        Ok(())
    }
}

impl Error for FileError {}
