//! `Watched`: a file and what was last seen of it, so that only changes are reported.

use super::{Document, FileError, Overrides};
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
    /// Reads the file for the first time, by `read`.
    pub(super) fn new<T>(
        file: PathBuf,
        overrides: Overrides,
        read: impl FnMut(Document<'_>) -> Result<T, FileError>,
    ) -> Result<(T, Self), FileError> {
        let mut watched = Self { file, overrides, seen: Err(String::new()) };
        let first = watched.look(read).unwrap_or_else(|| Err(FileError::unreadable(&watched.file, "")))?;
        Ok((first, watched))
    }

    /// Reads the file anew, by `read`; none if it is as it was.
    pub(super) fn look<T>(
        &mut self,
        read: impl FnMut(Document<'_>) -> Result<T, FileError>,
    ) -> Option<Result<T, FileError>> {
        let now = fs::read_to_string(&self.file).map_err(|error| error.to_string());
        if now == self.seen {
            return None;
        }
        self.seen = now;
        Some(match &self.seen {
            Ok(text) => Document::parse(Some(&self.file), text, &self.overrides).and_then(read),
            Err(why) => Err(FileError::unreadable(&self.file, why)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RegistryConfig;

    fn whole(document: Document<'_>) -> Result<RegistryConfig, FileError> {
        document.finish()
    }

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
        let (config, mut watched) = Watched::new(file.clone(), Overrides::default(), whole).expect("it is right");
        assert_eq!(config.defaults.max_retries, Some(1));
        assert!(watched.look(whole).is_none());
        write(one);
        assert!(watched.look(whole).is_none());
        write(two);
        assert_eq!(retries(watched.look(whole)), Some(Ok(Some(2))));
        assert!(watched.look(whole).is_none());
        write("tools = 3");
        assert!(retries(watched.look(whole)).is_some_and(|change| change.is_err()));
        assert!(watched.look(whole).is_none());
        write(two);
        assert_eq!(retries(watched.look(whole)), Some(Ok(Some(2))));
        fs::remove_file(&file).expect("it can be removed");
        assert!(retries(watched.look(whole)).is_some_and(|change| change.is_err()));
        assert!(watched.look(whole).is_none());
        write(two);
        assert_eq!(retries(watched.look(whole)), Some(Ok(Some(2))));
    }
}
