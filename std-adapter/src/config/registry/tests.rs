//! What a registry's configuration can say, and that all that is wrong with one is told at once.

use super::*;
use crate::Decision;
use crate::config::{DurationText, Policy, SizeText};
use serde_json::json;

fn read(text: &str) -> RegistryConfig {
    toml::from_str(text).expect("it can be read")
}

fn faults(text: &str) -> Vec<String> {
    match read(text).check() {
        Ok(()) => Vec::new(),
        Err(errors) => errors.into_iter().map(|error| error.to_string()).collect(),
    }
}

/// Whether there is one fault, in these words.
#[track_caller]
fn assert_fault(text: &str, fault: &str) {
    assert_eq!(faults(text), [fault]);
}

/// Every field, away from its default.
const FULL: &str = r#"
    [limits]
    rate = { limit = "100/1s", burst = 200.0 }
    bulkhead = { max_in_flight = 64 }

    [defaults]
    timeout = "10s"

    [groups.quota.rate]
    limit = "1000/1days"

    [tools.search]
    description = "finds pages"
    aliases = ["find", "web.search"]
    groups = ["quota"]
    capabilities = ["net.read"]
    max_output = "1 MiB"
    fallback = "cache"
    args = { type = "object", required = ["query"] }
    result = true

    [tools.search.keyed]
    max_keys = 100
    breaker = { consecutive_failures = 3 }
    rate = { limit = "5/1s" }
    bulkhead = { max_in_flight = 2 }

    [tools.search.policy]
    max_retries = 1

    [[rules]]
    role = "agent"
    capability = "net.*"
    decision = "allow"

    [[rules]]
    role = "*"
    capability = "*"
    decision = "needs_approval"
"#;

#[test]
fn every_field_can_be_written_and_is_read_back_as_toml_and_as_json() {
    let config = read(FULL);
    assert_eq!(config.check(), Ok(()));
    let tool = &config.tools["search"];
    assert_eq!((tool.max_output, tool.result.clone()), (Some(SizeText(1 << 20)), Some(json!(true))));
    assert_eq!(tool.args.as_ref().map(|args| &args["required"][0]), Some(&json!("query")));
    assert_eq!(config.rules[1].decision, Decision::NeedsApproval);

    let json = serde_json::to_string(&config).expect("it is data");
    assert_eq!(serde_json::from_str::<RegistryConfig>(&json).expect("it can be read back"), config);
    let written = serde_json::to_value(&config).expect("it is data");
    assert_eq!(serde_json::to_value(toml::from_str::<toml::Table>(FULL).expect("TOML")).expect("data"), written);
}

#[test]
fn an_empty_configuration_is_allowed_and_writes_nothing() {
    assert_eq!(read(""), RegistryConfig::default());
    assert_eq!(RegistryConfig::default().check(), Ok(()));
    let written = |config: &RegistryConfig| serde_json::to_value(config).expect("it is data");
    assert_eq!(written(&RegistryConfig::default()), json!({}));
    let bare = "groups.g = {}\ntools = { a = {}, b.keyed = {} }";
    assert_eq!(written(&read(bare)), json!({ "groups": { "g": {} }, "tools": { "a": {}, "b": { "keyed": {} } } }));
    assert!(toml::from_str::<RegistryConfig>("tool = {}").is_err());
    assert!(toml::from_str::<RegistryConfig>("[tools.a]\ntimeout = '1s'").is_err());
}

#[test]
fn a_rule_says_all_three_things() {
    for missing in ["capability = '*'\ndecision = 'allow'", "role = '*'\ndecision = 'deny'", "role='*'\ncapability='*'"]
    {
        let error = toml::from_str::<RegistryConfig>(&format!("[[rules]]\n{missing}")).expect_err("one is missing");
        assert!(error.message().contains("missing field"), "{error}");
    }
}

#[test]
fn shared_limits_limit_only_where_they_are_given() {
    let limits = |text| read(text).limits.policy().map(|policy| policy.effective().clone());
    let none = limits("").expect("it is allowed");
    assert_eq!((none.rate.enabled, none.bulkhead.enabled), (Some(false), Some(false)));
    assert_eq!((none.breaker.enabled, none.retry_budget.enabled), (Some(false), Some(false)));

    let both = limits("limits = { rate = { limit = '3/s' }, bulkhead = { max_in_flight = 4 } }").expect("allowed");
    assert_eq!(both.rate.limit.map(|limit| limit.0.tokens), Some(3));
    assert_eq!(both.bulkhead.max_in_flight, Some(4));
    assert_eq!(both.breaker.enabled, Some(false));

    let off = limits("limits.rate = { enabled = false, burst = 3 }").expect("it is allowed");
    assert_eq!(off.rate.enabled, Some(false));
    let error = limits("limits.rate.burst = 3").expect_err("a burst of what?");
    assert_eq!(error.to_string(), "rate.limit is absent: allowed is a rate such as 2/s or 100/min");
}

#[test]
fn a_keyed_circuit_has_a_breaker_and_no_rate_unless_it_is_given() {
    let tool = read("defaults.timeout = '3s'\ndefaults.categories.Cancelled.trips = true").defaults;
    let config = read("tools.a.keyed = {}").tools["a"].keyed.clone().expect("it is given");
    let policy = config.policy(&tool).expect("it is allowed").effective().clone();
    assert_eq!((policy.breaker.enabled, policy.rate.enabled), (Some(true), Some(false)));
    assert_eq!(policy.breaker.probe_lease, Some(DurationText::from_secs(4)));
    assert_eq!(policy.breaker.cancelled_is_failure, Some(true));
    assert_eq!(config.max_keys(), Ok(1_024));
}

#[test]
fn a_tool_is_made_of_a_policy() {
    let policy = PolicyConfig { max_retries: Some(9), ..PolicyConfig::default() };
    assert_eq!(ToolConfig::from(&policy).policy, policy);
    assert_eq!(ToolConfig::from(policy), read("tools.a.policy.max_retries = 9").tools["a"]);
}

#[test]
fn each_fault_names_field_value_and_what_is_allowed() {
    assert_fault(
        "limits.bulkhead.enabled = true",
        "limits.bulkhead.max_in_flight is absent: allowed is 1 to 4294967295",
    );
    assert_fault("defaults.timeout = '0s'", "defaults.timeout is 0s: allowed is 1ms to 365days");
    assert_fault("groups.a.rate.burst = 1", "groups.a.rate.limit is absent: allowed is a rate such as 2/s or 100/min");
    assert_fault("[groups.'']", "groups.\"\" is an empty name: allowed is any other text");
    assert_fault("[tools.'']", "tools.\"\" is an empty name: allowed is any other text");
    assert_fault("tools.a.policy.breaker.probes = 99", "tools.a.policy.breaker.probes is 99: allowed is 1 to 15");
    assert_fault(
        "tools.'a.b'.policy.breaker.probes = 0",
        "tools.\"a.b\".policy.breaker.probes is 0: allowed is 1 to 15",
    );
    assert_fault("tools.a.keyed.max_keys = 0", "tools.a.keyed.max_keys is 0: allowed is 1 to 1000000");
    assert_fault("tools.a.keyed.breaker.probes = 0", "tools.a.keyed.breaker.probes is 0: allowed is 1 to 15");
    assert_fault("tools.a.args = 3", "tools.a.args is 3: allowed is a JSON Schema: a table, or true or false");
    assert_fault("tools.a.max_output = 0", "tools.a.max_output is 0 B: allowed is at least 1 B");
    assert_fault("tools.a.fallback = ''", "tools.a.fallback is an empty name: allowed is any other text");
    assert_fault("tools.a.capabilities = ['x', '']", "tools.a.capabilities[1] is \"\": allowed is a name without *");
    assert_fault("tools.a.groups = ['g']", "tools.a.groups[0] is \"g\": allowed is none, there are no groups");
    assert_fault(
        "tools.a.groups = ['g', 'g']\n[groups.g]\n[groups.h]",
        "tools.a.groups[1] is \"g\" once more: allowed is each group once",
    );
    assert_fault(
        "tools.a.groups = ['g', 'h', 'i', 'j']\n[groups]\ng = {}\nh = {}\ni = {}\nj = {}",
        "tools.a.groups is 4 groups: allowed is at most 3",
    );
    assert_fault("tools.a.aliases = ['']", "tools.a.aliases[0] is an empty name: allowed is any other text");
    let rule = |role, capability| format!("[[rules]]\nrole='{role}'\ncapability='{capability}'\ndecision='deny'");
    assert_fault(&rule("", "*"), "rules[0].role is \"\": allowed is \"*\", or a role without \"*\" in it");
    assert_fault(&rule("a*", "*"), "rules[0].role is \"a*\": allowed is \"*\", or a role without \"*\" in it");
    for wrong in ["", "*.x", "a*b", "a**"] {
        let expected = format!(
            "rules[0].capability is \"{wrong}\": allowed is a capability, or its beginning and one \"*\" at the end"
        );
        assert_fault(&rule("*", wrong), &expected);
    }
    for right in ["a", "a.*", "*", "a*"] {
        assert_eq!(faults(&rule("*", right)), [""; 0]);
    }
}

#[test]
fn a_timeout_that_is_not_allowed_is_no_fault_of_the_keys() {
    let text = "tools.a = { policy.timeout = '0s', keyed = {} }";
    assert_fault(text, "tools.a.policy.timeout is 0s: allowed is 1ms to 365days");
}

#[test]
fn an_alias_belongs_to_one_tool() {
    let clash = |owner| {
        format!("tools.b.aliases[0] is \"x\", a name of the tool \"{owner}\": allowed is a name that no tool has")
    };
    assert_fault("tools.b.aliases = ['x']\n[tools.x]", &clash("x"));
    assert_fault("tools.a.aliases = ['x']\ntools.b.aliases = ['x']", &clash("a"));
    assert_eq!(faults("tools.b.aliases = ['x', 'x']").len(), 1);
    assert_eq!(faults("tools.b.aliases = ['b']").len(), 1);
}

#[test]
fn fallbacks_may_lead_out_of_the_configuration_but_not_in_a_circle() {
    assert_eq!(faults("tools.a.fallback = 'b'\ntools.b.fallback = 'registered_by_the_program'"), [""; 0]);
    assert_fault(
        "tools.a.fallback = 'a'",
        "tools.a.fallback is a -> a: allowed is a tool whose fallbacks do not lead back",
    );
    let circle = "tools.b.fallback is b -> d -> c -> b: allowed is a tool whose fallbacks do not lead back";
    let text = "tools.a.fallback = 'b'\ntools.b.fallback = 'd'\ntools.c.fallback = 'b'\ntools.d.fallback = 'other'\n";
    assert_fault(&format!("{text}tools.d.aliases = ['dd']\ntools.c.aliases = ['other']"), circle);
}

#[test]
fn all_faults_are_told_at_once_and_those_of_the_defaults_only_there() {
    let text = "
        limits.rate.burst = 1
        [defaults]
        timeout = '0s'
        backoff.factor = 0
        breaker.open_wait_max = '1m'
        [tools.a]
        policy.breaker.open_wait = '2m'
        max_output = 0
        [tools.b]
        groups = ['none']
        policy.rate.burst = 0
        policy.max_wait = '400days'
    ";
    let fields: Vec<_> = read(text).check().expect_err("there are faults").into_iter().map(|e| e.field).collect();
    assert_eq!(
        fields,
        [
            "limits.rate.limit",
            "defaults.timeout",
            "defaults.backoff.factor",
            "tools.a.policy.breaker.open_wait_max",
            "tools.a.max_output",
            "tools.b.policy.max_wait",
            "tools.b.policy.rate.burst",
            "tools.b.groups[0]",
        ]
    );
}

#[test]
fn a_policy_that_is_refused_is_refused_by_the_check() {
    // the sections that the check takes out one by one are those that the policy's errors name
    let text = "defaults = { timeout = '1s', timeout_ms = 3, backoff_base_ms = 1, backoff.base = '1s', \
        deadline = '0s', idle_timeout = '0s', retry_budget.share = 99, bulkhead.max_in_flight = 0 }";
    let fields: Vec<_> = read(text).check().expect_err("there are faults").into_iter().map(|e| e.field).collect();
    let expected =
        ["timeout_ms", "idle_timeout", "deadline", "backoff_base_ms", "bulkhead.max_in_flight", "retry_budget.share"];
    assert_eq!(fields, expected.map(|field| format!("defaults.{field}")));
    assert!(Policy::new(&read(text).defaults).is_err());
}
