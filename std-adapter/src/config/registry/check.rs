//! What must hold between the parts of a `RegistryConfig`, and in each of them.

use super::{RegistryConfig, ToolConfig};
use crate::config::field_path::{element, member};
use crate::config::{ConfigError, Policy, PolicyConfig, SizeText};
use serde_json::Value;
use std::collections::BTreeMap;

/// The groups of one tool at most: each is one more bucket and bulkhead to pass at every attempt.
pub(crate) const MOST_GROUPS: usize = 3;

/// What a refusal by the limits of all tools together names as its scope.
pub(crate) const OF_THE_REGISTRY: &str = "registry";

/// All that is not allowed.
pub(super) fn faults(config: &RegistryConfig) -> Vec<ConfigError> {
    let mut faults: Vec<ConfigError> = Vec::new();
    faults.extend(config.limits.policy().err().map(|error| error.within("limits")));

    let of_defaults = policy_faults(config.defaults.clone());
    faults.extend(of_defaults.iter().cloned().map(|error| error.within("defaults")));

    for (name, limits) in &config.groups {
        let path = member("groups", name);
        faults.extend(name_fault(&path, name));
        if name == OF_THE_REGISTRY {
            faults.push(ConfigError::new(
                &path,
                format!("{name:?}"),
                "another name: it is that of the limits above all tools",
            ));
        }
        faults.extend(limits.policy().err().map(|error| error.within(&path)));
    }
    for (name, tool) in &config.tools {
        let path = member("tools", name);
        faults.extend(name_fault(&path, name));
        tool_faults(config, &path, tool, &of_defaults, &mut faults);
    }
    alias_faults(config, &mut faults);
    fallback_faults(config, &mut faults);
    for (index, rule) in config.rules.iter().enumerate() {
        faults.extend(rule.check().err().map(|error| error.within(&element("rules", index))));
    }
    faults
}

fn tool_faults(
    config: &RegistryConfig,
    path: &str,
    tool: &ToolConfig,
    of_defaults: &[ConfigError],
    faults: &mut Vec<ConfigError>,
) {
    let whole = tool.policy.clone().or(&config.defaults);
    let of_policy = policy_faults(whole.clone()).into_iter();
    // what is wrong with the defaults themselves is said once, there
    let of_policy = of_policy.filter(|error| !of_defaults.contains(error));
    faults.extend(of_policy.map(|error| error.within(&member(path, "policy"))));

    if let Some(keyed) = &tool.keyed {
        let path = member(path, "keyed");
        faults.extend(keyed.max_keys().err().map(|error| error.within(&path)));
        // a timeout that is not allowed is no fault of the keys
        let sound = Policy::new(&whole).map_or_else(|_| PolicyConfig::default(), |_| whole);
        faults.extend(keyed.policy(&sound).err().map(|error| error.within(&path)));
    }
    for (field, schema) in [("args", &tool.args), ("result", &tool.result)] {
        match schema {
            None | Some(Value::Object(_) | Value::Bool(_)) => {}
            Some(other) => {
                faults.push(ConfigError::new(&member(path, field), other, "a JSON Schema: a table, or true or false"));
            }
        }
    }
    if tool.max_output == Some(SizeText(0)) {
        faults.push(ConfigError::new(&member(path, "max_output"), SizeText(0), "at least 1 B"));
    }
    if tool.fallback.as_deref() == Some("") {
        faults.extend(name_fault(&member(path, "fallback"), ""));
    }
    let capabilities = member(path, "capabilities");
    for (index, capability) in tool.capabilities.iter().enumerate() {
        let path = element(&capabilities, index);
        if capability.is_empty() || capability.contains('*') {
            faults.push(ConfigError::new(&path, format!("{capability:?}"), "a name without *"));
        }
    }
    group_faults(config, &member(path, "groups"), &tool.groups, faults);
}

fn group_faults(config: &RegistryConfig, path: &str, groups: &[String], faults: &mut Vec<ConfigError>) {
    if groups.len() > MOST_GROUPS {
        faults.push(ConfigError::new(path, format!("{} groups", groups.len()), format!("at most {MOST_GROUPS}")));
    }
    for (index, group) in groups.iter().enumerate() {
        let path = element(path, index);
        if !config.groups.contains_key(group) {
            let known: Vec<_> = config.groups.keys().map(String::as_str).collect();
            let known = if known.is_empty() { "none, there are no groups".to_owned() } else { known.join(", ") };
            faults.push(ConfigError::new(&path, format!("{group:?}"), known));
        } else if groups[..index].contains(group) {
            faults.push(ConfigError::new(&path, format!("{group:?} once more"), "each group once"));
        }
    }
}

/// Whose name each name is, where two tools want the same one, the first tool's.
fn owners(config: &RegistryConfig) -> BTreeMap<&str, &str> {
    let mut owners: BTreeMap<_, _> = config.tools.keys().map(|name| (name.as_str(), name.as_str())).collect();
    for (name, tool) in &config.tools {
        for alias in &tool.aliases {
            owners.entry(alias).or_insert(name);
        }
    }
    owners
}

fn alias_faults(config: &RegistryConfig, faults: &mut Vec<ConfigError>) {
    let mut taken: BTreeMap<&str, &str> = config.tools.keys().map(|name| (name.as_str(), name.as_str())).collect();
    for (name, tool) in &config.tools {
        let path = member(&member("tools", name), "aliases");
        for (index, alias) in tool.aliases.iter().enumerate() {
            let path = element(&path, index);
            faults.extend(name_fault(&path, alias));
            if let Some(owner) = taken.insert(alias, name) {
                let value = format!("{alias:?}, a name of the tool {owner:?}");
                faults.push(ConfigError::new(&path, value, "a name that no tool has"));
            }
        }
    }
}

/// Fallbacks that lead back to where they started, each circle told once.
fn fallback_faults(config: &RegistryConfig, faults: &mut Vec<ConfigError>) {
    let owners = owners(config);
    let next = |name: &str| {
        let fallback = config.tools.get(name)?.fallback.as_deref()?;
        owners.get(fallback).copied()
    };
    for start in config.tools.keys() {
        let mut way = vec![start.as_str()];
        while let Some(name) = next(way[way.len() - 1]) {
            if name == start {
                let first = way.iter().min() == way.first();
                if first {
                    let value = format!("{} -> {start}", way.join(" -> "));
                    let path = member(&member("tools", start), "fallback");
                    faults.push(ConfigError::new(&path, value, "a tool whose fallbacks do not lead back"));
                }
                break;
            }
            if way.contains(&name) {
                break; // a circle that the start is not part of
            }
            way.push(name);
        }
    }
}

fn name_fault(path: &str, name: &str) -> Option<ConfigError> {
    name.is_empty().then(|| ConfigError::new(path, "an empty name", "any other text"))
}

/// The first fault of each section of a policy.
///
/// `Policy::new` stops at the first fault. A section with a fault is taken out and the rest is tried again: a fault may
/// bring forth others in its own section, but in no other.
fn policy_faults(policy: PolicyConfig) -> Vec<ConfigError> {
    let mut faults = Vec::new();
    let mut rest = policy;
    while let Err(error) = Policy::new(&rest) {
        let section = error.field.split('.').next().unwrap_or_default().to_owned();
        faults.push(error);
        match without(&rest, &section) {
            Some(smaller) => rest = smaller,
            None => break,
        }
    }
    faults
}

/// The policy without one of its sections; nothing if it has no such section.
fn without(policy: &PolicyConfig, section: &str) -> Option<PolicyConfig> {
    let Ok(Value::Object(mut fields)) = serde_json::to_value(policy) else { return None };
    fields.remove(section)?;
    serde_json::from_value(Value::Object(fields)).ok()
}
