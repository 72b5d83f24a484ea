//! `RuleConfig`: one line of who may call what.

use serde::{Deserialize, Serialize};

/// One line of who may call what: callers of this role, for tools of this capability.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "config-file", derive(schemars::JsonSchema))]
pub struct RuleConfig {
    /// The role of the caller; `"*"` is any, also of a caller that has none.
    #[cfg_attr(feature = "config-file", schemars(regex(pattern = r"^(\*|[^*]+)$")))]
    pub role: String,
    /// The capability that a tool needs; `"*"` is any, and `"fs.*"` is any that starts with `fs.`
    #[cfg_attr(feature = "config-file", schemars(regex(pattern = r"^(\*|[^*]+\*?)$")))]
    pub capability: String,
    /// What becomes of the call.
    pub decision: DecisionConfig,
}

/// What a rule decides.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "config-file", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub enum DecisionConfig {
    /// The call may go.
    Allow,
    /// The call is refused.
    Deny,
    /// The call is refused until somebody has approved it.
    NeedsApproval,
}

impl From<DecisionConfig> for crate::Decision {
    fn from(decision: DecisionConfig) -> Self {
        match decision {
            DecisionConfig::Allow => Self::Allow,
            DecisionConfig::Deny => Self::Deny,
            DecisionConfig::NeedsApproval => Self::NeedsApproval,
        }
    }
}
