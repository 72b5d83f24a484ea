//! `ToolKind`: what a `[tools.NAME]` of a TOOLS.toml runs, a subprocess or an HTTP endpoint.

use super::command::split;
use crate::exit_rules::{ExitRules, StderrRule};
use crate::output_format::OutputFormat;
use crate::subprocess::Subprocess;
use fusebox::ErrorCategory;
use fusebox::config::SizeText;
use fusebox::config_file::Document;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Url};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What a tool is.
#[derive(Clone, Debug)]
pub(crate) enum ToolKind {
    /// A program.
    Subprocess(Subprocess),
    /// A request.
    Endpoint(EndpointEntry),
}

/// An HTTP endpoint whose server may not have started yet.
#[derive(Clone, Debug)]
pub(crate) struct EndpointEntry {
    /// The service that serves it, if the file has one.
    pub(crate) service: Option<String>,
    /// What follows the service's own URL, or the whole.
    pub(crate) url: String,
    /// How to ask.
    pub(crate) method: Method,
    /// What to say of oneself.
    pub(crate) headers: HeaderMap,
    /// How much of an answer to take, in bytes.
    pub(crate) max_output: usize,
}

/// The keys of a tool that are the command line's own.
#[derive(Deserialize, JsonSchema)]
pub(super) struct ToolFields {
    /// A program and its arguments, started anew for every attempt. `"fusebox"` is the runner itself.
    #[schemars(length(min = 1))]
    command: Option<Vec<String>>,
    /// Of a command: variables on top of the runner's own.
    env: Option<BTreeMap<String, String>>,
    /// Of a command: the folder that it runs in. Default: the folder of the file.
    cwd: Option<PathBuf>,
    /// Of a command: how its stdout becomes the output of the call. Default: `"auto"`.
    output: Option<OutputFormat>,
    /// Of a command: what an exit code stands for, where it is not the usual.
    #[schemars(extend("propertyNames" = { "pattern": "^([1-9][0-9]?|1[0-9]{2}|2[0-4][0-9]|25[0-5])$" }))]
    exit_codes: Option<BTreeMap<String, ErrorCategory>>,
    /// Of a command: what words on stderr stand for. The first that occurs decides, before the exit code.
    stderr: Option<Vec<StderrRule>>,
    /// An HTTP endpoint: `"https://host/path"`, or `"{SERVICE}/path"` for a server among the services.
    #[schemars(regex(pattern = r"^(https?://|\{[^{}]+\})"))]
    url: Option<String>,
    /// Of a url. GET and DELETE send the arguments as a query, the others as a JSON body. Default: `"GET"`.
    method: Option<Verb>,
    /// Of a url: headers of every request.
    headers: Option<BTreeMap<String, String>>,
}

const NAMES: [&str; 9] = ["command", "env", "cwd", "output", "exit_codes", "stderr", "url", "method", "headers"];

/// The method of a request.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
#[schemars(rename = "Method")]
enum Verb {
    Get,
    Delete,
    Post,
    Put,
    Patch,
}

pub(super) fn read(
    document: &mut Document<'_>,
    name: &str,
    max_output: Option<SizeText>,
    folder: &Path,
    services: &[String],
) -> Option<ToolKind> {
    const MAX_OUTPUT: SizeText = SizeText(1 << 20);
    let fields: ToolFields = document.take_members(&["tools", name], &NAMES)?;
    let max_output = usize::try_from(max_output.unwrap_or(MAX_OUTPUT).0).unwrap_or(usize::MAX);
    Tool { document, name }.kind(fields, max_output, folder, services)
}

/// A tool whose fields are of the right types, on the way to have the right values.
struct Tool<'d, 't> {
    document: &'d mut Document<'t>,
    name: &'d str,
}

impl Tool<'_, '_> {
    fn kind(
        mut self,
        mut fields: ToolFields,
        max_output: usize,
        folder: &Path,
        services: &[String],
    ) -> Option<ToolKind> {
        match (fields.command.take(), fields.url.take()) {
            (Some(command), None) => {
                let given = [("method", fields.method.is_some()), ("headers", fields.headers.is_some())];
                self.absent("a tool with a command", &given);
                let tool = self.subprocess(command, fields, folder, max_output)?;
                Some(ToolKind::Subprocess(tool))
            }
            (None, Some(url)) => {
                let given = [
                    ("env", fields.env.is_some()),
                    ("cwd", fields.cwd.is_some()),
                    ("output", fields.output.is_some()),
                    ("exit_codes", fields.exit_codes.is_some()),
                    ("stderr", fields.stderr.is_some()),
                ];
                self.absent("a tool with a url", &given);
                let tool = self.endpoint(&url, fields, services, max_output)?;
                Some(ToolKind::Endpoint(tool))
            }
            (Some(_), Some(_)) => self.fault("url", "is given beside a command: allowed is one of them"),
            (None, None) => self.fault("command", "is absent: allowed is a command or a url"),
        }
    }

    fn subprocess(
        &mut self,
        command: Vec<String>,
        fields: ToolFields,
        folder: &Path,
        max_output: usize,
    ) -> Option<Subprocess> {
        let codes = self.codes(fields.exit_codes.unwrap_or_default());
        let (program, arguments) = match split(command, folder) {
            Ok(command) => command,
            Err(fault) => return self.fault("command", fault),
        };
        Some(Subprocess {
            program,
            arguments,
            env: fields.env.unwrap_or_default(),
            cwd: folder.join(fields.cwd.unwrap_or_default()),
            output: fields.output.unwrap_or_default(),
            max_output,
            failures: ExitRules { stderr: fields.stderr.unwrap_or_default(), codes },
        })
    }

    fn codes(&mut self, given: BTreeMap<String, ErrorCategory>) -> BTreeMap<u8, ErrorCategory> {
        let mut codes = BTreeMap::new();
        for (text, category) in given {
            match text.parse() {
                Ok(code) if code > 0 => {
                    codes.insert(code, category);
                }
                _ => {
                    let _: Option<()> = self.fault("exit_codes", &format!("has the key {text:?}: allowed is 1 to 255"));
                }
            }
        }
        codes
    }

    fn endpoint(
        &mut self,
        url: &str,
        fields: ToolFields,
        services: &[String],
        max_output: usize,
    ) -> Option<EndpointEntry> {
        let headers = self.headers(fields.headers.unwrap_or_default());
        let method = fields.method.unwrap_or(Verb::Get).into();
        let (service, url) = self.url(url, services)?;
        Some(EndpointEntry { service, url, method, headers: headers?, max_output })
    }

    fn url(&mut self, url: &str, services: &[String]) -> Option<(Option<String>, String)> {
        let (service, rest) = match url.strip_prefix('{').and_then(|url| url.split_once('}')) {
            Some((service, rest)) => (Some(service), rest),
            None => (None, url),
        };
        if let Some(service) = service
            && !services.iter().any(|name| name == service)
        {
            let known =
                if services.is_empty() { "none, the file has no [services]".into() } else { services.join(", ") };
            return self.fault("url", &format!("is {url:?}, whose service {service:?} is unknown: allowed is {known}"));
        }
        let whole = if service.is_some() { format!("http://localhost{rest}") } else { url.to_owned() };
        let fault = match Url::parse(&whole) {
            Ok(url) if matches!(url.scheme(), "http" | "https") => {
                return Some((service.map(str::to_owned), rest.to_owned()));
            }
            Ok(other) => format!("its scheme is {}", other.scheme()),
            Err(error) => error.to_string(),
        };
        self.fault("url", &format!("is {url:?} ({fault}): allowed is http://..., https://... or {{SERVICE}}/..."))
    }

    fn headers(&mut self, given: BTreeMap<String, String>) -> Option<HeaderMap> {
        let mut headers = HeaderMap::new();
        for (name, value) in given {
            match (name.parse::<HeaderName>(), value.parse::<HeaderValue>()) {
                (Ok(name), Ok(value)) => headers.insert(name, value),
                (Err(_), _) => return self.fault("headers", &format!("has the name {name:?}: allowed is a token")),
                (_, Err(_)) => {
                    return self.fault("headers", &format!("{name} has control characters: allowed is visible text"));
                }
            };
        }
        Some(headers)
    }

    fn absent(&mut self, what: &str, given: &[(&str, bool)]) {
        for (field, _) in given.iter().filter(|(_, given)| *given) {
            let _: Option<()> = self.fault(field, &format!("has no meaning for {what}"));
        }
    }

    fn fault<T>(&mut self, field: &str, what: &str) -> Option<T> {
        self.document.fault(&["tools", self.name, field], what);
        None
    }
}

impl From<Verb> for Method {
    fn from(verb: Verb) -> Self {
        match verb {
            Verb::Get => Self::GET,
            Verb::Delete => Self::DELETE,
            Verb::Post => Self::POST,
            Verb::Put => Self::PUT,
            Verb::Patch => Self::PATCH,
        }
    }
}
