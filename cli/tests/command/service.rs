//! Helper servers: started before the first call, ended after the last.

use crate::support::{Workshop, calls, eventually, first_line, processes};
use nix::sys::signal::Signal;
use serde_json::json;
use std::process::Stdio;

fn with_service(script: &str, more: &str) -> Workshop {
    let workshop = Workshop::new(&format!(
        "[tools.t]\nurl = '{{s}}/ok'\n[services.s]\ncommand = ['./s.sh']\nstart_timeout = '30s'\n{more}"
    ));
    workshop.script("s.sh", script);
    workshop
}

#[test]
fn a_service_runs_as_long_as_the_calls_and_no_longer() {
    let workshop = with_service("", "");
    let marker = workshop.marker();
    let program = env!("CARGO_BIN_EXE_fusebox");
    workshop.script("s.sh", &format!("tail -qf /dev/null {marker} >/dev/null 2>&1 & '{program}' flaky; echo {marker}"));
    let finished = workshop.run(calls("t", 3));
    assert_eq!(finished.summary["totals"]["ok"], 3, "{}", finished.stderr);
    eventually("the end of all processes", || processes(&marker).is_empty());
}

#[test]
fn a_service_that_does_not_announce_itself_is_named() {
    let workshop = Workshop::new("[services.s]\ncommand = ['sleep', '1000']\nstart_timeout = '100ms'\n");
    let finished = workshop.run("");
    assert_eq!(finished.code, 1);
    let message = "services.s has not written its URL to stdout within its start_timeout of 100ms";
    assert!(finished.stderr.contains(message), "{}", finished.stderr);
}

#[test]
fn a_service_that_ends_or_says_something_else_is_quoted() {
    for (script, words) in [
        ("echo no port left >&2; exit 1", "services.s ended before it wrote its URL to stdout: no port left"),
        ("echo hello; sleep 1000", "services.s wrote \"hello\" to stdout: allowed is its URL"),
    ] {
        let finished = with_service(script, "").run(calls("t", 1));
        assert_eq!((finished.code, finished.results.len()), (1, 0));
        assert!(finished.stderr.contains(words), "{}", finished.stderr);
    }
    let finished = Workshop::new("[services.s]\ncommand = ['fusebox-test-no-such-program']\n").run("");
    assert_eq!(finished.code, 1);
    assert!(finished.stderr.contains("services.s cannot start fusebox-test-no-such-program"), "{}", finished.stderr);
}

#[test]
fn ctrl_c_ends_a_service_that_is_still_starting() {
    let workshop = with_service("", "");
    let marker = workshop.marker();
    workshop.script("s.sh", &format!("tail -qf /dev/null {marker} >/dev/null 2>&1"));
    let running = workshop.start(&[]);
    eventually("the service", || !processes(&marker).is_empty());
    running.signal(Signal::SIGINT);
    assert_eq!(running.finish().code, 130);
    eventually("the end of all processes", || processes(&marker).is_empty());
}

#[test]
fn the_flaky_server_says_where_it_is_in_its_first_line() {
    let workshop = Workshop::new("");
    let mut child = workshop.command(&["flaky", "--port", "0"]).stdout(Stdio::piped()).spawn().unwrap();
    let url = first_line(child.stdout.take().unwrap());
    let running = workshop.watch(child);
    workshop.file("TOOLS.toml", &format!("[tools.t]\nurl = '{url}/flaky?every=2'\npolicy.max_retries = 0\n"));
    let other = Workshop::new("");
    other.file("TOOLS.toml", &std::fs::read_to_string(workshop.path("TOOLS.toml")).unwrap());
    let finished = other.run_with(&["--jobs", "1"], calls("t", 4));
    let success: Vec<_> = (1..=4).map(|id| finished.result(id)["success"].clone()).collect();
    assert_eq!(success, [json!(true), json!(false), json!(true), json!(false)]);
    running.signal(Signal::SIGTERM);
    assert_eq!(running.finish().code, 128 + 15);
}
