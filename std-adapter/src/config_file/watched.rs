//! `Watched`: a file and what was last seen of it, so that only changes are reported.

use super::{Document, FileError, Overrides};
use crate::RegistryConfig;
use std::fs;
use std::path::PathBuf;

/// A file and what was last seen of it.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) file: PathBuf,
    pub(super) overrides: Overrides,
    /// Its text, or why it could not be read.
    seen: Result<String, String>,
}

impl Watched {
    /// Reads the file for the first time.
    pub(super) fn new(file: PathBuf, overrides: Overrides) -> Result<(RegistryConfig, Self), FileError> {
        let mut watched = Self { file, overrides, seen: Err(String::new()) };
        let config = watched.look().unwrap_or_else(|| Err(FileError::unreadable(&watched.file, "")))?;
        Ok((config, watched))
    }

    /// Reads the file anew; none if it is as it was.
    pub(super) fn look(&mut self) -> Option<Result<RegistryConfig, FileError>> {
        let now = fs::read_to_string(&self.file).map_err(|error| error.to_string());
        if now == self.seen {
            return None;
        }
        self.seen = now;
        Some(match &self.seen {
            Ok(text) => Document::parse(Some(&self.file), text, &self.overrides).and_then(Document::finish),
            Err(why) => Err(FileError::unreadable(&self.file, why)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_is_told_once_and_again_when_it_was_gone() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("tools.toml");
        let write = |text: &str| fs::write(&file, text).expect("it can be written");
        let [one, two] = ["defaults.max_retries = 1", "defaults.max_retries = 2"];
        let retries = |look: Option<Result<RegistryConfig, FileError>>| {
            look.map(|change| change.map(|config| config.defaults.max_retries).map_err(|error| error.to_string()))
        };

        write(one);
        let (config, mut watched) = Watched::new(file.clone(), Overrides::default()).expect("it is right");
        assert_eq!(config.defaults.max_retries, Some(1));
        assert!(watched.look().is_none());
        write(one);
        assert!(watched.look().is_none());
        write(two);
        assert_eq!(retries(watched.look()), Some(Ok(Some(2))));
        assert!(watched.look().is_none());
        write("tools = 3");
        assert!(retries(watched.look()).is_some_and(|change| change.is_err()));
        assert!(watched.look().is_none());
        write(two);
        assert_eq!(retries(watched.look()), Some(Ok(Some(2))));
        fs::remove_file(&file).expect("it can be removed");
        assert!(retries(watched.look()).is_some_and(|change| change.is_err()));
        assert!(watched.look().is_none());
        write(two);
        assert_eq!(retries(watched.look()), Some(Ok(Some(2))));
    }
}
