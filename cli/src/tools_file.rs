//! `ToolsFile`: what a TOOLS.toml says, checked: a registry's configuration, and what its tools and services are.

mod command;
mod document;
mod schema;
mod service_entry;
mod tool_entry;

pub(crate) use schema::json_schema;
pub(crate) use service_entry::ServiceEntry;
pub(crate) use tool_entry::{EndpointEntry, ToolKind};

use fusebox::RegistryConfig;
use fusebox::config_file::{ConfigWatcher, Document, FileError, Overrides, WatchOptions};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf, absolute};
use std::{fs, io};

/// The content of a TOOLS.toml with its overrides. Every value in it is allowed.
#[derive(Debug)]
pub(crate) struct ToolsFile {
    /// Limits, policies, rules.
    pub(crate) config: RegistryConfig,
    /// The helper servers by name.
    pub(crate) services: BTreeMap<String, ServiceEntry>,
    /// What the tools of the configuration are, by name.
    pub(crate) tools: BTreeMap<String, ToolKind>,
}

impl ToolsFile {
    /// Reads a file, or tells all that is wrong with it.
    pub(crate) fn load(path: &Path) -> Result<Self, String> {
        let unreadable = |error: io::Error| format!("{}: the file cannot be read: {error}", path.display());
        let text = fs::read_to_string(path).map_err(unreadable)?;
        let folder = folder(path).map_err(unreadable)?;
        let overrides = overrides();
        let file = Document::parse(Some(path), &text, &overrides).and_then(|document| Self::read(document, &folder));
        file.map_err(|error| error.to_string())
    }

    /// Reads a file, and tells of every change to it until the watcher is dropped.
    pub(crate) fn watch(
        path: &Path,
        on_change: impl FnMut(Result<Self, FileError>) + Send + 'static,
    ) -> Result<(Self, ConfigWatcher), String> {
        let folder = folder(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let options = WatchOptions { overrides: overrides(), ..WatchOptions::default() };
        let read = move |document: Document<'_>| Self::read(document, &folder);
        ConfigWatcher::start_reading(path, options, read, on_change).map_err(|error| error.to_string())
    }

    /// Reads a document whose relative paths start at `folder`.
    fn read(document: Document<'_>, folder: &Path) -> Result<Self, FileError> {
        document::read(document, folder)
    }
}

fn overrides() -> Overrides {
    Overrides::of_process(Overrides::PREFIX)
}

fn folder(path: &Path) -> io::Result<PathBuf> {
    Ok(absolute(path)?.parent().map_or_else(|| PathBuf::from("/"), Path::to_owned))
}

#[cfg(test)]
#[path = "tools_file/tests.rs"]
mod tests;
