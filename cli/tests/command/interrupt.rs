//! Ctrl-C and its like: what was read is reported, what runs is killed.

use crate::support::{Finished, Running, Workshop, calls, eventually, processes};
use nix::sys::signal::Signal;
use serde_json::json;
use std::io::{Read, Write};
use std::process::{ChildStdin, Stdio};

/// A workshop with a tool that hangs, with its children, and marks all of them.
fn hanging() -> (Workshop, String) {
    let workshop = Workshop::new("[tools.hang]\ncommand = ['./hang.sh']\n[tools.cat]\ncommand = ['cat']\n");
    let marker = workshop.marker();
    workshop.script(
        "hang.sh",
        &format!("tail -f /dev/null {marker} >/dev/null 2>&1 & tail -f /dev/null {marker} >/dev/null 2>&1"),
    );
    (workshop, marker)
}

/// Starts a run of five calls of which two hang at a time; the input stays open.
fn start(workshop: &Workshop, marker: &str) -> (Running, ChildStdin) {
    let mut running = workshop.start(&["--jobs", "2"]);
    let mut stdin = running.stdin();
    stdin.write_all(calls("hang", 5).as_bytes()).unwrap();
    eventually("two calls that hang", || processes(marker).len() == 4);
    (running, stdin)
}

#[track_caller]
fn assert_cancelled(finished: &Finished, marker: &str) {
    assert_eq!(finished.code, 130, "{}", finished.stderr);
    assert_eq!(finished.summary["interrupted"], true);
    assert_eq!(finished.summary["totals"]["lines"], finished.results.len());
    assert!(finished.results.len() >= 2, "{:?}", finished.results);
    for result in &finished.results {
        assert_eq!((&result["success"], &result["error"]["kind"]), (&json!(false), &json!("cancelled")));
    }
    eventually("the end of all processes", || processes(marker).is_empty());
}

#[test]
fn ctrl_c_reports_every_call_that_was_read_and_leaves_no_process_behind() {
    let (workshop, marker) = hanging();
    let (running, _stdin) = start(&workshop, &marker);
    running.signal(Signal::SIGINT);
    assert_cancelled(&running.finish(), &marker);
}

#[test]
fn the_end_of_the_terminal_and_a_polite_kill_do_the_same() {
    for signal in [Signal::SIGTERM, Signal::SIGHUP] {
        let (workshop, marker) = hanging();
        let (running, _stdin) = start(&workshop, &marker);
        running.signal(signal);
        assert_cancelled(&running.finish(), &marker);
    }
}

#[test]
fn calls_that_have_ended_keep_their_results() {
    let (workshop, marker) = hanging();
    let mut running = workshop.start(&[]);
    let mut stdin = running.stdin();
    stdin.write_all(format!("{}{}", calls("cat", 3), calls("hang", 1)).as_bytes()).unwrap();
    eventually("all results but one", || {
        std::fs::read_to_string(workshop.path("stdout")).unwrap().lines().count() == 3 && processes(&marker).len() == 2
    });
    running.signal(Signal::SIGINT);
    let finished = running.finish();
    assert_eq!((finished.code, finished.results.len()), (130, 4));
    assert_eq!(finished.summary["totals"]["ok"], 3);
    assert_eq!(finished.summary["totals"]["cancelled"], 1);
}

#[test]
fn a_second_ctrl_c_ends_what_the_first_could_not() {
    let (workshop, marker) = hanging();
    // the reader of the results stops reading: what is larger than a pipe cannot be written
    let mut command = workshop.command(&["run", "TOOLS.toml", "--summary", "none"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let mut running = workshop.watch(child);
    let mut stdin = running.stdin();
    let large = format!("{{\"id\":1,\"tool\":\"cat\",\"args\":\"{}\"}}\n", "x".repeat(500_000));
    stdin.write_all(format!("{large}{}", calls("hang", 2)).as_bytes()).unwrap();
    stdout.read_exact(&mut [0; 10]).unwrap();
    eventually("two calls that hang", || processes(&marker).len() == 4);
    running.signal(Signal::SIGINT);
    eventually("the end of all processes", || processes(&marker).is_empty());
    assert!(!running.has_ended(), "nothing was held up");
    running.signal(Signal::SIGINT);
    assert_eq!(running.finish().code, 130);
}

#[test]
fn sigquit_ends_it_at_once() {
    let (workshop, marker) = hanging();
    let (running, _stdin) = start(&workshop, &marker);
    running.signal(Signal::SIGQUIT);
    assert_eq!(running.finish().code, 130);
    eventually("the end of all processes", || processes(&marker).is_empty());
}

#[test]
fn a_signal_that_is_ignored_stays_ignored() {
    let workshop = Workshop::new("[tools.cat]\ncommand = ['cat']\n");
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "trap '' HUP; exec \"$0\" run TOOLS.toml >stdout", env!("CARGO_BIN_EXE_fusebox")]);
    command.current_dir(workshop.path(".")).stdin(Stdio::piped()).stderr(Stdio::null());
    let mut running = workshop.watch(command.spawn().unwrap());
    let mut stdin = running.stdin();
    for results in 1..=2 {
        stdin.write_all(calls("cat", 1).as_bytes()).unwrap();
        let written = || std::fs::read_to_string(workshop.path("stdout")).unwrap_or_default().lines().count();
        eventually("a result", || written() == results);
        running.signal(Signal::SIGHUP);
    }
    drop(stdin);
    let finished = running.finish();
    assert_eq!((finished.code, finished.results.len()), (0, 2));
}
