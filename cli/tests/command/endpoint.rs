//! Tools that are HTTP endpoints.

use crate::support::{Workshop, calls};
use serde_json::{Value, json};
use std::net::TcpListener;
use std::process::Stdio;

/// A workshop with one tool at the server that misbehaves.
fn flaky(path: &str, more: &str) -> Workshop {
    let service = "[services.web]\ncommand = ['fusebox', 'flaky']\n";
    Workshop::new(&format!("[tools.t]\nurl = '{{web}}{path}'\n{more}\n{service}"))
}

#[test]
fn arguments_are_a_query_or_a_body_by_the_method() {
    let args = json!({"q": "a b&c", "n": [1, 2], "none": null});
    for method in ["GET", "DELETE"] {
        let output = &flaky("/echo?fixed=1", &format!("method = '{method}'")).call("t", &args)["output"];
        assert_eq!(output["method"], method);
        assert_eq!(output["query"], json!([["fixed", "1"], ["n", "1"], ["n", "2"], ["q", "a b&c"]]));
        assert_eq!(output["body"], "");
    }
    for method in ["POST", "PUT", "PATCH"] {
        let more = format!("method = '{method}'\nheaders = {{ x-trial = 'yes' }}");
        let output = &flaky("/echo?fixed=1", &more).call("t", &args)["output"];
        assert_eq!((&output["method"], &output["query"]), (&json!(method), &json!([["fixed", "1"]])));
        assert_eq!(serde_json::from_str::<Value>(output["body"].as_str().unwrap()).unwrap(), args);
        assert_eq!(output["headers"]["content-type"], "application/json");
        assert_eq!(output["headers"]["x-trial"], "yes");
        assert_eq!(output["headers"]["idempotency-key"].as_str().map(str::len), Some(32));
    }
    let error = &flaky("/echo", "").call("t", &json!({"deep": {"a": 1}}))["error"];
    assert_eq!(error["category"], "InvalidParameters");
}

#[test]
fn an_answer_without_a_json_type_is_text() {
    assert_eq!(flaky("/status/200", "").call("t", &json!({}))["output"], "200\n");
}

#[test]
fn a_status_is_a_category_and_the_answer_says_more() {
    for (status, category) in [(404, "ResourceNotFound"), (401, "Authentication"), (500, "ExecutionError")] {
        let error = &flaky(&format!("/status/{status}"), "").call("t", &json!({}))["error"];
        assert_eq!((&error["kind"], &error["category"]), (&json!("failed"), &json!(category)));
        let message = error["message"].as_str().unwrap();
        assert!(
            message.starts_with(&format!("HTTP {status}")) && message.ends_with(&format!(": {status}")),
            "{message}"
        );
    }
}

#[test]
fn retry_after_is_honoured() {
    let workshop = flaky("/limited?every=2&retry_after=1", "policy.max_retries = 1");
    let finished = workshop.run_with(&["--jobs", "1"], calls("t", 2));
    let second = finished.result(2);
    assert_eq!((&second["success"], &second["attempts"]), (&json!(true), &json!(2)));
    assert!(second["elapsed_ms"].as_f64().unwrap() >= 1000.0, "{second}");
}

#[test]
fn a_wait_that_is_not_retried_is_reported() {
    let error = &flaky("/limited?every=1&retry_after=7", "").call("t", &json!({}))["error"];
    assert_eq!((&error["category"], &error["retry_after_ms"]), (&json!("RateLimit"), &json!(7000)));
}

#[test]
fn a_server_that_is_not_there_is_a_network_error_with_its_cause() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let workshop = Workshop::new(&format!("[tools.t]\nurl = 'http://127.0.0.1:{port}/'\n"));
    let error = &workshop.call("t", &json!({}))["error"];
    assert_eq!(error["category"], "Network");
    assert!(error["message"].as_str().unwrap().contains("refused"), "{error}");

    let policy = "policy = { idempotent = false, max_retries = 1, backoff = { base = '1ms' } }";
    let workshop = Workshop::new(&format!("[tools.t]\nurl = 'http://127.0.0.1:{port}/'\nmethod = 'POST'\n{policy}\n"));
    assert_eq!(workshop.call("t", &json!({}))["attempts"], 2, "nothing was sent, so a retry does no harm");
}

#[test]
fn a_server_that_never_answers_times_out() {
    let error = &flaky("/hang", "policy.timeout = '100ms'").call("t", &json!({}))["error"];
    assert_eq!((&error["kind"], &error["message"]), (&json!("timed_out"), &json!("timed out after 100ms")));
}

#[test]
fn an_oversized_answer_fails_the_call() {
    let args = json!("x".repeat(3000));
    let error = &flaky("/echo", "method = 'POST'\nmax_output = '2 KiB'").call("t", &args)["error"];
    assert_eq!(error["category"], "ResourceExhausted");
}

#[test]
fn only_https_needs_the_certificates_of_the_system() {
    let https = "[tools.s]\nurl = 'https://127.0.0.1:1/'\n";
    for (tools, code) in [("", 0), (https, 2)] {
        let workshop = flaky("/ok", "");
        let text = std::fs::read_to_string(workshop.path("TOOLS.toml")).unwrap();
        workshop.file("TOOLS.toml", &format!("{text}{tools}"));
        workshop.file("none.pem", "");
        let mut command = workshop.command(&["run", "TOOLS.toml"]);
        command.env("SSL_CERT_FILE", workshop.path("none.pem")).env("SSL_CERT_DIR", workshop.path("none"));
        let finished = workshop.watch(command.stdin(Stdio::null()).spawn().unwrap()).finish();
        assert_eq!(finished.code, code, "{}", finished.stderr);
        assert_eq!(finished.stderr.contains("https://127.0.0.1:1/ cannot be asked securely"), code == 2);
    }
}
