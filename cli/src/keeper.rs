//! `Keeper`: keeps what the circuits know in a file, so that one that is open stays open across a restart.

use crate::live::Live;
use fusebox::Registry;
use fusebox::registry::RegistryState;
use fusebox::state_file::{StateFile, StateFileError};
use std::convert::Infallible;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A registry whose state is kept in a file.
#[derive(Clone, Debug)]
pub(crate) struct Keeper {
    registry: Registry,
    /// Locked while a state is taken and saved, so that no state takes the place of a later one.
    file: Arc<Mutex<StateFile>>,
}

impl Keeper {
    /// Goes on from the state in the file, if there is one. A file that holds something else is left alone.
    pub(crate) fn resume(path: &Path, registry: &Registry) -> Result<Self, StateFileError> {
        let file = StateFile::new(path);
        if let Some(saved) = file.load::<RegistryState>()? {
            registry.restore(&saved.state, saved.age);
        }
        Ok(Self { registry: registry.clone(), file: Arc::new(Mutex::new(file)) })
    }

    /// Saves now and then, for as long as it is polled; may be dropped at any time.
    pub(crate) async fn keep(&self, live: &Live) -> Infallible {
        const EVERY: Duration = Duration::from_secs(3);
        let mut told = None;
        loop {
            tokio::time::sleep(EVERY).await;
            let fault = self.save().await.err();
            if let Some(fault) = fault.as_ref().filter(|fault| told.as_ref() != Some(*fault)) {
                live.make_room(&mut || eprintln!("fusebox: {fault}")); // once, not every time
            }
            told = fault;
        }
    }

    /// Saves the state.
    pub(crate) async fn save(&self) -> Result<(), String> {
        let Self { registry, file } = self.clone();
        let saving = tokio::task::spawn_blocking(move || {
            let file = file.lock().unwrap_or_else(PoisonError::into_inner);
            file.save(&registry.state()).map_err(|error| error.to_string())
        });
        saving.await.unwrap_or_else(|error| Err(format!("the state was not saved: {error}")))
    }
}
