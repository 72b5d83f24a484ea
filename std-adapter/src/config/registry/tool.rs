//! `ToolConfig`: one tool of a registry, its policy and what else there is to say of it.

use super::{KeyedConfig, is_default};
use crate::config::{PolicyConfig, SizeText};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One tool of a registry: its policy and what else there is to say of it.
///
/// ```
/// use fusebox::PolicyConfig;
/// use fusebox::config::ToolConfig;
///
/// let tool = ToolConfig::from(PolicyConfig { max_retries: Some(1), ..PolicyConfig::default() });
/// assert_eq!(tool.policy.max_retries, Some(1));
/// ```
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "config-file", derive(schemars::JsonSchema))]
pub struct ToolConfig {
    /// What the tool does, for those who choose among tools.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Other names of the tool. No two tools share a name, and none is empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// The groups whose limits it shares, at most 3.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "config-file", schemars(length(max = 3)))]
    pub groups: Vec<String>,
    /// What a caller must be allowed, all of it, to call the tool; see `rules`. Default: the tool's name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub capabilities: Vec<String>,
    /// The JSON Schema of its arguments: an object, or true or false. Default: none, any arguments will do.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "config-file", schemars(with = "Option<schemars::Schema>"))]
    pub args: Option<Value>,
    /// The JSON Schema of its output: an object, or true or false. Default: none, any output will do.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "config-file", schemars(with = "Option<schemars::Schema>"))]
    pub result: Option<Value>,
    /// The longest output, in bytes of JSON, at least 1: `"1 MiB"`, or a number. Default: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_output: Option<SizeText>,
    /// The tool that is called instead when this one cannot serve.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fallback: Option<String>,
    /// A circuit for each host, tenant or other key that calls name. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keyed: Option<KeyedConfig>,
    /// How it is called; what this leaves open comes from the defaults.
    #[serde(skip_serializing_if = "is_default")]
    pub policy: PolicyConfig,
}

impl ToolConfig {
    /// This configuration, with what it leaves open taken from `other`. A list counts as left open while it is empty.
    #[must_use]
    pub fn or(self, other: &Self) -> Self {
        let list = |own: Vec<String>, other: &Vec<String>| if own.is_empty() { other.clone() } else { own };
        Self {
            description: self.description.or_else(|| other.description.clone()),
            aliases: list(self.aliases, &other.aliases),
            groups: list(self.groups, &other.groups),
            capabilities: list(self.capabilities, &other.capabilities),
            args: self.args.or_else(|| other.args.clone()),
            result: self.result.or_else(|| other.result.clone()),
            max_output: self.max_output.or(other.max_output),
            fallback: self.fallback.or_else(|| other.fallback.clone()),
            keyed: self.keyed.or_else(|| other.keyed.clone()),
            policy: self.policy.or(&other.policy),
        }
    }
}

impl From<PolicyConfig> for ToolConfig {
    fn from(policy: PolicyConfig) -> Self {
        Self { policy, ..Self::default() }
    }
}

impl From<&PolicyConfig> for ToolConfig {
    fn from(policy: &PolicyConfig) -> Self {
        policy.clone().into()
    }
}
