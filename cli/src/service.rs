//! `Services`: helper servers that run as long as the calls do.

use crate::capture::{last_line, read_tail};
use crate::process_group::ProcessGroup;
use crate::tools_file::ServiceEntry;
use futures_util::future::try_join_all;
use reqwest::Url;
use std::collections::BTreeMap;
use std::process::Stdio;
use std::sync::Arc;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader, copy, sink};
use tokio::process::{ChildStderr, ChildStdout, Command};
use tokio::time::timeout;

/// Servers by name, each as its entry says.
#[derive(Clone, Debug, Default)]
pub(crate) struct Services(BTreeMap<String, (ServiceEntry, Arc<Service>)>);

impl Services {
    /// The services of these entries: those that run go on, the others are started, all at once, and waited for until each
    /// has said where it is.
    pub(crate) async fn start(&self, entries: &BTreeMap<String, ServiceEntry>) -> Result<Self, String> {
        let start = async |(name, entry): (&String, &ServiceEntry)| {
            let running = self.0.get(name).filter(|(before, _)| before == entry);
            let service = match running {
                Some((_, service)) => Arc::clone(service),
                None => Arc::new(Service::start(entry).await.map_err(|fault| format!("services.{name} {fault}"))?),
            };
            Ok::<_, String>((name.clone(), (entry.clone(), service)))
        };
        Ok(Self(try_join_all(entries.iter().map(start)).await?.into_iter().collect()))
    }

    /// The service of this name.
    pub(crate) fn get(&self, name: &str) -> Option<&Arc<Service>> {
        self.0.get(name).map(|(_, service)| service)
    }
}

/// A server that has announced itself. It ends, with all that it has started, when this value is dropped.
#[derive(Debug)]
pub(crate) struct Service {
    /// Where it is, without a slash at the end.
    pub(crate) url: String,
    _group: ProcessGroup,
}

impl Service {
    async fn start(entry: &ServiceEntry) -> Result<Self, String> {
        let mut command = Command::new(&entry.program);
        command.args(&entry.arguments).envs(&entry.env).current_dir(&entry.cwd);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut group = ProcessGroup::spawn(&mut command)
            .map_err(|error| format!("cannot start {}: {error}", entry.program.display()))?;
        let (Some(stdout), Some(stderr)) = (group.child().stdout.take(), group.child().stderr.take()) else {
            return Err("has no pipes".to_owned());
        };
        match timeout(entry.start_timeout, announcement(stdout, stderr)).await {
            Ok(announced) => Ok(Self { url: announced?, _group: group }),
            Err(_) => {
                let waited = fusebox::DurationText(entry.start_timeout);
                Err(format!("has not written its URL to stdout within its start_timeout of {waited}"))
            }
        }
    }
}

/// The first line of stdout. What comes later is read and dropped, so that the server never waits for a reader.
async fn announcement(stdout: ChildStdout, mut stderr: ChildStderr) -> Result<String, String> {
    const LONGEST: u64 = 4096;
    let mut stdout = BufReader::new(stdout);
    let mut line = Vec::new();
    let read = (&mut stdout).take(LONGEST).read_until(b'\n', &mut line).await;
    read.map_err(|error| format!("cannot be read: {error}"))?;
    if line.is_empty() {
        let mut complaint = Vec::new();
        let _ = read_tail(&mut stderr, &mut complaint).await; // what was read before an error is enough
        let complaint = last_line(&complaint).unwrap_or_else(|| "nothing on stderr".to_owned());
        return Err(format!("ended before it wrote its URL to stdout: {complaint}"));
    }
    let line = String::from_utf8_lossy(&line).trim().trim_end_matches('/').to_owned();
    if !Url::parse(&line).is_ok_and(|url| matches!(url.scheme(), "http" | "https")) {
        return Err(format!("wrote {line:?} to stdout: allowed is its URL, http://..., as the first line"));
    }
    tokio::spawn(async move { copy(&mut stdout, &mut sink()).await });
    tokio::spawn(async move { copy(&mut stderr, &mut sink()).await });
    Ok(line)
}
