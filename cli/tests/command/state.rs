//! `fusebox run --state`: what the circuits know survives a restart.

use crate::support::{Workshop, calls, eventually};
use nix::sys::signal::Signal;
use serde_json::json;
use std::fs;
use std::io::Write;

const OPENS: &str = "[tools.t]\ncommand = ['false']\npolicy.breaker = { consecutive_failures = 1, open_wait = '1h', jitter = 'none' }\n";

#[test]
fn an_open_circuit_stays_open_across_a_restart() {
    let workshop = Workshop::new(OPENS);
    let first = workshop.run_with(&["--state", "state"], calls("t", 1));
    assert_eq!((first.code, &first.result(1)["error"]["kind"]), (0, &json!("failed")), "{}", first.stderr);
    let second = workshop.run_with(&["--state", "state"], calls("t", 1));
    let error = &second.result(1)["error"];
    assert_eq!((&error["kind"], &error["by"]), (&json!("rejected"), &json!("breaker")));
    assert!((3_000_000..3_600_000).contains(&error["retry_after_ms"].as_u64().unwrap()), "{error}");
    assert_eq!(workshop.run(calls("t", 1)).result(1)["error"]["kind"], "failed");
}

#[test]
fn a_run_that_is_interrupted_saves_its_state_and_one_that_dies_has_saved_it() {
    for signal in [Signal::SIGINT, Signal::SIGKILL] {
        let workshop = Workshop::new(OPENS);
        let mut running = workshop.start(&["--state", "state"]);
        let mut stdin = running.stdin();
        stdin.write_all(calls("t", 1).as_bytes()).unwrap();
        eventually("the result", || fs::read_to_string(workshop.path("stdout")).unwrap().lines().count() == 1);
        if signal == Signal::SIGKILL {
            let _ = fs::remove_file(workshop.path("state"));
            eventually("the state", || workshop.path("state").exists());
        }
        running.signal(signal);
        running.finish();
        let second = workshop.run_with(&["--state", "state"], calls("t", 1));
        assert_eq!(second.result(1)["error"]["by"], "breaker", "{signal}");
    }
}

#[test]
fn a_file_that_is_no_state_is_left_alone() {
    let workshop = Workshop::new(OPENS);
    for (text, words) in [("{}", "state is no saved state"), ("{", "state is damaged")] {
        workshop.file("state", text);
        let finished = workshop.run_with(&["--state", "state"], "");
        assert_eq!(finished.code, 1);
        assert!(finished.stderr.contains(words), "{}", finished.stderr);
        assert_eq!(fs::read_to_string(workshop.path("state")).unwrap(), text);
    }
}

#[test]
fn a_state_that_cannot_be_saved_is_an_error() {
    let finished = Workshop::new(OPENS).run_with(&["--state", "nowhere/state"], calls("t", 1));
    assert_eq!((finished.code, finished.results.len()), (1, 1));
    assert!(finished.stderr.contains("nowhere/state cannot be written"), "{}", finished.stderr);
    assert_eq!(finished.summary["totals"]["lines"], 1);
}
