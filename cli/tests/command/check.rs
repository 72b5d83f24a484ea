//! `fusebox check`, and what a wrong TOOLS.toml does to `fusebox run`.

use crate::support::Workshop;
use std::fs;
use std::process::Stdio;

fn run(workshop: &Workshop, arguments: &[&str]) -> (i32, String, String) {
    let status = workshop.command(arguments).stdin(Stdio::null()).status().unwrap();
    let read = |name| fs::read_to_string(workshop.path(name)).unwrap();
    (status.code().unwrap(), read("stdout"), read("stderr"))
}

#[test]
fn a_right_file_is_answered_with_policies_that_mean_the_same() {
    let workshop = Workshop::new(
        "[defaults]\ntimeout_ms = 1500\n[tools.b]\nurl = 'http://localhost/'\n\
         [tools.a]\ncommand = ['x']\npolicy = { max_retries = 7, rate.limit = '100/min' }\n",
    );
    let (code, policies, stderr) = run(&workshop, &["check", "TOOLS.toml"]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    let value: toml::Table = policies.parse().unwrap();
    let policy = |tool: &str| value["tools"][tool]["policy"].clone();
    assert_eq!((policy("a")["max_retries"].as_integer(), policy("b")["max_retries"].as_integer()), (Some(7), Some(2)));
    assert_eq!(policy("b")["timeout"].as_str(), Some("1s 500ms"));

    // what it prints, put in place of what was written, is the same policy again
    let tools = policies.replace("[tools.a.policy]", "[tools.a]\ncommand = ['x']\n[tools.a.policy]");
    let tools = tools.replace("[tools.b.policy]", "[tools.b]\nurl = 'http://localhost/'\n[tools.b.policy]");
    workshop.file("TOOLS.toml", &tools);
    assert_eq!(run(&workshop, &["check", "TOOLS.toml"]), (0, policies, String::new()));
}

#[test]
fn limits_groups_keys_and_rules_are_shown_with_what_they_leave_open() {
    let workshop = Workshop::new(
        "limits.rate.limit = '100/s'\ngroups.g.bulkhead.max_in_flight = 2\n\
         [[rules]]\nrole = '*'\ncapability = 'a'\ndecision = 'allow'\n\
         [tools.a]\ncommand = ['x']\ngroups = ['g']\nkeyed.breaker.consecutive_failures = 2\n\
         args = { type = 'object', required = ['q'] }\nmax_output = '2 KiB'\n",
    );
    let (code, shown, stderr) = run(&workshop, &["check", "TOOLS.toml"]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    let shown: serde_json::Value = toml::from_str(&shown).unwrap();
    assert_eq!(
        (&shown["limits"]["rate"]["limit"], &shown["limits"]["rate"]["burst"]),
        (&"100/1s".into(), &10.0.into())
    );
    assert_eq!(shown["groups"]["g"]["bulkhead"]["max_in_flight"], 2);
    assert_eq!(shown["rules"][0]["decision"], "allow");
    let tool = &shown["tools"]["a"];
    assert_eq!((&tool["groups"][0], &tool["max_output"]), (&"g".into(), &"2 KiB".into()));
    assert_eq!(tool["args"]["required"][0], "q");
    let keyed = &tool["keyed"];
    assert_eq!((&keyed["max_keys"], &keyed["breaker"]["consecutive_failures"]), (&1024.into(), &2.into()));
    assert!(keyed["breaker"]["open_wait"].is_string(), "{keyed}");
}

#[test]
fn a_variable_takes_the_place_of_a_value_and_is_named_where_it_is_wrong() {
    let workshop = Workshop::new("[tools.a]\ncommand = ['x']\n");
    let check = |timeout: &str| {
        let mut command = workshop.command(&["check", "TOOLS.toml"]);
        let status = command.env("FUSEBOX__DEFAULTS__TIMEOUT", timeout).status().unwrap();
        let read = |name| fs::read_to_string(workshop.path(name)).unwrap();
        (status.code().unwrap(), read("stdout"), read("stderr"))
    };
    let (code, shown, _) = check("5s");
    let shown: serde_json::Value = toml::from_str(&shown).unwrap();
    assert_eq!((code, &shown["tools"]["a"]["policy"]["timeout"]), (0, &"5s".into()));
    let (code, _, stderr) = check("0s");
    assert_eq!(code, 2);
    assert!(stderr.starts_with("FUSEBOX__DEFAULTS__TIMEOUT: defaults.timeout is 0s: allowed is"), "{stderr}");
}

#[test]
fn the_schema_is_json_and_knows_the_keys_of_the_command_line() {
    let (code, schema, stderr) = run(&Workshop::new(""), &["schema"]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    let schema: serde_json::Value = serde_json::from_str(&schema).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    assert!(validator.is_valid(&serde_json::json!({"tools": {"a": {"command": ["x"], "policy": {"timeout": "1s"}}}})));
    assert!(!validator.is_valid(&serde_json::json!({"tools": {"a": {"comand": ["x"]}}})));
}

#[test]
fn a_wrong_file_is_answered_with_every_fault_and_its_place() {
    let workshop = Workshop::new("");
    workshop.file(
        "TOOLS.toml",
        "[defaults]\nbreaker.open_wait = '0s'\n[tools.a]\ncomand = ['x']\n[tools.b]\ncommand = ['x']\npolicy.timeout = '0s'\n",
    );
    for command in ["check", "run"] {
        let (code, stdout, stderr) = run(&workshop, &[command, "TOOLS.toml"]);
        assert_eq!((code, stdout.as_str()), (2, ""));
        let lines: Vec<_> = stderr.lines().collect();
        assert_eq!(lines.len(), 3, "{stderr}");
        assert!(lines[0].starts_with("TOOLS.toml:2:21: defaults.breaker.open_wait is 0"), "{stderr}");
        assert!(lines[1].starts_with("TOOLS.toml:4:10: tools.a.comand is unknown: allowed is aliases, "), "{stderr}");
        assert!(lines[2].starts_with("TOOLS.toml:7:18: tools.b.policy.timeout is 0s: allowed is 1ms to"), "{stderr}");
    }
}

#[test]
fn a_file_that_is_not_there_and_a_wrong_command_line_exit_with_2() {
    let workshop = Workshop::new("");
    let (code, _, stderr) = run(&workshop, &["check", "no.toml"]);
    assert_eq!(code, 2);
    assert!(stderr.starts_with("no.toml: the file cannot be read: No such file"), "{stderr}");
    for arguments in [&["run"][..], &["run", "TOOLS.toml", "--jobs", "0"], &["rum"]] {
        assert_eq!(run(&workshop, arguments).0, 2, "{arguments:?}");
    }
}
