//! `fusebox run --watch`: changes to the file while calls run.

use crate::support::{Running, Workshop, calls, eventually, processes};
use serde_json::{Value, json};
use std::fs;
use std::io::Write;
use std::process::ChildStdin;

const ECHO: &str = "[tools.t]\ncommand = ['echo', '1']\n";

struct Watched {
    workshop: Workshop,
    running: Running,
    stdin: ChildStdin,
    calls: usize,
    changes: usize,
}

impl Watched {
    fn start(tools: &str) -> Self {
        Self::start_in(Workshop::new(tools))
    }

    fn start_in(workshop: Workshop) -> Self {
        let mut running = workshop.start(&["--watch"]);
        let stdin = running.stdin();
        let mut watched = Self { workshop, running, stdin, calls: 0, changes: 0 };
        watched.call("no_such_tool"); // once it is answered the file is watched
        watched
    }

    /// The result of one call.
    fn call(&mut self, tool: &str) -> Value {
        self.begin(tool);
        eventually("the result", || self.results().len() == self.calls);
        self.results().remove(self.calls - 1)
    }

    fn begin(&mut self, tool: &str) {
        self.stdin.write_all(calls(tool, 1).as_bytes()).unwrap();
        self.calls += 1;
    }

    fn results(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.workshop.path("stdout")).unwrap();
        // a line may be half written
        text.split_inclusive('\n').filter_map(|line| serde_json::from_str(line.strip_suffix('\n')?).ok()).collect()
    }

    /// Changes the file and waits until that was noticed.
    fn change(&mut self, tools: &str) {
        self.changes += 1;
        self.workshop.file("TOOLS.toml", &format!("{}{tools}", Workshop::DEFAULTS));
        eventually("the change", || self.stderr().matches("has changed").count() == self.changes);
    }

    fn stderr(&self) -> String {
        fs::read_to_string(self.workshop.path("stderr")).unwrap()
    }

    fn finish(self) -> Value {
        drop(self.stdin);
        let finished = self.running.finish();
        assert_eq!(finished.code, 0, "{}", finished.stderr);
        assert_eq!(finished.summary["totals"]["lines"], self.calls);
        finished.summary
    }
}

#[test]
fn a_change_is_put_in_force_and_the_summary_keeps_what_was_removed() {
    let mut watched = Watched::start(&format!("{ECHO}[tools.gone]\ncommand = ['true']\n"));
    assert_eq!(watched.call("t")["output"], 1);
    assert_eq!(watched.call("gone")["success"], true);
    // another command, a new tool that has an old name's alias, and one less
    watched.change("[tools.t]\ncommand = ['echo', '2']\naliases = ['gone']\n[tools.new]\ncommand = ['echo', '3']\n");
    assert_eq!(watched.call("t")["output"], 2);
    assert_eq!(watched.call("new")["output"], 3);
    assert_eq!(watched.call("gone")["output"], 2);
    // and back
    watched.change(&format!("{ECHO}[tools.gone]\ncommand = ['true']\n"));
    assert_eq!(watched.call("gone")["output"], json!(null));
    assert_eq!(watched.call("new")["error"]["kind"], "unknown_tool");
    let summary = watched.finish();
    assert_eq!(summary["reloads"], json!({"applied": 2, "refused": 0}));
    let calls = |tool: &str| summary["tools"][tool]["calls"].as_u64().unwrap();
    assert_eq!((calls("t"), calls("gone"), calls("new")), (3, 2, 1));
}

#[test]
fn a_wrong_change_changes_nothing_and_is_told_with_its_place() {
    let mut watched = Watched::start(ECHO);
    for (wrong, words) in [
        (
            "[tools.t]\ncommand = ['echo', '2']\npolicy.timeout = '0s'\n",
            "TOOLS.toml:4:18: tools.t.policy.timeout is 0s",
        ),
        ("[tools.t]\ncommand = ['echo', '2']\nargs = { type = 'strin' }\n", "TOOLS.toml:4:8: tools.t.args is wrong"),
        ("[tools.t]\nurl = '{s}/'\n[services.s]\ncommand = ['false']\n", "TOOLS.toml: services.s ended before"),
    ] {
        watched.change(wrong);
        assert!(watched.stderr().contains(words), "{}", watched.stderr());
        assert_eq!(watched.call("t")["output"], 1);
    }
    watched.change("[tools.t]\ncommand = ['echo', '3']\n");
    assert_eq!(watched.call("t")["output"], 3);
    assert_eq!(watched.finish()["reloads"], json!({"applied": 1, "refused": 3}));
}

#[test]
fn an_open_circuit_stays_open_though_the_tool_is_another() {
    let policy = "policy.breaker = { consecutive_failures = 1, open_wait = '1h' }\n";
    let mut watched = Watched::start(&format!("[tools.t]\ncommand = ['false']\n{policy}"));
    assert_eq!(watched.call("t")["error"]["kind"], "failed");
    watched.change(&format!("[tools.t]\ncommand = ['true']\n{policy}"));
    assert_eq!(watched.call("t")["error"]["by"], "breaker");
    watched.finish();
}

#[test]
fn a_service_that_is_no_more_there_ends_with_the_last_call_of_it() {
    let workshop = Workshop::new("");
    let marker = workshop.marker();
    let program = env!("CARGO_BIN_EXE_fusebox");
    workshop.script("s.sh", &format!("tail -qf /dev/null {marker} >/dev/null 2>&1 & '{program}' flaky; echo {marker}"));
    let service = "[services.s]\ncommand = ['./s.sh']\n";
    workshop.file("TOOLS.toml", &format!("{}[tools.t]\nurl = '{{s}}/slow?ms=1000'\n{service}", Workshop::DEFAULTS));
    let mut watched = Watched::start_in(workshop);
    eventually("the service", || !processes(&marker).is_empty());
    watched.begin("t");
    watched.begin("no_such_tool"); // once it is answered the call before has begun
    eventually("the result", || watched.results().len() == watched.calls - 1);
    watched.change("[tools.new]\ncommand = ['true']\n");
    eventually("the result", || watched.results().len() == watched.calls);
    assert_eq!(watched.results().pop().unwrap()["success"], true);
    eventually("the end of the service", || processes(&marker).is_empty());
    watched.finish();
}

#[test]
fn a_service_that_is_the_same_goes_on_and_one_that_is_another_is_started() {
    let workshop = Workshop::new("");
    let program = env!("CARGO_BIN_EXE_fusebox");
    workshop.script("s.sh", &format!("echo started >>starts; exec '{program}' flaky"));
    let tools = "[tools.t]\nurl = '{s}/ok'\n[services.s]\ncommand = ['./s.sh']\n";
    workshop.file("TOOLS.toml", &format!("{}{tools}", Workshop::DEFAULTS));
    let mut watched = Watched::start_in(workshop);
    let starts = |watched: &Watched| fs::read_to_string(watched.workshop.path("starts")).unwrap().lines().count();
    for (change, started) in [("", 1), ("# changed\n", 1), ("env = { A = 'b' }\n", 2)] {
        watched.change(&format!("{tools}{change}[tools.{}]\ncommand = ['true']\n", ["a", "b", "c"][watched.changes]));
        assert_eq!((watched.call("t")["success"].clone(), starts(&watched)), (json!(true), started), "{change}");
    }
    watched.finish();
}
