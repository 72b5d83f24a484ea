//! Tests of who may call what.

use super::{Decision, Rule, Rules};
use Decision::{Allow, Deny, NeedsApproval};
use proptest::prelude::{any, prop_assert_eq, prop_oneof, proptest};
use proptest::strategy::{Just, Strategy};
use serde_json::json;

fn rules<const N: usize>(rules: [(&str, &str, Decision); N]) -> Rules {
    Rules::new(rules.map(|(role, capability, decision)| Rule::new(role, capability, decision)))
        .expect("they are allowed")
}

#[test]
fn without_rules_everything_is_allowed() {
    let verdict = Rules::default().decide(None, &["fs.write"]).to_string();
    assert_eq!(verdict, "the tool is allowed: there are no rules");
    assert_eq!(Rules::default().decide(Some("intern"), &[""; 0]).decision, Allow);
}

#[test]
fn what_no_rule_speaks_of_is_denied_once_there_is_a_rule() {
    let rules = rules([("admin", "fs.*", Allow)]);
    for (role, capability) in
        [(Some("admin"), "net"), (Some("intern"), "fs.read"), (None, "fs.read"), (Some(""), "fs.")]
    {
        let capabilities = [capability];
        let verdict = rules.decide(role, &capabilities);
        assert_eq!((verdict.decision, verdict.rule), (Deny, None), "{role:?} {capability}");
        assert_eq!(verdict.to_string(), format!("the capability {capability:?} is denied: no rule allows it"));
    }
    assert_eq!(rules.decide(Some("admin"), &["fs.read"]).decision, Allow);
}

#[test]
fn the_first_rule_that_matches_decides() {
    let rules =
        rules([("*", "fs.write", NeedsApproval), ("*", "fs.*", Allow), ("admin", "fs.write", Allow), ("*", "*", Deny)]);
    let decided_by = |capability| rules.decide(Some("admin"), &[capability]).rule.map(|(index, _)| index);
    assert_eq!(["fs.write", "fs.read", "net"].map(decided_by), [Some(0), Some(1), Some(3)]);
}

#[test]
fn a_beginning_matches_what_begins_so_and_nothing_else() {
    let rules = rules([("*", "fs.*", Allow), ("*", "net", Allow)]);
    for (capability, decision) in [
        ("fs.read", Allow),
        ("fs.read.all", Allow),
        ("fs.", Allow),
        ("fs", Deny),
        ("fsx.read", Deny),
        ("Fs.read", Deny),
        ("xfs.read", Deny),
        ("net", Allow),
        ("net.fetch", Deny),
        ("", Deny),
    ] {
        assert_eq!(rules.decide(None, &[capability]).decision, decision, "{capability:?}");
    }
}

#[test]
fn a_caller_without_a_role_is_matched_by_the_star_alone() {
    let rules = rules([("admin", "*", Allow), ("*", "search", Allow)]);
    assert_eq!(rules.decide(None, &["search"]).decision, Allow);
    for role in [None, Some(""), Some("*"), Some("adm"), Some("Admin")] {
        assert_eq!(rules.decide(role, &["deploy"]).decision, Deny, "{role:?}");
    }
    assert_eq!(rules.decide(Some("admin"), &["deploy"]).decision, Allow);
}

#[test]
fn of_several_capabilities_the_strictest_decides_in_any_order() {
    let rules = rules([("*", "read", Allow), ("*", "write", NeedsApproval), ("*", "delete", Deny)]);
    for (capabilities, decision, named) in [
        (["read", "read"], Allow, "read"),
        (["read", "write"], NeedsApproval, "write"),
        (["write", "read"], NeedsApproval, "write"),
        (["delete", "write"], Deny, "delete"),
        (["write", "delete"], Deny, "delete"),
        (["unheard", "write"], Deny, "unheard"),
        (["delete", "unheard"], Deny, "delete"),
    ] {
        let verdict = rules.decide(None, &capabilities);
        assert_eq!((verdict.decision, verdict.capability), (decision, Some(named)), "{capabilities:?}");
    }
}

#[test]
fn a_tool_that_needs_no_capability_is_matched_by_the_star_alone() {
    let none: [&str; 0] = [];
    let verdict = rules([("*", "fs.*", Allow)]).decide(None, &none).to_string();
    assert_eq!(verdict, "the tool is denied: no rule allows it");
    let by_star = rules([("admin", "*", NeedsApproval)]);
    assert_eq!(by_star.decide(Some("admin"), &none).decision, NeedsApproval);
    assert_eq!(by_star.decide(None, &none).decision, Deny);
}

#[test]
fn a_verdict_says_which_rule_decided() {
    let rules = rules([("admin", "*", Allow), ("*", "fs.*", NeedsApproval)]);
    assert_eq!(
        rules.decide(Some("intern"), &["fs.write"]).to_string(),
        r#"the capability "fs.write" needs approval: rules[1] says so (role "*", capability "fs.*")"#
    );
    assert_eq!(
        rules.decide(Some("admin"), &["fs.write"]).to_string(),
        r#"the capability "fs.write" is allowed: rules[0] says so (role "admin", capability "*")"#
    );
}

#[test]
fn a_wrong_rule_is_refused_with_its_place_its_field_and_its_value() {
    let role = r#"allowed is "*", or a role without "*" in it"#;
    let capability = r#"allowed is a capability, or its beginning and one "*" at the end"#;
    for ((wrong_role, wrong_capability), message) in [
        (("", "fs"), format!(r#"rules[1].role is "": {role}"#)),
        (("adm*", "fs"), format!(r#"rules[1].role is "adm*": {role}"#)),
        (("**", "fs"), format!(r#"rules[1].role is "**": {role}"#)),
        (("admin", ""), format!(r#"rules[1].capability is "": {capability}"#)),
        (("admin", "fs.*.read"), format!(r#"rules[1].capability is "fs.*.read": {capability}"#)),
        (("admin", "*.read"), format!(r#"rules[1].capability is "*.read": {capability}"#)),
        (("admin", "fs.**"), format!(r#"rules[1].capability is "fs.**": {capability}"#)),
    ] {
        let fine = Rule::new("*", "*", Allow);
        let error = Rules::new([fine, Rule::new(wrong_role, wrong_capability, Allow)]).expect_err(&message);
        assert_eq!(error.to_string(), message);
    }
}

#[test]
fn a_rule_is_read_and_written_with_the_names_of_the_configuration() {
    for decision in [Allow, NeedsApproval, Deny] {
        let written = json!({ "role": "*", "capability": "fs.*", "decision": decision.name() });
        let rule = Rule::new("*", "fs.*", decision);
        assert_eq!(serde_json::to_value(&rule).expect("it is data"), written);
        assert_eq!(serde_json::from_value::<Rule>(written).expect("it can be read"), rule);
    }
    for wrong in [
        json!({ "role": "*", "capability": "fs", "decision": "alow" }),
        json!({ "role": "*", "decision": "allow" }),
        json!({ "role": "*", "capability": "fs", "decision": "allow", "unless": "x" }),
    ] {
        serde_json::from_value::<Rule>(wrong.clone()).expect_err(&wrong.to_string());
    }
}

#[test]
fn a_decision_does_not_use_the_heap() {
    let rules = rules([("admin", "*", Deny), ("*", "fs.*", Allow)]);
    let capabilities = ["fs.read".to_owned(), "fs.write".to_owned()];
    let used = allocation_counter::measure(|| {
        assert_eq!(rules.decide(Some("intern"), &capabilities).decision, Allow);
        assert_eq!(rules.decide(Some("admin"), &capabilities).decision, Deny);
    });
    assert_eq!(used.count_total, 0);
}

/// What the documentation says, word for word.
fn expected(rules: &[(String, String, Decision)], role: Option<&str>, capability: &str) -> Decision {
    for (rule_role, rule_capability, decision) in rules {
        let role_fits = rule_role == "*" || Some(rule_role.as_str()) == role;
        let fits = match rule_capability.find('*') {
            Some(star) => {
                capability.len() >= star && capability.as_bytes()[..star] == rule_capability.as_bytes()[..star]
            }
            None => capability == rule_capability,
        };
        if role_fits && fits {
            return *decision;
        }
    }
    if rules.is_empty() { Allow } else { Deny }
}

fn any_decision() -> impl Strategy<Value = Decision> {
    prop_oneof![Just(Allow), Just(NeedsApproval), Just(Deny)]
}

proptest! {
    #[test]
    fn any_rules_decide_as_the_documentation_says(
        written in proptest::collection::vec(("[ab*]", "[ab]{1,2}|[ab]{0,2}[*]", any_decision()), 0..5),
        role in proptest::option::of("[abc]"),
        capabilities in proptest::collection::vec("[ab]{1,3}", 1..4),
    ) {
        let rules = Rules::new(written.iter().map(|(role, capability, decision)| Rule::new(role, capability, *decision)))
            .expect("they are allowed");
        let role = role.as_deref();
        let strictest = capabilities.iter().map(|capability| expected(&written, role, capability)).max();
        prop_assert_eq!(Some(rules.decide(role, &capabilities).decision), strictest);
    }

    #[test]
    fn no_text_panics(role: String, capability: String, asked: String, nobody in any::<bool>()) {
        if let Ok(rules) = Rules::new([Rule::new(role.as_str(), capability, Allow)]) {
            let _ = rules.decide((!nobody).then_some(role.as_str()), &[asked]).to_string();
        }
    }
}
