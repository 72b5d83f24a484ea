//! `ProcessGroup`: a child process and whatever it starts, which end together.

use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;
use std::io;
use std::process::ExitStatus;
use tokio::process::{Child, Command};
use tokio::signal::unix::{self, SignalKind};

/// A child process that leads a process group of its own.
///
/// The group is killed when this value is dropped, and when its leader has ended: what a tool leaves behind in the
/// background does not outlive the call. Out of reach is only a process that leaves the group by itself (`setsid`).
///
/// Rule 1: the group is signalled only while its leader is not reaped, because until then no other process can have
/// been given the same number.
#[derive(Debug)]
pub(crate) struct ProcessGroup {
    child: Child,
    leader: Pid,
    exits: unix::Signal,
}

impl ProcessGroup {
    /// Starts `command` as the leader of a new group.
    pub(crate) fn spawn(command: &mut Command) -> io::Result<Self> {
        let exits = unix::signal(SignalKind::child())?; // before the child is there, so that its exit is not missed
        let child = command.process_group(0).kill_on_drop(true).spawn()?;
        let number = child.id().and_then(|id| i32::try_from(id).ok());
        let leader = Pid::from_raw(number.ok_or_else(|| io::Error::other("a child without a process id"))?);
        Ok(Self { child, leader, exits })
    }

    /// The leader, for its pipes.
    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Waits for the leader's end, kills what it left in its group, then reaps it.
    pub(crate) async fn finish(&mut self) -> io::Result<ExitStatus> {
        while !self.leader_has_ended()? {
            self.exits.recv().await;
        }
        self.kill(); // rule 1: the leader is a zombie still
        self.child.wait().await
    }

    fn leader_has_ended(&self) -> io::Result<bool> {
        let only_look = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT | WaitPidFlag::WNOHANG;
        Ok(!matches!(waitid(Id::Pid(self.leader), only_look)?, WaitStatus::StillAlive))
    }

    fn kill(&self) {
        let _ = killpg(self.leader, Signal::SIGKILL); // fails only when nothing is left to kill
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        if self.child.id().is_some() {
            self.kill(); // rule 1: not reaped yet; the runtime reaps it in the background
        }
    }
}
