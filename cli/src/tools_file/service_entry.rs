//! `ServiceEntry`: a `[services.NAME]` of a TOOLS.toml.

use super::command::split;
use super::reader::{Part, Reader};
use fusebox::DurationText;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A helper server that runs as long as the calls do.
#[derive(Clone, Debug)]
pub(crate) struct ServiceEntry {
    /// What to start.
    pub(crate) program: PathBuf,
    /// Its command line.
    pub(crate) arguments: Vec<String>,
    /// Variables on top of the runner's own.
    pub(crate) env: BTreeMap<String, String>,
    /// Where it runs.
    pub(crate) cwd: PathBuf,
    /// How long it may take to announce itself.
    pub(crate) start_timeout: Duration,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    command: Vec<String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    #[serde(default)]
    cwd: PathBuf,
    #[serde(default = "default_start_timeout")]
    start_timeout: DurationText,
}

const fn default_start_timeout() -> DurationText {
    DurationText::from_secs(10)
}

pub(super) fn read<'t>(reader: &mut Reader<'t>, name: &str, part: Part<'t>, folder: &Path) -> Option<ServiceEntry> {
    let places = part.clone();
    if name.is_empty() || name.contains(['{', '}']) {
        let message = format!("{}: a name is not empty and has no braces, because urls refer to it", places.path);
        reader.fault(Some(places.value.span()), message);
    }
    let fields: Fields = reader.value(part)?;
    match split(fields.command, folder) {
        Ok((program, arguments)) => Some(ServiceEntry {
            program,
            arguments,
            env: fields.env,
            cwd: folder.join(fields.cwd),
            start_timeout: fields.start_timeout.0,
        }),
        Err(fault) => {
            reader.fault(Some(places.span_of("command")), format!("{}.command {fault}", places.path));
            None
        }
    }
}
