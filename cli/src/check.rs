//! `fusebox check`: tells all that is wrong with a TOOLS.toml, or what it comes to.

use crate::tools_file::ToolsFile;
use fusebox::config::SharedLimitsConfig;
use fusebox::{ConfigError, Policy, PolicyConfig, RegistryConfig};
use std::error::Error;
use std::path::Path;

/// Reads the file with its overrides and shows what is in it, as TOML.
pub(crate) fn check(path: &Path) -> Result<String, String> {
    let file = ToolsFile::load(path)?;
    shown(file.config).map_err(|error| format!("{}: {error}", path.display()))
}

fn shown(config: RegistryConfig) -> Result<String, Box<dyn Error>> {
    Ok(toml::to_string(&effective(config)?)?)
}

/// The same configuration with every default filled in, so that nothing is left to `defaults`.
fn effective(mut config: RegistryConfig) -> Result<RegistryConfig, ConfigError> {
    let defaults = std::mem::take(&mut config.defaults);
    for limits in config.groups.values_mut().chain([&mut config.limits]) {
        if *limits != SharedLimitsConfig::default() {
            let PolicyConfig { rate, bulkhead, .. } = limits.policy()?.effective().clone();
            *limits = SharedLimitsConfig { rate, bulkhead };
        }
    }
    for tool in config.tools.values_mut() {
        let policy = std::mem::take(&mut tool.policy).or(&defaults);
        if let Some(keyed) = &mut tool.keyed {
            let PolicyConfig { breaker, rate, bulkhead, .. } = keyed.policy(&policy)?.effective().clone();
            keyed.max_keys = Some(keyed.max_keys()?);
            (keyed.breaker, keyed.rate, keyed.bulkhead) = (breaker, rate, bulkhead);
        }
        tool.policy = Policy::new(&policy)?.effective().clone();
    }
    Ok(config)
}
