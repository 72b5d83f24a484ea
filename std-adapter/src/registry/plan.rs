//! `Plan`: a tool's configuration, checked as a whole and not yet in force.

use super::checks::Checks;
use crate::Policy;
use crate::config::{ConfigErrors, RegistryConfig, ToolConfig};
use crate::executor::{KeyedPolicy, Limiter};
use std::collections::BTreeMap;
use std::sync::Arc;

/// All that an entry is made of beside the tool. Making an entry of it cannot fail.
pub(super) struct Plan {
    pub(super) circuits: Circuits,
    /// The limiters that it shares with others, the outermost first.
    pub(super) above: Arc<[Arc<Limiter>]>,
    pub(super) checks: Checks,
    pub(super) capabilities: Box<[String]>,
    pub(super) fallback: Option<String>,
    pub(super) description: Option<String>,
    pub(super) args: Option<serde_json::Value>,
}

/// One circuit, or one for each key.
pub(super) enum Circuits {
    One(Policy),
    Keyed(KeyedPolicy),
}

impl Plan {
    /// The plan of one tool whose configuration is complete but for the defaults.
    pub(super) fn new(
        name: &str,
        tool: ToolConfig,
        config: &RegistryConfig,
        above: impl Fn(&[String]) -> Arc<[Arc<Limiter>]>,
    ) -> Result<Self, ConfigErrors> {
        let path = crate::config::member("tools", name);
        let alone = RegistryConfig {
            defaults: config.defaults.clone(),
            groups: config.groups.clone(),
            tools: BTreeMap::from([(name.to_owned(), tool.clone())]),
            ..RegistryConfig::default()
        };
        alone.check()?;
        let checks = Checks::new(&tool).map_err(|errors| errors.within(&path))?;
        let policy = tool.policy.or(&config.defaults);
        let circuits = match &tool.keyed {
            None => Policy::new(&policy).map(Circuits::One),
            Some(keyed) => KeyedPolicy::new(&policy, keyed).map(Circuits::Keyed),
        };
        let circuits = circuits.map_err(|error| ConfigErrors::one(error.within(&path)))?;
        let capabilities = if tool.capabilities.is_empty() { vec![name.to_owned()] } else { tool.capabilities };
        Ok(Self {
            circuits,
            above: above(&tool.groups),
            checks,
            capabilities: capabilities.into(),
            fallback: tool.fallback,
            description: tool.description,
            args: tool.args,
        })
    }
}
