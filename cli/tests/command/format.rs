//! What the one format says beside policies: rules, schemas, names, fallbacks, groups, keys.

use crate::support::{Workshop, calls};
use serde_json::json;

#[test]
fn rules_decide_by_role_and_approval_and_every_line_is_counted_once() {
    let rule = |role, capability, decision| {
        format!("[[rules]]\nrole = '{role}'\ncapability = '{capability}'\ndecision = '{decision}'\n")
    };
    let workshop = Workshop::new(&format!(
        "[tools.cat]\ncommand = ['cat']\n[tools.rm]\ncommand = ['cat']\n{}{}",
        rule("agent", "cat", "allow"),
        rule("agent", "rm", "needs_approval"),
    ));
    let finished = workshop.run(concat!(
        r#"{"id":1,"tool":"cat","role":"agent"}"#,
        "\n",
        r#"{"id":2,"tool":"cat"}"#,
        "\n",
        r#"{"id":3,"tool":"rm","role":"agent"}"#,
        "\n",
        r#"{"id":4,"tool":"rm","role":"agent","approved":true}"#,
        "\n",
    ));
    let kinds: Vec<_> = (1..=4).map(|id| finished.result(id)["error"]["kind"].clone()).collect();
    assert_eq!(kinds, [json!(null), json!("denied"), json!("needs_approval"), json!(null)]);
    let totals = &finished.summary["totals"];
    assert_eq!((&totals["lines"], &totals["ok"], &totals["denied"]), (&json!(4), &json!(2), &json!(2)));
    assert_eq!(finished.summary["tools"]["rm"]["calls"], 2);
}

#[test]
fn arguments_and_outputs_are_checked_against_their_schemas() {
    let workshop = Workshop::new(
        "[tools.t]\ncommand = ['cat']\nargs = { required = ['q'] }\n\
         result = { properties = { q = { type = 'string' } } }\n",
    );
    let finished = workshop.run(concat!(
        r#"{"id":1,"tool":"t","args":{"q":"x"}}"#,
        "\n",
        r#"{"id":2,"tool":"t","args":{}}"#,
        "\n",
        r#"{"id":3,"tool":"t","args":{"q":3}}"#,
        "\n",
    ));
    assert_eq!(finished.result(1)["success"], true);
    let error = &finished.result(2)["error"];
    assert_eq!((&error["kind"], &error["category"]), (&json!("invalid_args"), &json!("InvalidParameters")));
    assert_eq!(finished.result(3)["error"]["kind"], "failed");
    let totals = &finished.summary["totals"];
    assert_eq!((&totals["ok"], &totals["invalid_args"], &totals["failed"]), (&json!(1), &json!(1), &json!(1)));
    assert_eq!(finished.summary["tools"]["t"]["attempts"], 2);
}

#[test]
fn a_fallback_answers_for_a_tool_that_cannot_and_the_line_is_ok() {
    let workshop = Workshop::new(
        "[tools.down]\ncommand = ['sh', '-c', 'exit 69']\nfallback = 'up'\n[tools.up]\ncommand = ['echo', '7']\n",
    );
    let finished = workshop.run(calls("down", 2));
    let result = finished.result(1);
    assert_eq!((&result["success"], &result["output"]), (&json!(true), &json!(7)));
    assert_eq!((&result["error"], &result["fallback_for"]["kind"]), (&json!(null), &json!("failed")));
    let totals = &finished.summary["totals"];
    assert_eq!((&totals["lines"], &totals["ok"], &totals["failed"]), (&json!(2), &json!(2), &json!(0)));
    assert_eq!(finished.summary["tools"]["down"]["fallbacks"], 2);
    assert!(workshop.call("up", &json!({})).get("fallback_for").is_none());
}

#[test]
fn a_tool_has_its_aliases_and_is_one_in_the_summary() {
    let workshop = Workshop::new("[tools.cat]\ncommand = ['cat']\naliases = ['type']\n");
    let finished = workshop.run(calls("type", 2));
    assert_eq!(finished.result(1)["tool"], "type");
    assert_eq!(finished.summary["tools"]["cat"]["ok"], 2);
    assert!(finished.summary["tools"]["cat"]["p50_ms"].is_number(), "{}", finished.summary);
    assert!(finished.summary["tools"]["type"].is_null());
}

#[test]
fn groups_and_limits_are_shared() {
    for shared in ["limits.rate = { limit = '1/h', burst = 3 }\n", "groups.g.rate = { limit = '1/h', burst = 3 }\n"] {
        let groups = if shared.starts_with("groups") { "groups = ['g']\n" } else { "" };
        let tools = format!("[tools.a]\ncommand = ['true']\n{groups}[tools.b]\ncommand = ['true']\n{groups}");
        let finished = Workshop::new(&format!("{shared}{tools}")).run(format!("{}{}", calls("a", 2), calls("b", 2)));
        let totals = &finished.summary["totals"];
        assert_eq!((&totals["ok"], &totals["refused"]), (&json!(3), &json!(1)), "{shared}");
    }
}

#[test]
fn a_key_that_fails_opens_its_own_circuit_only() {
    let workshop = Workshop::new(
        "[tools.t]\ncommand = ['./t.sh']\nkeyed.breaker = { consecutive_failures = 1, open_wait = '1h' }\n",
    );
    workshop.script("t.sh", "grep -q up");
    let call = |id, key: &str| format!("{{\"id\":{id},\"tool\":\"t\",\"circuit_key\":\"{key}\",\"args\":\"{key}\"}}\n");
    let lines = [call(1, "down"), call(2, "down"), call(3, "up")];
    let finished = workshop.run_with(&["--jobs", "1"], lines.concat());
    let kinds: Vec<_> = (1..=3).map(|id| finished.result(id)["error"]["kind"].clone()).collect();
    assert_eq!(kinds, [json!("failed"), json!("rejected"), json!(null)]);
}

#[test]
fn a_call_that_takes_long_is_hedged() {
    // the first attempt ends only when the other has
    let workshop = Workshop::new("[tools.t]\ncommand = ['./t.sh']\npolicy.hedge.delay = '10ms'\n");
    workshop.script("t.sh", "mkdir first 2>/dev/null || { echo 7; exit; }; exec tail -qf /dev/null");
    assert_eq!(workshop.run(calls("t", 1)).result(1)["output"], 7);
}
