//! `fusebox check`: tells all that is wrong with a TOOLS.toml, or what its tools' policies come to.

use crate::tools_file::{Faults, ToolsFile};
use fusebox::{Policy, PolicyConfig};
use serde::Serialize;
use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;

/// The effective policies, as they could stand in a TOOLS.toml.
#[derive(Serialize)]
struct Effective {
    tools: BTreeMap<String, Tool>,
}

#[derive(Serialize)]
struct Tool {
    policy: PolicyConfig,
}

/// The effective policy of each tool, as TOML.
pub(crate) fn effective_policies(file: &ToolsFile) -> Result<String, Box<dyn Error>> {
    let mut tools = BTreeMap::new();
    for (name, tool) in &file.tools {
        let policy = Policy::new(&tool.policy.clone().or(&file.defaults))?.effective().clone();
        tools.insert(name.clone(), Tool { policy });
    }
    Ok(toml::to_string(&Effective { tools })?)
}

/// Reads the file and shows what is in it.
pub(crate) fn check(path: &Path) -> Result<String, Faults> {
    let file = ToolsFile::load(path)?;
    effective_policies(&file).map_err(|error| Faults::unreadable(path, &std::io::Error::other(error.to_string())))
}
