//! Lines in, results out: one each, never lost.

use crate::support::{Workshop, calls, eventually};
use serde_json::json;
use std::fs;
use std::io::{Read, Write};
use std::process::Stdio;

const CAT: &str = "[tools.cat]\ncommand = ['cat']\n";

#[test]
fn every_line_gets_one_result_and_a_bad_one_its_number() {
    let workshop = Workshop::new(CAT);
    let finished = workshop.run(
        b"{\"id\":1,\"tool\":\"cat\",\"args\":{\"a\":1}}\n\n\
          not json\n\
          \xff\xfe\n\
          {\"id\":\"x\",\"tool\":\"cat\",\"arg\":1}\n\
          {\"id\":2,\"tool\":\"cat\",\"deadline\":\"soon\"}\r\n\
          {\"id\":3,\"tool\":\"dog\"}\n\
          {\"id\":4,\"tool\":\"cat\"}",
    );
    assert_eq!((finished.code, finished.results.len()), (0, 7), "{}", finished.stderr);
    let of_line = |number| finished.results.iter().find(|result| result["line"] == number).unwrap();
    assert_eq!(of_line(1)["output"], json!({"a": 1}));
    for (number, id, message) in [
        (3, json!(null), "expected ident at column 2"),
        (4, json!(null), "not UTF-8 at byte 1"),
        (5, json!("x"), "unknown field `arg`"),
        (6, json!(2), "deadline: \"soon\" is not a duration"),
    ] {
        let result = of_line(number);
        assert_eq!((&result["id"], &result["success"], &result["attempts"]), (&id, &json!(false), &json!(0)));
        assert_eq!(result["error"]["kind"], "invalid_call");
        assert_eq!(result["error"]["category"], "InvalidParameters");
        assert!(result["error"]["message"].as_str().unwrap().contains(message), "{result}");
    }
    assert_eq!((&of_line(7)["id"], &of_line(7)["error"]["kind"]), (&json!(3), &json!("unknown_tool")));
    assert_eq!(of_line(8)["output"], json!({}));
    let totals = json!({"lines": 7, "ok": 2, "failed": 0, "refused": 0, "denied": 0, "invalid_args": 0, "cancelled": 0,
            "unknown_tool": 1, "invalid": 4});
    assert_eq!(finished.summary["totals"], totals);
}

#[test]
fn an_id_comes_back_to_the_last_digit() {
    let workshop = Workshop::new(CAT);
    assert_eq!(workshop.run("{\"id\":12345678901234567890123.50,\"tool\":\"cat\"}\n").code, 0);
    let line = fs::read_to_string(workshop.path("stdout")).unwrap();
    assert!(line.contains("\"id\":12345678901234567890123.50,"), "{line}");
}

#[test]
fn a_line_beyond_the_limit_is_an_error_and_the_rest_go_on() {
    let workshop = Workshop::new(CAT);
    let long = "x".repeat(17 * 1024 * 1024);
    let finished = workshop.run(format!("{}{long}\n{}", calls("cat", 1), calls("cat", 2)));
    assert_eq!((finished.code, finished.results.len()), (0, 4), "{}", finished.stderr);
    let bad = finished.results.iter().find(|result| result["line"] == 2).unwrap();
    assert_eq!(bad["error"]["message"], "longer than 16777216 bytes");
}

#[test]
fn a_result_is_there_while_the_input_is_still_open() {
    let workshop = Workshop::new(CAT);
    let mut running = workshop.start(&[]);
    let mut stdin = running.stdin();
    for count in 1..=3 {
        stdin.write_all(calls("cat", 1).as_bytes()).unwrap();
        let written = || fs::read_to_string(workshop.path("stdout")).unwrap().lines().count();
        eventually("the result", || written() == count);
    }
    drop(stdin);
    assert_eq!(running.finish().code, 0);
}

#[test]
fn an_empty_input_has_no_results_and_a_summary() {
    let finished = Workshop::new(CAT).run("");
    assert_eq!((finished.code, finished.results.len()), (0, 0));
    assert_eq!(finished.summary["tools"]["cat"]["calls"], 0);
}

#[test]
fn calls_begin_in_the_order_of_their_lines() {
    let rate = "policy.rate = { enabled = true, limit = '1/h', burst = 5 }";
    let finished = Workshop::new(&format!("{CAT}{rate}\n")).run(calls("cat", 12));
    let success: Vec<_> = (1..=12).map(|id| finished.result(id)["success"] == true).collect();
    assert_eq!(success, [[true; 5].as_slice(), &[false; 7]].concat());
}

#[test]
fn no_more_calls_run_at_the_same_time_than_jobs() {
    // each call counts how many have begun and not ended, itself included
    let workshop = Workshop::new("[tools.count]\ncommand = ['./count.sh']\n");
    workshop.script("count.sh", "mkdir \"job-$$\"; ls -d job-* | wc -l; sleep 0.02; rmdir \"job-$$\"");
    for (jobs, most) in [("1", 1), ("3", 3)] {
        let finished = workshop.run_with(&["--jobs", jobs], calls("count", 20));
        let counts = finished.results.iter().map(|result| result["output"].as_u64().unwrap());
        assert_eq!((finished.results.len(), counts.max()), (20, Some(most)), "with {jobs} jobs");
    }
}

#[test]
fn a_reader_who_goes_away_ends_the_run_quietly() {
    let workshop = Workshop::new("[tools.cat]\ncommand = ['cat']\n[tools.hang]\ncommand = ['sleep', '1000']\n");
    let mut command = workshop.command(&["run", "TOOLS.toml", "--summary", "none"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let running = workshop.watch(child);
    stdin.write_all(calls("cat", 1).as_bytes()).unwrap();
    stdout.read_exact(&mut [0; 10]).unwrap();
    drop(stdout);
    // the first result that cannot be written ends it all, the call that hangs included, though the input is open
    stdin.write_all(format!("{}{}", calls("hang", 1), calls("cat", 1)).as_bytes()).unwrap();
    let finished = running.finish();
    assert_eq!((finished.code, finished.stderr.as_str()), (0, ""));
}

#[test]
fn an_output_that_fails_is_an_error() {
    let workshop = Workshop::new(CAT);
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = workshop.command(&["run", "TOOLS.toml", "--summary", "none"]);
    let mut child = command.stdin(Stdio::piped()).stdout(full).spawn().unwrap();
    child.stdin.take().unwrap().write_all(calls("cat", 3).as_bytes()).unwrap();
    let finished = workshop.watch(child).finish();
    assert_eq!(finished.code, 1);
    assert!(finished.stderr.starts_with("fusebox: stdout: "), "{}", finished.stderr);
}

#[test]
fn an_input_that_cannot_be_read_is_an_error() {
    let workshop = Workshop::new(CAT);
    let folder = fs::File::open(workshop.path(".")).unwrap();
    let child = workshop.command(&["run", "TOOLS.toml", "--summary", "none"]).stdin(folder).spawn().unwrap();
    let finished = workshop.watch(child).finish();
    assert_eq!(finished.code, 1);
    assert!(finished.stderr.starts_with("fusebox: stdin: "), "{}", finished.stderr);
}

#[test]
fn the_summary_is_a_table_on_stderr_unless_it_is_wanted_otherwise() {
    let workshop = Workshop::new(CAT);
    let run = |arguments: &[&str]| {
        let child =
            workshop.command(&[&["run", "TOOLS.toml"], arguments].concat()).stdin(Stdio::null()).spawn().unwrap();
        workshop.watch(child).finish().stderr
    };
    assert!(run(&[]).contains("refused by"));
    assert_eq!(run(&["--summary", "none"]), "");
    let json: serde_json::Value = serde_json::from_str(&run(&["--summary", "json"])).unwrap();
    assert_eq!(json["interrupted"], false);
}
