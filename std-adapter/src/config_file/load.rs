//! A `RegistryConfig` from a file or a text.

use super::{Document, FileError, Overrides};
use crate::RegistryConfig;
use std::fs;
use std::path::Path;

impl RegistryConfig {
    /// Reads and checks a TOML file, with overrides by environment variables.
    ///
    /// # Errors
    /// That the file cannot be read, or all that is wrong with it; see [`Document::finish`].
    pub fn load(file: impl AsRef<Path>, overrides: &Overrides) -> Result<Self, FileError> {
        let file = file.as_ref();
        let text = fs::read_to_string(file).map_err(|error| FileError::unreadable(file, &error.to_string()))?;
        Document::parse(Some(file), &text, overrides)?.finish()
    }

    /// Reads and checks a TOML text, with overrides by environment variables.
    ///
    /// # Errors
    /// All that is wrong with it; see [`Document::finish`].
    pub fn from_toml(text: &str, overrides: &Overrides) -> Result<Self, FileError> {
        Document::parse(None, text, overrides)?.finish()
    }
}
