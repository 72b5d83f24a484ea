//! `ToolsFile`: the tools, services and default policy of a TOOLS.toml, checked.

mod command;
mod fault;
mod reader;
mod service_entry;
mod tool_entry;

pub(crate) use fault::{Fault, Faults};
pub(crate) use service_entry::ServiceEntry;
pub(crate) use tool_entry::{EndpointEntry, ToolEntry, ToolKind};

use fusebox::{Policy, PolicyConfig};
use reader::{Part, Reader};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf, absolute};

/// The content of a TOOLS.toml. Every value in it is allowed.
#[derive(Debug)]
pub(crate) struct ToolsFile {
    /// What the tools' policies leave open.
    pub(crate) defaults: PolicyConfig,
    /// The helper servers by name.
    pub(crate) services: BTreeMap<String, ServiceEntry>,
    /// The tools by name.
    pub(crate) tools: BTreeMap<String, ToolEntry>,
}

impl ToolsFile {
    /// Reads a file, or tells all that is wrong with it.
    pub(crate) fn load(path: &Path) -> Result<Self, Faults> {
        let text = fs::read_to_string(path).map_err(|error| Faults::unreadable(path, &error))?;
        let file = absolute(path).map_err(|error| Faults::unreadable(path, &error))?;
        let folder = file.parent().map_or_else(|| PathBuf::from("/"), Path::to_owned);
        Self::parse(&text, &folder).map_err(|faults| Faults::new(path, faults))
    }

    /// Reads the text of a file whose relative paths start at `folder`.
    fn parse(text: &str, folder: &Path) -> Result<Self, Vec<Fault>> {
        let mut reader = Reader::new(text);
        let mut parts = reader.parts(&["defaults", "services", "tools"]);

        let defaults = parts.remove("defaults").and_then(|part| reader.policy(part, &PolicyConfig::default()));
        let defaults = defaults.unwrap_or_default();

        let services: BTreeMap<_, _> = reader.members(parts.remove("services"));
        let names: Vec<_> = services.keys().cloned().collect();
        let services = services.into_iter().filter_map(|(name, part)| {
            let entry = service_entry::read(&mut reader, &name, part, folder)?;
            Some((name, entry))
        });
        let services = services.collect();

        let tools: BTreeMap<_, _> = reader.members(parts.remove("tools"));
        let tools = tools.into_iter().filter_map(|(name, part)| {
            let entry = tool_entry::read(&mut reader, part, folder, &defaults, &names)?;
            Some((name, entry))
        });
        let tools = tools.collect();

        reader.finish()?;
        Ok(Self { defaults, services, tools })
    }
}

impl<'t> Reader<'t> {
    /// A policy that is allowed together with `defaults`.
    fn policy(&mut self, part: Part<'t>, defaults: &PolicyConfig) -> Option<PolicyConfig> {
        let places = part.clone();
        let policy: PolicyConfig = self.value(part)?;
        if let Err(error) = Policy::new(&policy.clone().or(defaults)) {
            let span = places.span_of(&error.field);
            self.fault(Some(span), error.within(&places.path).to_string());
            return None;
        }
        Some(policy)
    }
}

#[cfg(test)]
#[path = "tools_file/tests.rs"]
mod tests;
