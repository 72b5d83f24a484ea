//! `Reloads`: every change to the TOOLS.toml while calls run, put in force or told to be wrong.

use crate::live::Live;
use crate::toolbox::Toolbox;
use crate::tools_file::ToolsFile;
use fusebox::config_file::{ConfigWatcher, FileError};
use serde::Serialize;
use std::convert::Infallible;
use std::future::pending;
use std::path::{Path, PathBuf};
use tokio::sync::mpsc;

/// The changes to a file, from when it was first read.
#[derive(Debug)]
pub(crate) struct Reloads {
    file: PathBuf,
    changes: mpsc::Receiver<Result<ToolsFile, FileError>>,
    _watcher: ConfigWatcher,
    counts: ReloadCounts,
}

/// How many changes there were.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct ReloadCounts {
    /// Those that were put in force.
    pub(crate) applied: u64,
    /// Those that were wrong and changed nothing.
    pub(crate) refused: u64,
}

impl Reloads {
    /// Reads a file, and watches it from then on.
    pub(crate) fn of(file: &Path) -> Result<(ToolsFile, Self), String> {
        let (sender, changes) = mpsc::channel(1);
        let on_change = move |change| {
            let _ = sender.blocking_send(change); // on a thread of its own; fails only when the run is over
        };
        let (first, watcher) = ToolsFile::watch(file, on_change)?;
        let counts = ReloadCounts::default();
        Ok((first, Self { file: file.to_owned(), changes, _watcher: watcher, counts }))
    }

    /// Puts each change in force, for as long as it is polled; may be dropped at any time.
    pub(crate) async fn follow(&mut self, toolbox: &mut Toolbox, live: &Live) -> Infallible {
        while let Some(change) = self.changes.recv().await {
            let told = match self.put_in_force(change, toolbox).await {
                Ok(()) => {
                    self.counts.applied += 1;
                    format!("fusebox: {} has changed and is in force", self.file.display())
                }
                Err(faults) => {
                    self.counts.refused += 1;
                    format!("{faults}\nfusebox: {} has changed, and changes nothing", self.file.display())
                }
            };
            live.make_room(&mut || eprintln!("{told}"));
        }
        pending().await
    }

    /// How many changes there were so far.
    pub(crate) const fn counts(&self) -> ReloadCounts {
        self.counts
    }

    async fn put_in_force(&self, change: Result<ToolsFile, FileError>, toolbox: &mut Toolbox) -> Result<(), String> {
        let named = |fault: &dyn std::fmt::Display| format!("{}: {fault}", self.file.display());
        let file = change.map_err(|error| error.to_string())?;
        let services = toolbox.start_services(&file).await.map_err(|fault| named(&fault))?;
        toolbox.put_in_force(file, services).map_err(|error| named(&error))
    }
}
