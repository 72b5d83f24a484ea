//! `Faults`: all that is wrong with a TOOLS.toml, one line each.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// One thing that is wrong, and where.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Fault {
    /// Line and column, from 1, where they are known.
    pub(crate) at: Option<(usize, usize)>,
    /// The path of the field, its value and what is allowed.
    pub(crate) message: String,
}

/// All that is wrong with a file. Never empty.
#[derive(Debug)]
pub(crate) struct Faults {
    file: PathBuf,
    faults: Vec<Fault>,
}

impl Faults {
    /// In the order of the file.
    pub(crate) fn new(file: &Path, mut faults: Vec<Fault>) -> Self {
        faults.sort_by_key(|fault| fault.at);
        Self { file: file.to_owned(), faults }
    }

    /// A file that cannot be read at all.
    pub(crate) fn unreadable(file: &Path, error: &io::Error) -> Self {
        Self::new(file, vec![Fault { at: None, message: error.to_string() }])
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Fault { at, message }) in self.faults.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{}:", self.file.display())?;
            if let Some((line, column)) = at {
                write!(f, "{line}:{column}:")?;
            }
            write!(f, " {message}")?;
        }
        Ok(())
    }
}

impl Error for Faults {}
