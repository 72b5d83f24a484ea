//! `RegistryConfig`: all that can be configured of a registry, as a person writes it.
//!
//! ```
//! use fusebox::config::{RegistryConfig, SizeText};
//!
//! let config: RegistryConfig = toml::from_str(r#"
//!     limits = { rate = { limit = "100/s", burst = 200 } }
//!     defaults = { timeout = "10s" }
//!     groups.search_quota = { rate = { limit = "1000/day" } }
//!
//!     [tools.web_search]
//!     groups = ["search_quota"]
//!     max_output = "1 MiB"
//!     fallback = "cached_search"
//!     policy = { max_retries = 1 }
//!
//!     [[rules]]
//!     role = "*"
//!     capability = "web_search"
//!     decision = "allow"
//! "#)?;
//! config.check()?;
//! assert_eq!(config.tools["web_search"].max_output, Some(SizeText(1 << 20)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod check;
mod keyed;
mod shared_limits;
mod tool;

pub(crate) use check::{MOST_GROUPS, OF_THE_REGISTRY};
pub use keyed::KeyedConfig;
pub use shared_limits::SharedLimitsConfig;
pub use tool::ToolConfig;

use super::errors::ConfigErrors;
use super::{PolicyConfig, is_default};
use crate::Rule;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// All that can be configured of a registry. Every part may be left out; an empty configuration is that of an empty
/// registry.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "config-file", derive(schemars::JsonSchema))]
pub struct RegistryConfig {
    /// The limits of all tools together. Default: none.
    #[serde(skip_serializing_if = "is_default")]
    pub limits: SharedLimitsConfig,
    /// What the tools' policies leave open.
    #[serde(skip_serializing_if = "is_default")]
    pub defaults: PolicyConfig,
    /// Limits by name, each shared by the tools that list it in their `groups`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub groups: BTreeMap<String, SharedLimitsConfig>,
    /// The tools by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tools: BTreeMap<String, ToolConfig>,
    /// Who may call what. The first rule that matches decides; where there are rules and none matches, the call is
    /// denied. Default: none, everybody may call everything.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Rule>,
}

impl RegistryConfig {
    /// Checks everything: each policy together with the defaults, and what the parts say of each other.
    ///
    /// A fallback may name a tool that is not in this configuration, as it may be registered by the program itself.
    ///
    /// # Errors
    /// All that is not allowed; of one section of one policy (its breaker, its rate) the first fault.
    pub fn check(&self) -> Result<(), ConfigErrors> {
        ConfigErrors::unless_empty(check::faults(self))
    }
}

#[cfg(test)]
mod tests;
