//! `Toolbox`: the tools that a TOOLS.toml describes, in a registry, as the file says now.

use crate::clients::Clients;
use crate::endpoint::Endpoint;
use crate::service::Services;
use crate::tools_file::{EndpointEntry, ToolKind, ToolsFile};
use fusebox::config::ToolConfig;
use fusebox::{Handle, Registry, Tool, ToolSnapshot};
use reqwest::Url;
use std::collections::BTreeMap;
use std::error::Error;

/// The tools of a run. Another file can take the place of the one before while they are called.
#[derive(Debug)]
pub(crate) struct Toolbox {
    registry: Registry,
    clients: Clients,
    services: Services,
    /// Tools that were removed; calls under way still count in them.
    removed: Vec<Handle>,
}

/// A tool, ready to be called.
enum Ready {
    Subprocess(crate::subprocess::Subprocess),
    Endpoint(Endpoint),
}

impl Toolbox {
    /// An empty one.
    pub(crate) fn new() -> Result<Self, Box<dyn Error>> {
        let (registry, clients) = (Registry::new(), Clients::new()?);
        Ok(Self { registry, clients, services: Services::default(), removed: Vec::new() })
    }

    /// Where its tools are called.
    pub(crate) const fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The services of a file: those that it has in common with the file in force go on.
    pub(crate) async fn start_services(&self, file: &ToolsFile) -> Result<Services, String> {
        self.services.start(&file.services).await
    }

    /// Puts a file in force in the place of the one before; where that fails nothing is changed.
    ///
    /// Tools that have their names in both keep their state. Calls under way end with the old tool, and a service that is no
    /// more in the file ends with the last of them.
    pub(crate) fn put_in_force(&mut self, file: ToolsFile, services: Services) -> Result<(), Box<dyn Error>> {
        let ToolsFile { config, tools, .. } = file;
        let ready = |(name, kind)| Ok((name, ready(kind, &services, &self.clients)?));
        let tools: BTreeMap<_, _> = tools.into_iter().map(ready).collect::<Result<_, Box<dyn Error>>>()?;

        // From here on nothing fails: the file was checked. Names must be free before others take them.
        for ToolSnapshot { name, .. } in self.registry.snapshot() {
            if !tools.contains_key(&name) {
                // a handle keeps what it leads to: that must not be the old tool, nor its service
                let handle = self.registry.replace(&name, async |args| Ok(args), ToolConfig::default())?;
                self.registry.remove(&name);
                self.removed.push(handle);
            }
        }
        self.registry.apply(&config)?;
        for (name, tool) in tools {
            match tool {
                Ready::Subprocess(tool) => self.put(&name, tool)?,
                Ready::Endpoint(tool) => self.put(&name, tool)?,
            }
        }
        self.services = services;
        Ok(())
    }

    /// All tools that there are and were, those that were removed first.
    pub(crate) fn snapshots(&self) -> Vec<ToolSnapshot> {
        let removed = self.removed.iter().map(Handle::snapshot);
        removed.chain(self.registry.snapshot()).collect()
    }

    fn put(&self, name: &str, tool: impl Tool) -> Result<(), Box<dyn Error>> {
        self.registry.replace(name, tool, ToolConfig::default())?;
        Ok(())
    }
}

fn ready(kind: ToolKind, services: &Services, clients: &Clients) -> Result<Ready, Box<dyn Error>> {
    let EndpointEntry { service, url, method, headers, max_output } = match kind {
        ToolKind::Subprocess(tool) => return Ok(Ready::Subprocess(tool)),
        ToolKind::Endpoint(entry) => entry,
    };
    let service = service.and_then(|service| services.get(&service)).cloned();
    let (url, client) = match &service {
        Some(service) => (Url::parse(&format!("{}{url}", service.url))?, clients.for_service()),
        None => {
            let url = Url::parse(&url)?;
            let client = clients.for_url(&url)?;
            (url, client)
        }
    };
    Ok(Ready::Endpoint(Endpoint { client: client.clone(), method, url, headers, max_output, _service: service }))
}
