//! The example agent, run as its README says, with every mechanism seen at work.

use crate::support::{Workshop, eventually, processes, repository};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::process::{Command, Stdio};

#[test]
fn the_example_shows_every_mechanism_and_loses_no_call() {
    let agent = repository().join("examples/agent");
    let calls = fs::read_to_string(agent.join("calls.jsonl")).unwrap();
    let workshop = Workshop::new("");
    let tools = agent.join("TOOLS.toml");
    let mut command =
        workshop.command(&["run", tools.to_str().unwrap(), "--summary", "json", "--summary-file", "summary"]);
    let stdin = fs::File::open(agent.join("calls.jsonl")).unwrap();
    let finished = workshop.watch(command.stdin(Stdio::from(stdin)).spawn().unwrap()).finish();
    assert_eq!(finished.code, 0, "{}", finished.stderr);

    let ids = |lines: &mut dyn Iterator<Item = Value>| -> Vec<String> {
        lines.map(|line| line["id"].as_str().unwrap().to_owned()).collect()
    };
    let asked = ids(&mut calls.lines().map(|line| serde_json::from_str(line).unwrap()));
    let answered = ids(&mut finished.results.iter().cloned());
    assert!(asked.len() >= 300);
    assert_eq!(asked.len(), answered.len());
    assert_eq!(BTreeSet::from_iter(&asked), BTreeSet::from_iter(&answered));

    let tool = |name: &str, field: &str| finished.summary["tools"][name].pointer(field).unwrap().as_u64().unwrap();
    assert_eq!(tool("hash", "/ok"), 80);
    assert_eq!(tool("search", "/ok"), 60);
    assert_eq!(tool("sometimes", "/ok"), 60);
    assert!(tool("sometimes", "/retries") > 0);
    assert_eq!((tool("hang", "/timeouts"), tool("hang", "/failed")), (4, 4));
    assert!(tool("down", "/refused/breaker") >= 6);
    assert_eq!((tool("scarce", "/ok"), tool("scarce", "/refused/rate")), (5, 10));
    assert!(tool("slow", "/refused/bulkhead") > 0);
    assert_eq!(tool("outage", "/ok"), 40);
    assert!(tool("outage", "/transitions/opened") > 0);
    assert!(tool("outage", "/transitions/closed") > 0);
    assert!(tool("quota", "/retries") > 0);
    for result in &finished.results {
        let error = &result["error"];
        assert_eq!(error["kind"] == "rejected", error["by"].is_string(), "a refusal names its part: {result}");
    }
    eventually("the end of all processes", || processes("fusebox-example-hang").is_empty());
}

#[test]
fn the_calls_are_what_their_script_writes() {
    let agent = repository().join("examples/agent");
    let written = Command::new("sh").arg(agent.join("make_calls.sh")).output().unwrap().stdout;
    assert!(written == fs::read(agent.join("calls.jsonl")).unwrap(), "run make_calls.sh > calls.jsonl");
}
