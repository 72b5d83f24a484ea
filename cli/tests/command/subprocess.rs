//! Tools that are programs: what they are given, what is made of what they say, and that they never stay behind.

use crate::support::{Workshop, calls, eventually, processes};
use nix::sys::signal::{Signal, kill};
use serde_json::{Value, json};

/// A workshop with one tool, a shell script.
fn shell(script: &str, more: &str) -> Workshop {
    let workshop = Workshop::new(&format!("[tools.t]\ncommand = ['./t.sh']\n{more}"));
    workshop.script("t.sh", script);
    workshop
}

#[test]
fn arguments_come_as_one_line_of_json_and_output_is_json_or_text() {
    assert_eq!(shell("cat", "").call("t", &json!({"a": [1, "x\n"]}))["output"], json!({"a": [1, "x\n"]}));
    assert_eq!(shell("read -r line; echo \"got $line\"", "").call("t", &json!([]))["output"], "got []");
    assert_eq!(shell("echo 7", "").call("t", &json!({}))["output"], 7);
    assert_eq!(shell("echo 7", "output = 'text'").call("t", &json!({}))["output"], "7");
    assert_eq!(shell("true", "").call("t", &json!({}))["output"], Value::Null);

    let result = shell("echo hello", "output = 'json'").call("t", &json!({}));
    assert_eq!(result["error"]["category"], "ExecutionError");
    assert!(result["error"]["message"].as_str().unwrap().starts_with("stdout is not JSON"), "{result}");
}

#[test]
fn a_failure_has_the_category_of_its_exit_code_and_the_last_words_of_stderr() {
    for (script, category, message) in [
        ("echo first >&2; echo last >&2; echo >&2; exit 65", "InvalidParameters", "last (exit code 65)"),
        ("exit 75", "ServiceUnavailable", "exit code 75, and nothing on stderr"),
        ("exit 124", "Timeout", "exit code 124, and nothing on stderr"),
        ("exit 1", "ExecutionError", "exit code 1, and nothing on stderr"),
        ("kill -9 $$", "ResourceExhausted", "exit code 137, and nothing on stderr"),
        ("kill -15 $$", "ExecutionError", "exit code 143, and nothing on stderr"),
    ] {
        let result = shell(script, "").call("t", &json!({}));
        assert_eq!(result["error"]["kind"], "failed", "{script}");
        assert_eq!((&result["error"]["category"], &result["error"]["message"]), (&json!(category), &json!(message)));
    }
}

#[test]
fn a_tool_can_say_otherwise_what_its_failures_are() {
    let rules =
        "exit_codes = { 3 = 'Authentication' }\nstderr = [{ contains = 'quota', category = 'PolicyViolation' }]";
    let category = |script| shell(script, rules).call("t", &json!({}))["error"]["category"].clone();
    assert_eq!(category("exit 3"), "Authentication");
    assert_eq!(category("echo over quota >&2; exit 3"), "PolicyViolation");
    assert_eq!(category("echo over quota; exit 77"), "PermissionDenied");
}

#[test]
fn a_program_that_cannot_be_started_says_why() {
    let workshop = Workshop::new(
        "[tools.absent]\ncommand = ['fusebox-test-no-such-program']\n\
         [tools.plain]\ncommand = ['./TOOLS.toml']\n\
         [tools.lost]\ncommand = ['true']\ncwd = 'nowhere'\n",
    );
    for (tool, category, words) in [
        ("absent", "ToolNotFound", "cannot start fusebox-test-no-such-program"),
        ("plain", "PermissionDenied", "Permission denied"),
        ("lost", "ResourceNotFound", "nowhere does not exist"),
    ] {
        let error = &workshop.call(tool, &json!({}))["error"];
        assert_eq!(error["category"], category, "{error}");
        assert!(error["message"].as_str().unwrap().contains(words), "{error}");
    }
}

#[test]
fn it_runs_where_the_file_says_with_what_the_file_says() {
    let workshop = shell("pwd; echo $FUSEBOX_TEST", "cwd = 'sub'\nenv = { FUSEBOX_TEST = 'x y' }");
    std::fs::create_dir(workshop.path("sub")).unwrap();
    let output = workshop.call("t", &json!({}))["output"].as_str().unwrap().to_owned();
    assert!(output.ends_with("/sub\nx y"), "{output}");
}

#[test]
fn it_is_told_the_number_of_its_attempt_and_the_time_it_has() {
    let workshop = shell(
        "[ $FUSEBOX_ATTEMPT = 3 ] || exit 75; echo [$FUSEBOX_ATTEMPT, $FUSEBOX_TIME_LEFT_MS]",
        "policy = { max_retries = 5, deadline = '1h' }",
    );
    let result = workshop.call("t", &json!({}));
    assert_eq!((&result["attempts"], &result["output"][0]), (&json!(3), &json!(3)));
    assert!((1..3_600_000).contains(&result["output"][1].as_u64().unwrap()), "{result}");
}

#[test]
fn all_attempts_of_a_call_are_told_the_same_key() {
    let workshop = shell(
        "echo $FUSEBOX_IDEMPOTENCY_KEY >>keys; [ $FUSEBOX_ATTEMPT = 3 ] || exit 75; cat keys",
        "policy = { max_retries = 5, backoff = { base = '1ms' } }\noutput = 'text'",
    );
    let finished = workshop.run(concat!(r#"{"id":1,"tool":"t","idempotency_key":"k"}"#, "\n"));
    assert_eq!(finished.result(1)["output"], "k\nk\nk");
    let output = workshop.call("t", &json!({}))["output"].as_str().unwrap().to_owned();
    let keys: Vec<_> = output.lines().skip(3).collect();
    assert!(keys.len() == 3 && keys.iter().all(|key| key.len() == 32 && *key == keys[0]), "{keys:?}");
}

#[test]
fn a_program_that_says_nothing_stalls_and_one_that_speaks_does_not() {
    let policy = "policy = { max_retries = 0, idle_timeout = '2s' }";
    let error = &shell("sleep 100", policy).call("t", &json!({}))["error"];
    assert_eq!((&error["kind"], &error["message"]), (&json!("stalled"), &json!("no progress for 2s")));
    let speaking = "for i in 1 2 3 4 5 6; do sleep 0.5; echo $i >&2; done; echo 7";
    assert_eq!(shell(speaking, policy).call("t", &json!({}))["output"], 7);
}

#[test]
fn large_arguments_and_large_outputs_do_not_block_each_other() {
    let workshop = shell("cat", "max_output = '9 MiB'");
    let args = json!("x".repeat(8 * 1024 * 1024));
    assert_eq!(workshop.call("t", &args)["output"], args);
}

#[test]
fn a_program_that_does_not_read_its_arguments_can_succeed() {
    let args = json!("x".repeat(4 * 1024 * 1024));
    for script in ["echo 7", "exec 0<&-; echo 7", "sleep 0.1; echo 7"] {
        assert_eq!(shell(script, "").call("t", &args)["output"], 7, "{script}");
    }
}

#[test]
fn a_flood_on_stderr_is_read_and_only_its_end_kept() {
    let workshop = shell("head -c 3000000 /dev/zero >&2; echo the end >&2; exit 1", "");
    let message = workshop.call("t", &json!({}))["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.ends_with("(exit code 1)") && message.len() < 5000, "{} bytes", message.len());
}

#[test]
fn an_oversized_output_fails_the_call_and_ends_the_program() {
    let workshop = Workshop::new("");
    let marker = workshop.marker();
    workshop.file(
        "TOOLS.toml",
        &format!("[tools.t]\ncommand = ['yes', '{marker}']\nmax_output = '64 KiB'\npolicy.max_retries = 0"),
    );
    let error = &workshop.call("t", &json!({}))["error"];
    assert_eq!(error["category"], "ResourceExhausted");
    assert_eq!(error["message"], "wrote more than its max_output of 65536 bytes to stdout");
    eventually("the end of the program", || processes(&marker).is_empty());
}

/// Starts two children that hang, one of them from a child of its own, and then does what `then` says.
fn with_children(marker: &str, then: &str) -> String {
    // GNU tail ends by itself when nobody reads its output any more, so the first has none
    format!(
        "tail -qf /dev/null {marker} >/dev/null 2>&1 & sh -c 'tail -qf /dev/null {marker} 2>/dev/null & wait' & {then}"
    )
}

#[test]
fn a_tool_that_times_out_leaves_no_process_behind() {
    let workshop = Workshop::new("[tools.t]\ncommand = ['./t.sh']\npolicy.timeout = '200ms'\n");
    let marker = workshop.marker();
    workshop.script("t.sh", &with_children(&marker, "wait"));
    let result = workshop.call("t", &json!({}));
    assert_eq!((&result["error"]["kind"], &result["error"]["category"]), (&json!("timed_out"), &json!("Timeout")));
    eventually("the end of all processes", || processes(&marker).is_empty());
}

#[test]
fn what_a_tool_leaves_in_the_background_ends_with_it() {
    let workshop = Workshop::new("[tools.t]\ncommand = ['./t.sh']\npolicy.timeout = '50s'\n");
    let marker = workshop.marker();
    // the call must not wait for the children either, which keep its stdout open
    workshop.script("t.sh", &with_children(&marker, "echo done"));
    assert_eq!(workshop.call("t", &json!({}))["output"], "done");
    eventually("the end of all processes", || processes(&marker).is_empty());
}

#[test]
fn a_process_that_left_the_group_does_not_hold_the_call_up() {
    let workshop = Workshop::new("[tools.t]\ncommand = ['./t.sh']\npolicy.timeout = '50s'\n");
    let marker = workshop.marker();
    workshop.script("t.sh", &format!("setsid tail -qf /dev/null {marker} 2>/dev/null & sleep 0.1; echo done"));
    let output = workshop.call("t", &json!({}))["output"].clone();
    for process in processes(&marker) {
        kill(process, Signal::SIGKILL).unwrap();
    }
    assert_eq!(output, "done");
}

#[test]
fn many_short_programs_all_end_and_are_reaped() {
    let workshop = shell("exit 0", "");
    let finished = workshop.run_with(&["--jobs", "8"], calls("t", 300));
    assert_eq!(finished.summary["totals"]["ok"], 300, "{}", finished.stderr);
}
