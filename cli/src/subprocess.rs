//! `Subprocess`: a tool that is a program, started anew for every attempt.

use crate::capture::{last_line, read_tail, read_within};
use crate::exit_rules::{ExitRules, exit_code};
use crate::output_format::OutputFormat;
use crate::process_group::ProcessGroup;
use fusebox::{Attempt, BoxFuture, ErrorCategory, Tool, ToolError};
use nix::errno::Errno;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWriteExt};
use tokio::process::{ChildStdin, Command};
use tokio::time::timeout;
use tokio_util::io::InspectReader;

/// A program: the call's arguments on stdin as one line of JSON, its output on stdout, its failure in exit code and stderr.
///
/// The attempt's number, from 1, is in the variable `FUSEBOX_ATTEMPT`, and the milliseconds that are left to it, if
/// it has a limit, in `FUSEBOX_TIME_LEFT_MS`. `FUSEBOX_IDEMPOTENCY_KEY` is the same for all attempts of a call. Whatever
/// it writes is progress.
#[derive(Clone, Debug)]
pub(crate) struct Subprocess {
    /// What to start, as [`Command::new`] takes it.
    pub(crate) program: PathBuf,
    /// Its command line.
    pub(crate) arguments: Vec<String>,
    /// Variables on top of the runner's own.
    pub(crate) env: BTreeMap<String, String>,
    /// Where it runs.
    pub(crate) cwd: PathBuf,
    /// How to read its stdout.
    pub(crate) output: OutputFormat,
    /// How much of its stdout to take, in bytes.
    pub(crate) max_output: usize,
    /// What its failures stand for.
    pub(crate) failures: ExitRules,
}

impl Tool for Subprocess {
    fn call<'a>(&'a self, args: &'a Value, attempt: Attempt) -> BoxFuture<'a, Result<Value, ToolError>> {
        Box::pin(self.run(args, attempt))
    }
}

impl Subprocess {
    async fn run(&self, args: &Value, attempt: Attempt) -> Result<Value, ToolError> {
        let mut group = ProcessGroup::spawn(&mut self.command(&attempt)).map_err(|error| self.not_started(error))?;
        let child = group.child();
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(stdin), Some(stdout), Some(stderr)) = (stdin, stdout, stderr) else {
            return Err(ToolError::new(ErrorCategory::ExecutionError, "a child without pipes"));
        };
        let (mut output, mut complaint) = (Vec::new(), Vec::new());
        let alive = |_: &[u8]| attempt.progress().made(); // whatever it says
        let (stdout, stderr) = (InspectReader::new(stdout, alive), InspectReader::new(stderr, alive));
        // all three at once: a child that waits for one of them must not be waited for by another
        let talk = async {
            let heard = async { read_tail(stderr, &mut complaint).await.map_err(ToolError::from) };
            tokio::try_join!(tell(stdin, args), self.listen(stdout, &mut output), heard).map(drop)
        };
        let status = finish(&mut group, talk).await?;
        if status.success() {
            return self.output.read(&output).map_err(|error| self.not_json(&error));
        }
        Err(self.failure(exit_code(status), &complaint))
    }

    fn command(&self, attempt: &Attempt) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).envs(&self.env).current_dir(&self.cwd);
        command.env("FUSEBOX_ATTEMPT", attempt.number.to_string());
        command.env("FUSEBOX_IDEMPOTENCY_KEY", attempt.idempotency_key.to_string());
        match attempt.time_left {
            Some(left) => command.env("FUSEBOX_TIME_LEFT_MS", left.as_millis().to_string()),
            None => command.env_remove("FUSEBOX_TIME_LEFT_MS"),
        };
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    async fn listen(&self, stdout: impl AsyncRead + Unpin, output: &mut Vec<u8>) -> Result<(), ToolError> {
        if read_within(stdout, self.max_output, output).await? {
            return Ok(());
        }
        let message = format!("wrote more than its max_output of {} bytes to stdout", self.max_output);
        Err(ToolError::new(ErrorCategory::ResourceExhausted, message))
    }

    fn failure(&self, code: u8, stderr: &[u8]) -> ToolError {
        let message = match last_line(stderr) {
            Some(line) => format!("{line} (exit code {code})"),
            None => format!("exit code {code}, and nothing on stderr"),
        };
        ToolError::new(self.failures.category(code, stderr), message)
    }

    fn not_started(&self, error: io::Error) -> ToolError {
        if !self.cwd.is_dir() {
            let message = format!("its working directory {} does not exist", self.cwd.display());
            return ToolError::new(ErrorCategory::ResourceNotFound, message);
        }
        let category = match error.raw_os_error().map(Errno::from_raw) {
            Some(Errno::ENOENT | Errno::ENOTDIR) => ErrorCategory::ToolNotFound,
            Some(Errno::EACCES | Errno::EPERM) => ErrorCategory::PermissionDenied,
            Some(Errno::EAGAIN | Errno::ENOMEM | Errno::EMFILE | Errno::ENFILE) => ErrorCategory::ResourceExhausted,
            Some(Errno::E2BIG) => ErrorCategory::InvalidParameters,
            _ => ErrorCategory::ExecutionError,
        };
        ToolError::new(category, format!("cannot start {}: {error}", self.program.display()))
    }

    fn not_json(&self, error: &serde_json::Error) -> ToolError {
        ToolError::new(ErrorCategory::ExecutionError, format!("stdout is not JSON: {error}"))
    }
}

/// Writes the arguments and closes the pipe. A child that does not want them is no failure.
async fn tell(mut stdin: ChildStdin, args: &Value) -> Result<(), ToolError> {
    let mut text = args.to_string();
    text.push('\n');
    let _ = stdin.write_all(text.as_bytes()).await;
    Ok(())
}

/// Waits until the child has ended and all that it and its group wrote is read.
async fn finish(
    group: &mut ProcessGroup,
    talk: impl Future<Output = Result<(), ToolError>>,
) -> Result<ExitStatus, ToolError> {
    let mut talk = pin!(talk);
    tokio::select! {
        talked = &mut talk => {
            talked?;
            Ok(group.finish().await?)
        }
        status = group.finish() => {
            let status = status?;
            // The group is dead and its pipes end, unless a process that left it holds them open: not waited for.
            timeout(STRAGGLERS, talk).await.unwrap_or(Ok(()))?;
            Ok(status)
        }
    }
}

const STRAGGLERS: Duration = Duration::from_secs(1);
