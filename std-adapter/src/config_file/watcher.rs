//! `ConfigWatcher`: tells of every change to a configuration file, with what it says now.

use super::watched::Watched;
use super::{Document, FileError, Overrides};
use crate::RegistryConfig;
use core::panic::AssertUnwindSafe;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Instant;

/// How a file is watched.
#[derive(Clone, Debug)]
pub struct WatchOptions {
    /// The variables that take the place of values in the file. Default: none.
    pub overrides: Overrides,
    /// For how long nothing must have happened before a changed file is read, as changes tend to come in bursts.
    /// A burst is waited for at most ten times as long. Default: 100 ms.
    pub quiet: Duration,
    /// How often the file is read anyhow, for changes that the system does not tell of: on network drives, or behind a
    /// symbolic link to another folder. At least 10 ms. Default: 30 s.
    pub poll: Duration,
}

impl Default for WatchOptions {
    fn default() -> Self {
        Self { overrides: Overrides::default(), quiet: Duration::from_millis(100), poll: Duration::from_secs(30) }
    }
}

/// Watches a configuration file until it is dropped. After that no change is told, but a call of `on_change` that is under
/// way comes to its end.
///
/// What is watched is the folder, so that a file that is replaced is seen as well as one that is written to: by an
/// editor that renames, or by the symbolic links of a mounted folder.
///
/// ```no_run
/// use fusebox::config_file::{ConfigWatcher, WatchOptions};
///
/// let (config, watcher) = ConfigWatcher::start("tools.toml", WatchOptions::default(), |change| match change {
///     Ok(config) => println!("now there are {} tools", config.tools.len()),
///     Err(error) => eprintln!("the old configuration stays, as the new one is wrong:\n{error}"),
/// })?;
/// println!("there are {} tools", config.tools.len());
/// # Ok::<(), fusebox::config_file::FileError>(())
/// ```
#[derive(Debug)]
pub struct ConfigWatcher {
    stopped: Arc<AtomicBool>,
    wake: Sender<()>,
    /// Told of changes in the folder; none where the system does not tell.
    _folder: Option<RecommendedWatcher>,
}

impl ConfigWatcher {
    /// Reads the file, and from then on calls `on_change` with each new content: what it says now, or all that is wrong
    /// with it. A content that is the same as the one before is not told again; one that is wrong is told once.
    ///
    /// `on_change` runs on a thread of the watcher's own, one change after another, and may block. Should it panic, the
    /// panic is logged and the next change is told all the same.
    ///
    /// # Errors
    /// That the file cannot be read now, or all that is wrong with it; or that no thread could be started.
    pub fn start(
        file: impl Into<PathBuf>,
        options: WatchOptions,
        on_change: impl FnMut(Result<RegistryConfig, FileError>) + Send + 'static,
    ) -> Result<(RegistryConfig, Self), FileError> {
        Self::start_reading(file, options, |document: Document<'_>| document.finish(), on_change)
    }

    /// As [`start`](Self::start), for programs whose files say more than a registry needs: `read` takes what is their own
    /// out of the document, and finishes it. It runs where `on_change` does.
    ///
    /// ```no_run
    /// use fusebox::config_file::{ConfigWatcher, Document, WatchOptions};
    ///
    /// let read = |mut document: Document<'_>| {
    ///     let greeting: Option<String> = document.take(&["greeting"]);
    ///     Ok((greeting, document.finish()?))
    /// };
    /// let ((greeting, config), watcher) =
    ///     ConfigWatcher::start_reading("tools.toml", WatchOptions::default(), read, |change| match change {
    ///         Ok((greeting, config)) => println!("{greeting:?}, now there are {} tools", config.tools.len()),
    ///         Err(error) => eprintln!("the old configuration stays, as the new one is wrong:\n{error}"),
    ///     })?;
    /// println!("{greeting:?}, there are {} tools", config.tools.len());
    /// # Ok::<(), fusebox::config_file::FileError>(())
    /// ```
    ///
    /// # Errors
    /// As those of `start`; and what `read` says the first time.
    pub fn start_reading<T>(
        file: impl Into<PathBuf>,
        options: WatchOptions,
        mut read: impl FnMut(Document<'_>) -> Result<T, FileError> + Send + 'static,
        on_change: impl FnMut(Result<T, FileError>) + Send + 'static,
    ) -> Result<(T, Self), FileError> {
        let file = file.into();
        let WatchOptions { overrides, quiet, poll } = options;
        let (wake, woken) = channel();
        // before the file is read, so that no change falls in between
        let folder = watch_folder(&file, wake.clone());
        let (first, watched) = Watched::new(file.clone(), overrides, &mut read)?;
        let stopped = Arc::new(AtomicBool::new(false));
        let pace = Pace { quiet, poll: poll.max(SHORTEST_POLL) };
        let task = Task { watched, woken, stopped: Arc::clone(&stopped), pace, read, on_change };
        let thread = thread::Builder::new().name("fusebox-config".to_owned()).spawn(|| task.run());
        thread.map_err(|error| FileError::unreadable(&file, &format!("no thread to watch it: {error}")))?;
        Ok((first, Self { stopped, wake, _folder: folder }))
    }
}

impl Drop for ConfigWatcher {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Release);
        // the thread is not waited for: it may be the one that drops this
        let _ = self.wake.send(());
    }
}

const SHORTEST_POLL: Duration = Duration::from_millis(10);
/// How many times the quiet a burst of changes is waited for.
const LONGEST_BURST: u32 = 10;

fn watch_folder(file: &Path, wake: Sender<()>) -> Option<RecommendedWatcher> {
    let folder = match file.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let on_event = move |event: notify::Result<notify::Event>| {
        if event.map_or(true, |event| may_be_a_change(event.kind)) {
            let _ = wake.send(());
        }
    };
    let watcher = notify::recommended_watcher(on_event).and_then(|mut watcher| {
        watcher.watch(folder, RecursiveMode::NonRecursive)?;
        Ok(watcher)
    });
    watcher
        .inspect_err(|error| tracing::warn!(folder = %folder.display(), %error, "changes are only found by polling"))
        .ok()
}

/// Reading is an event, too: if it counted, our own would never end.
fn may_be_a_change(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
        EventKind::Access(_) => false,
        _ => true,
    }
}

#[derive(Clone, Copy, Debug)]
struct Pace {
    quiet: Duration,
    poll: Duration,
}

struct Task<R, F> {
    watched: Watched,
    woken: Receiver<()>,
    stopped: Arc<AtomicBool>,
    pace: Pace,
    read: R,
    on_change: F,
}

impl<R, F> Task<R, F> {
    fn run<T>(mut self)
    where
        R: FnMut(Document<'_>) -> Result<T, FileError>,
        F: FnMut(Result<T, FileError>),
    {
        loop {
            match self.woken.recv_timeout(self.pace.poll) {
                Ok(()) => self.wait_for_quiet(),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if self.stopped() {
                return;
            }
            let Self { watched, read, on_change, stopped, .. } = &mut self;
            let told = catch_unwind(AssertUnwindSafe(|| {
                let change = watched.look(read);
                if let Some(change) = change
                    && !stopped.load(Ordering::Acquire)
                {
                    on_change(change);
                }
            }));
            if told.is_err() {
                tracing::error!(file = %self.watched.file.display(), "what was to be done at a change has panicked");
            }
        }
    }

    fn wait_for_quiet(&self) {
        let Pace { quiet, .. } = self.pace;
        let start = Instant::now();
        while !self.stopped()
            && start.elapsed() < quiet.saturating_mul(LONGEST_BURST)
            && self.woken.recv_timeout(quiet).is_ok()
        {}
    }

    fn stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }
}
