//! `fusebox run`: carries every line of the input to its result.

use crate::arguments::{RunArguments, SummaryFormat};
use crate::call::{Call, InvalidCall};
use crate::clients::Clients;
use crate::ending::Ending;
use crate::endpoint::Endpoint;
use crate::interrupt::Interrupt;
use crate::lines::{self, LONGEST, Line, Text};
use crate::live::Live;
use crate::outcome::Outcome;
use crate::results::Results;
use crate::service::Service;
use crate::summary::{Summary, Tally};
use crate::tools_file::{EndpointEntry, ToolKind, ToolsFile};
use fusebox::{CallOptions, IdempotencyKey, Registry};
use reqwest::Url;
use std::collections::BTreeMap;
use std::error::Error;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::LocalSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Runs the calls on stdin; tells how that ended.
pub(crate) async fn run(arguments: RunArguments, interrupt: Interrupt) -> Ending {
    let file = match ToolsFile::load(&arguments.tools) {
        Ok(file) => file,
        Err(faults) => return Ending::misconfigured(&faults),
    };
    let started = tokio::select! {
        services = Service::start_all(&file.services) => services,
        () = interrupt.first.cancelled() => return Ending::Interrupted,
    };
    let services = match started {
        Ok(services) => services,
        Err(fault) => return Ending::failed(&format!("{}: {fault}", arguments.tools.display())),
    };
    let live = Live::new(file.tools.keys());
    let registry = match registry(file, &services) {
        Ok(registry) => registry,
        Err(error) => return Ending::misconfigured(&format!("{}: {error}", arguments.tools.display())),
    };
    let run = Arc::new(Run { registry, tally: Mutex::default(), read: AtomicU64::new(0) });
    let watcher = tokio::spawn(watch(Arc::clone(&run), live.clone()));
    let begun = Instant::now();
    // one thread begins all calls, in the order of their lines: of two, the earlier gets the token that is left
    let calls = LocalSet::new();
    let ended = calls.run_until(run.lines(arguments.jobs.get(), &interrupt.first, &live)).await;
    watcher.abort();
    let _ = watcher.await; // it has ended either way
    live.clear();
    let summary = run.summary(interrupt.first.is_cancelled(), begun.elapsed());
    match ended.and(write_summary(&summary, &arguments)) {
        Ok(()) if interrupt.first.is_cancelled() => Ending::Interrupted,
        Ok(()) => Ending::Complete,
        Err(error) => Ending::failed(&error),
    }
}

/// What all calls of a run share.
struct Run {
    registry: Registry,
    tally: Mutex<Tally>,
    read: AtomicU64,
}

impl Run {
    /// Runs all lines of stdin. On an interrupt, those that were read get their results and no more are read.
    async fn lines(self: &Arc<Self>, jobs: usize, interrupted: &CancellationToken, live: &Live) -> Result<(), String> {
        // the calls have a token of their own, so that a reader who went away ends the run but does not interrupt it
        let cancel = interrupted.child_token();
        let results = {
            let (live, cancel) = (live.clone(), cancel.clone());
            Results::write_to(io::stdout(), move |write| live.make_room(write), move || cancel.cancel())
        };
        let slots = Arc::new(Semaphore::new(jobs));
        let calls = TaskTracker::new();
        let mut lines = lines::read(io::stdin());
        let mut broken = Ok(());
        while let Some(line) = next(&mut lines, &cancel).await {
            let line = match line {
                Ok(line) => line,
                Err(error) => {
                    broken = Err(format!("stdin: {error}"));
                    break;
                }
            };
            self.read.fetch_add(1, Ordering::Relaxed);
            let sender = results.sender();
            match parse(&line) {
                Ok(call) => {
                    let slot = slot(&slots, &cancel).await;
                    let call = Arc::clone(self).call(line.number, call, cancel.clone(), sender, slot);
                    calls.spawn_local(call);
                }
                Err(invalid) => self.report(Outcome::of_invalid(line.number, invalid), &sender).await,
            }
        }
        calls.close();
        calls.wait().await;
        match results.finish().await {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(format!("stdout: {error}")),
            _ => broken,
        }
    }

    async fn call(
        self: Arc<Self>,
        line: u64,
        call: Call,
        cancel: CancellationToken,
        results: mpsc::Sender<Outcome>,
        slot: Option<OwnedSemaphorePermit>,
    ) {
        let Call { id, tool, args, priority, deadline, idempotency_key } = call;
        let deadline = deadline.map(|deadline| deadline.0);
        let idempotency_key = idempotency_key.map(IdempotencyKey::new);
        let options =
            CallOptions { priority, deadline, cancel: Some(cancel), idempotency_key, ..CallOptions::default() };
        let result = self.registry.run(&tool, &args, &options).await;
        self.report(Outcome::of_call(line, id, tool, result), &results).await;
        drop(slot); // only now: a slow reader of the results slows the calls down
    }

    async fn report(&self, outcome: Outcome, results: &mpsc::Sender<Outcome>) {
        self.tally().count(&outcome);
        let _ = results.send(outcome).await; // fails only when the writer has died, which `finish` tells
    }

    fn summary(&self, interrupted: bool, elapsed: Duration) -> Summary {
        Summary::new(interrupted, elapsed.as_secs_f64() * 1e3, &self.tally(), self.registry.snapshot())
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The next line. After an interrupt the reader is stopped, and only the lines that it has already read come.
async fn next(lines: &mut mpsc::Receiver<io::Result<Line>>, cancel: &CancellationToken) -> Option<io::Result<Line>> {
    tokio::select! {
        biased;
        () = cancel.cancelled() => {
            lines.close();
            lines.recv().await
        }
        line = lines.recv() => line,
    }
}

/// A place among the calls that run at the same time; none after an interrupt, when a call ends as soon as it begins.
async fn slot(slots: &Arc<Semaphore>, cancel: &CancellationToken) -> Option<OwnedSemaphorePermit> {
    tokio::select! {
        slot = Arc::clone(slots).acquire_owned() => slot.ok(),
        () = cancel.cancelled() => None,
    }
}

fn parse(line: &Line) -> Result<Call, InvalidCall> {
    match &line.text {
        Text::Whole(text) => Call::parse(text),
        Text::TooLong => {
            let message = format!("longer than {LONGEST} bytes");
            Err(InvalidCall { id: None, tool: None, message })
        }
    }
}

/// Registers the tools; those of services know by now where these are.
fn registry(file: ToolsFile, services: &BTreeMap<String, Service>) -> Result<Registry, Box<dyn Error>> {
    let registry = Registry::with_defaults(file.defaults)?;
    let clients = Clients::new()?;
    for (name, tool) in file.tools {
        match tool.kind {
            ToolKind::Subprocess(subprocess) => registry.register_with(&name, subprocess, &tool.policy)?,
            ToolKind::Endpoint(entry) => {
                let service = entry.service.as_ref().and_then(|service| services.get(service));
                let endpoint = endpoint(entry, service, &clients)?;
                registry.register_with(&name, endpoint, &tool.policy)?
            }
        };
    }
    Ok(registry)
}

fn endpoint(entry: EndpointEntry, service: Option<&Service>, clients: &Clients) -> Result<Endpoint, Box<dyn Error>> {
    let EndpointEntry { url, method, headers, max_output, .. } = entry;
    let (url, client) = match service {
        Some(service) => (Url::parse(&format!("{}{url}", service.url))?, clients.for_service()),
        None => {
            let url = Url::parse(&url)?;
            let client = clients.for_url(&url)?;
            (url, client)
        }
    };
    Ok(Endpoint { client: client.clone(), method, url, headers, max_output })
}

/// Keeps the view up to date until it is aborted.
async fn watch(run: Arc<Run>, live: Live) {
    const EVERY: Duration = Duration::from_millis(100);
    if !live.is_shown() {
        return;
    }
    loop {
        let totals = run.tally().totals;
        live.show(run.read.load(Ordering::Relaxed), &totals, &run.registry.snapshot());
        tokio::time::sleep(EVERY).await;
    }
}

fn write_summary(summary: &Summary, arguments: &RunArguments) -> Result<(), String> {
    let text = match arguments.summary {
        SummaryFormat::Table => format!("{summary}\n"),
        SummaryFormat::Json => {
            let json = serde_json::to_string(summary).map_err(|error| format!("the summary: {error}"))?;
            format!("{json}\n")
        }
        SummaryFormat::None => return Ok(()),
    };
    match &arguments.summary_file {
        Some(path) => std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display())),
        None => {
            let _ = io::Write::write_all(&mut io::stderr(), text.as_bytes()); // nobody is left to tell
            Ok(())
        }
    }
}
