//! Each mechanism of a policy, seen from outside; the example shows them together.

use crate::support::{Workshop, calls};
use serde_json::json;

#[test]
fn a_retry_succeeds_and_is_counted() {
    let workshop = Workshop::new("[tools.t]\ncommand = ['./t.sh']\npolicy.max_retries = 2\n");
    workshop.script("t.sh", "[ $FUSEBOX_ATTEMPT = 3 ] || exit 75");
    let finished = workshop.run(calls("t", 3));
    for id in 1..=3 {
        assert_eq!(finished.result(id)["attempts"], 3);
    }
    let tool = &finished.summary["tools"]["t"];
    assert_eq!((&tool["ok"], &tool["retries"], &tool["attempts"]), (&json!(3), &json!(6), &json!(9)));
    assert!(tool["p50_ms"].as_f64().unwrap() > 0.0, "{tool}");
}

#[test]
fn a_deadline_bounds_the_whole_call() {
    let workshop = Workshop::new("[tools.t]\ncommand = ['sleep', '1000']\n");
    let finished = workshop.run("{\"id\":1,\"tool\":\"t\",\"deadline\":\"200ms\"}\n");
    assert_eq!(finished.result(1)["error"]["kind"], "deadline_exceeded");
}

#[test]
fn a_breaker_opens_and_says_when_to_come_back() {
    let breaker = "policy.breaker = { consecutive_failures = 2, open_wait = '1h', jitter = 'none' }";
    let workshop = Workshop::new(&format!("[tools.t]\ncommand = ['false']\n{breaker}\n"));
    let finished = workshop.run_with(&["--jobs", "1"], calls("t", 5));
    let error = &finished.result(3)["error"];
    assert_eq!((&error["kind"], &error["by"]), (&json!("rejected"), &json!("breaker")));
    assert!((3_500_000..=3_600_000).contains(&error["retry_after_ms"].as_u64().unwrap()), "{error}");
    let tool = &finished.summary["tools"]["t"];
    assert_eq!((&tool["failed"], &tool["refused"]["breaker"]), (&json!(2), &json!(3)));
    assert_eq!((&tool["transitions"]["opened"], &tool["breaker"]), (&json!(1), &json!("open")));
}

#[test]
fn a_breaker_recovers_through_probes() {
    let breaker = "policy.breaker = { consecutive_failures = 2, open_wait = '10ms', open_wait_factor = 1 }";
    let web = "[services.web]\ncommand = ['fusebox', 'flaky']";
    let workshop = Workshop::new(&format!(
        "[tools.t]\nurl = '{{web}}/outage?from=1&for=4'\n{breaker}\npolicy.max_retries = 9\npolicy.max_wait = '9s'\n{web}\n"
    ));
    let finished = workshop.run(calls("t", 1));
    assert_eq!((&finished.result(1)["success"], &finished.result(1)["attempts"]), (&json!(true), &json!(5)));
    let transitions = &finished.summary["tools"]["t"]["transitions"];
    assert_eq!(transitions, &json!({"opened": 3, "half_opened": 3, "closed": 1}));
}

#[test]
fn a_rate_limit_refuses_what_is_too_much_and_an_important_call_costs_less() {
    let workshop =
        Workshop::new("[tools.t]\ncommand = ['true']\npolicy.rate = { enabled = true, limit = '1/h', burst = 2 }\n");
    let call = |id, priority| format!("{{\"id\":{id},\"tool\":\"t\",\"priority\":\"{priority}\"}}\n");
    let lines = [call(1, "normal"), call(2, "high"), call(3, "normal"), call(4, "critical"), call(5, "low")];
    let finished = workshop.run_with(&["--jobs", "1"], lines.concat());
    let by: Vec<_> = (1..=5).map(|id| finished.result(id)["error"]["by"].clone()).collect();
    assert_eq!(by, [json!(null), json!(null), json!("bucket"), json!(null), json!("bucket")]);
    let refused = json!({"breaker": 0, "rate": 2, "adaptive_rate": 0, "bulkhead": 0, "throttle": 0});
    assert_eq!(finished.summary["tools"]["t"]["refused"], refused);
}

#[test]
fn a_bulkhead_refuses_what_would_be_too_many_at_once() {
    // the first call ends only when the other has its result
    let workshop = Workshop::new("[tools.t]\ncommand = ['./t.sh']\npolicy.bulkhead.max_in_flight = 1\n");
    workshop.script("t.sh", "until grep -q bulkhead stdout; do sleep 0.01; done");
    let finished = workshop.run(calls("t", 2));
    assert_eq!(finished.result(1)["success"], true);
    assert_eq!(finished.result(2)["error"]["by"], "bulkhead");
    assert_eq!(finished.summary["totals"]["refused"], 1);
}
