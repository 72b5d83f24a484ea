//! `ServiceEntry`: a `[services.NAME]` of a TOOLS.toml.

use super::command::split;
use fusebox::DurationText;
use fusebox::config_file::Document;
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A helper server that runs as long as the calls do.
#[derive(Clone, Debug, Eq, PartialEq)]
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

/// A server that runs as long as the calls do.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ServiceConfig")]
pub(super) struct ServiceFields {
    /// The program and its arguments. The first line that it writes to stdout is its URL.
    #[schemars(length(min = 1))]
    command: Vec<String>,
    /// Variables on top of the runner's own.
    env: Option<BTreeMap<String, String>>,
    /// The folder that it runs in. Default: the folder of the file.
    cwd: Option<PathBuf>,
    /// How long it may take to write its URL. Default: `"10s"`.
    start_timeout: Option<DurationText>,
}

const START_TIMEOUT: DurationText = DurationText::from_secs(10);

pub(super) fn read(document: &mut Document<'_>, name: &str, folder: &Path) -> Option<ServiceEntry> {
    let path = ["services", name];
    if name.is_empty() || name.contains(['{', '}']) {
        document
            .fault(&path, "has a name that no url can refer to: allowed is one that is not empty and has no braces");
    }
    let fields: ServiceFields = document.take(&path)?;
    match split(fields.command, folder) {
        Ok((program, arguments)) => Some(ServiceEntry {
            program,
            arguments,
            env: fields.env.unwrap_or_default(),
            cwd: folder.join(fields.cwd.unwrap_or_default()),
            start_timeout: fields.start_timeout.unwrap_or(START_TIMEOUT).0,
        }),
        Err(fault) => {
            document.fault(&[&path[..], &["command"]].concat(), fault);
            None
        }
    }
}
