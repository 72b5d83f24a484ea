//! How the `command` of a TOOLS.toml is found: the folder of the file is where its relative paths start.

use std::path::{Path, PathBuf};

/// What to start for the first word of a command: this very binary for `fusebox`, a path below `folder` where there is
/// a slash in it, otherwise a name that is looked for in `PATH`.
pub(super) fn program(word: &str, folder: &Path) -> PathBuf {
    if word == "fusebox" {
        return std::env::current_exe().unwrap_or_else(|_| word.into());
    }
    if word.contains('/') { folder.join(word) } else { word.into() }
}

/// Splits a command into its program and its arguments; tells what is wrong with one that has no program.
pub(super) fn split(command: Vec<String>, folder: &Path) -> Result<(PathBuf, Vec<String>), &'static str> {
    let mut words = command.into_iter();
    match words.next() {
        Some(word) if !word.is_empty() => Ok((program(&word, folder), words.collect())),
        Some(_) => Err("starts with an empty word: allowed is the name or path of a program"),
        None => Err("is empty: allowed is a program and its arguments"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_left_to_the_search_path_and_paths_start_at_the_folder() {
        let folder = Path::new("/etc/agent");
        assert_eq!(program("grep", folder), Path::new("grep"));
        assert_eq!(program("./run.sh", folder), Path::new("/etc/agent/./run.sh"));
        assert_eq!(program("/bin/sh", folder), Path::new("/bin/sh"));
        assert!(program("fusebox", folder).is_absolute());
    }
}
