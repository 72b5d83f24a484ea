//! `fusebox run`: carries every line of the input to its result.

use crate::arguments::{RunArguments, SummaryFormat};
use crate::call::{Call, InvalidCall};
use crate::ending::Ending;
use crate::interrupt::Interrupt;
use crate::keeper::Keeper;
use crate::lines::{self, LONGEST, Line, Text};
use crate::live::Live;
use crate::outcome::Outcome;
use crate::reloads::Reloads;
use crate::results::Results;
use crate::summary::{Summary, Tally, tools};
use crate::toolbox::Toolbox;
use crate::tools_file::ToolsFile;
use fusebox::{CallOptions, Handle, IdempotencyKey, Registry};
use std::future::pending;
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
    let (file, mut reloads) = match open(&arguments) {
        Ok(opened) => opened,
        Err(faults) => return Ending::misconfigured(&faults),
    };
    let mut toolbox = match Toolbox::new() {
        Ok(toolbox) => toolbox,
        Err(error) => return Ending::failed(&error),
    };
    let started = tokio::select! {
        services = toolbox.start_services(&file) => services,
        () = interrupt.first.cancelled() => return Ending::Interrupted,
    };
    let services = match started {
        Ok(services) => services,
        Err(fault) => return Ending::failed(&format!("{}: {fault}", arguments.tools.display())),
    };
    if let Err(error) = toolbox.put_in_force(file, services) {
        return Ending::misconfigured(&format!("{}: {error}", arguments.tools.display()));
    }
    let live = Live::new();
    let registry = toolbox.registry().clone();
    let keeper = match arguments.state.as_ref().map(|path| Keeper::resume(path, &registry)).transpose() {
        Ok(keeper) => keeper,
        Err(error) => return Ending::failed(&error),
    };
    let run = Arc::new(Run { registry, tally: Mutex::default(), read: AtomicU64::new(0) });
    let viewer = tokio::spawn(view(Arc::clone(&run), live.clone()));
    let begun = Instant::now();
    // one thread begins all calls, in the order of their lines: of two, the earlier gets the token that is left
    let calls = LocalSet::new();
    let follow = async {
        match &mut reloads {
            Some(reloads) => reloads.follow(&mut toolbox, &live).await,
            None => pending().await,
        }
    };
    let keep = async {
        match &keeper {
            Some(keeper) => keeper.keep(&live).await,
            None => pending().await,
        }
    };
    let ended = tokio::select! {
        ended = calls.run_until(run.lines(arguments.jobs.get(), &interrupt.first, &live)) => ended,
        never = follow => match never {},
        never = keep => match never {},
    };
    let kept = match &keeper {
        Some(keeper) => keeper.save().await,
        None => Ok(()),
    };
    viewer.abort();
    let _ = viewer.await; // it has ended either way
    live.clear();
    let tally = std::mem::take(&mut *run.tally());
    let summary = Summary {
        interrupted: interrupt.first.is_cancelled(),
        elapsed_ms: begun.elapsed().as_secs_f64() * 1e3,
        reloads: reloads.map(|reloads| reloads.counts()),
        totals: tally.totals,
        tools: tools(&tally, toolbox.snapshots()),
    };
    match ended.and(kept).and(write_summary(&summary, &arguments)) {
        Ok(()) if interrupt.first.is_cancelled() => Ending::Interrupted,
        Ok(()) => Ending::Complete,
        Err(error) => Ending::failed(&error),
    }
}

/// Reads the file, and watches it where that is wanted.
fn open(arguments: &RunArguments) -> Result<(ToolsFile, Option<Reloads>), String> {
    if arguments.watch {
        let (file, reloads) = Reloads::of(&arguments.tools)?;
        return Ok((file, Some(reloads)));
    }
    Ok((ToolsFile::load(&arguments.tools)?, None))
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
        let Call { id, tool, args, priority, deadline, idempotency_key, circuit_key, role, approved } = call;
        let options = CallOptions {
            priority,
            deadline: deadline.map(|deadline| deadline.0),
            cancel: Some(cancel),
            idempotency_key: idempotency_key.map(IdempotencyKey::new),
            circuit_key: circuit_key.map(Into::into),
            role: role.map(Into::into),
            approved,
        };
        let result = self.registry.run(&tool, &args, &options).await;
        self.report(Outcome::of_call(line, id, tool, result), &results).await;
        drop(slot); // only now: a slow reader of the results slows the calls down
    }

    async fn report(&self, outcome: Outcome, results: &mpsc::Sender<Outcome>) {
        // one tool may be called by several names
        let handle = outcome.tool.as_ref().and_then(|tool| self.registry.handle(tool));
        self.tally().count(&outcome, handle.as_ref().map(Handle::name));
        let _ = results.send(outcome).await; // fails only when the writer has died, which `finish` tells
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

/// Keeps the view up to date until it is aborted.
async fn view(run: Arc<Run>, mut live: Live) {
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
