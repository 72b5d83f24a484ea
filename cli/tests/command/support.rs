//! `Workshop`: a folder with a TOOLS.toml, and the command run in it.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Far more than anything here takes; only a failure waits so long.
const PATIENCE: Duration = Duration::from_secs(60);

/// A folder of its own for one test.
pub(crate) struct Workshop {
    folder: TempDir,
}

/// What a run came to.
pub(crate) struct Finished {
    pub(crate) code: i32,
    pub(crate) results: Vec<Value>,
    pub(crate) summary: Value,
    pub(crate) stderr: String,
}

/// A run under way.
pub(crate) struct Running {
    child: Child,
    folder: PathBuf,
}

impl Workshop {
    /// Neither retries nor a rate limit.
    pub(crate) const DEFAULTS: &str = "defaults = { max_retries = 0, rate.enabled = false, backoff.base = '1ms' }\n";

    /// A folder with this TOOLS.toml, whose tools have neither retries nor a rate limit unless it says so.
    pub(crate) fn new(tools: &str) -> Self {
        let workshop = Self { folder: tempfile::tempdir().unwrap() };
        let defaults = if tools.contains("[defaults]") { "" } else { Self::DEFAULTS };
        workshop.file("TOOLS.toml", &format!("{defaults}{tools}"));
        workshop
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn file(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn script(&self, name: &str, text: &str) {
        self.file(name, &format!("#!/bin/sh\n{text}\n"));
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// The command with its streams bound to files of the folder, stdin excepted.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fusebox"));
        command.args(arguments).current_dir(self.folder.path());
        command.stdout(File::create(self.path("stdout")).unwrap());
        command.stderr(File::create(self.path("stderr")).unwrap());
        command
    }

    /// Starts a run that reads from a pipe.
    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        let summary = ["run", "TOOLS.toml", "--summary", "json", "--summary-file", "summary"];
        let mut command = self.command(&[&summary, arguments].concat());
        self.watch(command.stdin(Stdio::piped()).spawn().unwrap())
    }

    pub(crate) fn watch(&self, child: Child) -> Running {
        Running { child, folder: self.folder.path().to_owned() }
    }

    /// Runs these lines to their end.
    pub(crate) fn run(&self, lines: impl AsRef<[u8]>) -> Finished {
        self.run_with(&[], lines)
    }

    /// Runs these lines with more arguments.
    pub(crate) fn run_with(&self, arguments: &[&str], lines: impl AsRef<[u8]>) -> Finished {
        let mut running = self.start(arguments);
        let mut stdin = running.stdin();
        let lines = lines.as_ref().to_owned();
        let feeder = thread::spawn(move || stdin.write_all(&lines).unwrap());
        let finished = running.finish();
        feeder.join().unwrap();
        finished
    }

    /// The result of one call of one tool.
    #[track_caller]
    pub(crate) fn call(&self, tool: &str, args: &Value) -> Value {
        let mut finished = self.run(format!("{{\"id\":1,\"tool\":\"{tool}\",\"args\":{args}}}\n"));
        assert_eq!((finished.code, finished.results.len()), (0, 1), "{}", finished.stderr);
        finished.results.remove(0)
    }

    /// A word that no other test has on the command line of its processes.
    pub(crate) fn marker(&self) -> String {
        format!("fusebox-test-{}", self.folder.path().file_name().unwrap().to_string_lossy().replace('.', ""))
    }
}

impl Running {
    pub(crate) fn stdin(&mut self) -> ChildStdin {
        self.child.stdin.take().unwrap()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits for the end. What is still open of stdin stays open.
    #[track_caller]
    pub(crate) fn finish(mut self) -> Finished {
        let stdin = self.child.stdin.take();
        eventually("the end of the run", || self.has_ended());
        drop(stdin);
        let status = self.child.wait().unwrap();
        let read = |name| fs::read_to_string(self.folder.join(name)).unwrap_or_default();
        Finished {
            code: status.code().unwrap_or_else(|| 128 + status.signal().unwrap()),
            results: read("stdout").lines().map(|line| serde_json::from_str(line).unwrap()).collect(),
            summary: serde_json::from_str(&read("summary")).unwrap_or_default(),
            stderr: read("stderr"),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Finished {
    /// The result with this id.
    #[track_caller]
    pub(crate) fn result(&self, id: impl Into<Value>) -> &Value {
        let id = id.into();
        self.results.iter().find(|result| result["id"] == id).unwrap_or_else(|| panic!("no result has the id {id}"))
    }
}

/// Calls of one tool, with the ids 1 to `count`.
pub(crate) fn calls(tool: &str, count: usize) -> String {
    (1..=count).map(|id| format!("{{\"id\":{id},\"tool\":\"{tool}\"}}\n")).collect()
}

/// Waits until it is so.
#[track_caller]
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// The processes with this word on their command line. One that has ended has none any more.
pub(crate) fn processes(word: &str) -> Vec<Pid> {
    let entries = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let has_word = |pid: &i32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(word)
    };
    pids.filter(has_word).map(Pid::from_raw).collect()
}

/// The first line that a stream says.
pub(crate) fn first_line(stream: impl std::io::Read) -> String {
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}

/// The top of the repository.
pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}
