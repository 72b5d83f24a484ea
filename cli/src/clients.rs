//! `Clients`: the HTTP clients of a run, one per kind of server, each with its pool of connections.

use reqwest::{Client, Error, Url};
use std::error::Error as _;

/// The HTTP clients of a run.
#[derive(Debug)]
pub(crate) struct Clients {
    /// For services: on this machine, whatever proxy others need.
    service: Client,
    /// For `http`; where the system has no certificates it cannot follow a redirection to `https`.
    http: Client,
    /// For `https`, if the system has certificates to trust.
    https: Result<Client, Error>,
}

impl Clients {
    /// Makes the clients; nothing is connected yet.
    pub(crate) fn new() -> Result<Self, Error> {
        let https = Client::builder().build();
        let http = match &https {
            Ok(client) => client.clone(),
            Err(_) => Client::builder().tls_certs_only([]).build()?,
        };
        let service = Client::builder().no_proxy().tls_certs_only([]).build()?;
        Ok(Self { service, http, https })
    }

    /// The client for a service.
    pub(crate) const fn for_service(&self) -> &Client {
        &self.service
    }

    /// The client for a URL, or why there is none.
    pub(crate) fn for_url(&self, url: &Url) -> Result<&Client, String> {
        match &self.https {
            _ if url.scheme() == "http" => Ok(&self.http),
            Ok(client) => Ok(client),
            Err(error) => {
                let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
                Err(format!("{url} cannot be asked securely: {error}{cause}"))
            }
        }
    }
}
