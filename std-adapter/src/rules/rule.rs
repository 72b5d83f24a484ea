//! `Rule`: one line of who may call what.

use crate::ConfigError;
use serde::{Deserialize, Serialize};
use std::fmt;

/// One line of who may call what.
///
/// ```
/// use fusebox::{Decision, Rule};
///
/// let rule: Rule = toml::from_str(r#"
///     role = "intern"
///     capability = "fs.*"
///     decision = "needs_approval"
/// "#)?;
/// assert_eq!(rule, Rule::new("intern", "fs.*", Decision::NeedsApproval));
/// # Ok::<(), toml::de::Error>(())
/// ```
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "config-file", derive(schemars::JsonSchema))]
pub struct Rule {
    /// The caller's role, or `"*"` for every caller. Upper and lower case differ.
    #[cfg_attr(feature = "config-file", schemars(regex(pattern = r"^(\*|[^*]+)$")))]
    pub role: String,
    /// What the tool can do, `"*"` for everything, or a beginning such as `"fs.*"`. Upper and lower case differ.
    #[cfg_attr(feature = "config-file", schemars(regex(pattern = r"^(\*|[^*]+\*?)$")))]
    pub capability: String,
    /// What follows.
    pub decision: Decision,
}

/// Whether a call may go. What is stricter is greater: `Allow < NeedsApproval < Deny`.
///
/// These are all the decisions there are.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "config-file", derive(schemars::JsonSchema))]
pub enum Decision {
    /// It may.
    Allow,
    /// It may once somebody has agreed.
    NeedsApproval,
    /// It may not.
    Deny,
}

impl Rule {
    /// A rule. [`Rules::new`](super::Rules::new) checks it.
    pub fn new(role: impl Into<String>, capability: impl Into<String>, decision: Decision) -> Self {
        Self { role: role.into(), capability: capability.into(), decision }
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let wrong = |field: &str, value: &str, allowed: &str| {
            Err(ConfigError { field: field.to_owned(), value: format!("{value:?}"), allowed: allowed.to_owned() })
        };
        if self.role.is_empty() || self.role != "*" && self.role.contains('*') {
            return wrong("role", &self.role, "\"*\", or a role without \"*\" in it");
        }
        let beginning = self.capability.strip_suffix('*').unwrap_or(&self.capability);
        if self.capability.is_empty() || beginning.contains('*') {
            return wrong("capability", &self.capability, "a capability, or its beginning and one \"*\" at the end");
        }
        Ok(())
    }

    pub(super) fn matches(&self, role: Option<&str>, capability: Option<&str>) -> bool {
        let role_matches = self.role == "*" || role == Some(&self.role);
        let capability_matches = match (self.capability.strip_suffix('*'), capability) {
            (Some(beginning), capability) => capability.unwrap_or_default().starts_with(beginning),
            (None, capability) => capability == Some(&self.capability),
        };
        role_matches && capability_matches
    }
}

impl Decision {
    /// The decision's name, as in configurations: `allow`, `needs_approval`, `deny`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::NeedsApproval => "needs_approval",
            Self::Deny => "deny",
        }
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
