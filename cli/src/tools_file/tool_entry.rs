//! `ToolEntry`: a `[tools.NAME]` of a TOOLS.toml, a subprocess or an HTTP endpoint under its policy.

use super::command::split;
use super::reader::{Part, Reader};
use crate::exit_rules::{ExitRules, StderrRule};
use crate::output_format::OutputFormat;
use crate::subprocess::Subprocess;
use bytesize::ByteSize;
use fusebox::{ErrorCategory, PolicyConfig};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Url};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A tool and its policy.
#[derive(Clone, Debug)]
pub(crate) struct ToolEntry {
    /// What to run.
    pub(crate) kind: ToolKind,
    /// Its own policy, without the defaults.
    pub(crate) policy: PolicyConfig,
}

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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    command: Option<Vec<String>>,
    env: Option<BTreeMap<String, String>>,
    cwd: Option<PathBuf>,
    output: Option<OutputFormat>,
    exit_codes: Option<BTreeMap<String, ErrorCategory>>,
    stderr: Option<Vec<StderrRule>>,
    url: Option<String>,
    method: Option<String>,
    headers: Option<BTreeMap<String, String>>,
    max_output: Option<ByteSize>,
}

pub(super) fn read<'t>(
    reader: &mut Reader<'t>,
    mut part: Part<'t>,
    folder: &Path,
    defaults: &PolicyConfig,
    services: &[String],
) -> Option<ToolEntry> {
    let policy = part.take("policy");
    let places = part.clone();
    let kind = reader.value(part).and_then(|fields| Tool { reader, places }.kind(fields, folder, services));
    let policy = match policy {
        Some(policy) => reader.policy(policy, defaults),
        None => Some(PolicyConfig::default()),
    };
    Some(ToolEntry { kind: kind?, policy: policy? })
}

/// A tool whose fields are of the right types, on the way to have the right values.
struct Tool<'r, 't> {
    reader: &'r mut Reader<'t>,
    places: Part<'t>,
}

impl Tool<'_, '_> {
    fn kind(mut self, mut fields: Fields, folder: &Path, services: &[String]) -> Option<ToolKind> {
        let max_output = self.max_output(fields.max_output);
        match (fields.command.take(), fields.url.take()) {
            (Some(command), None) => {
                let given = [("method", fields.method.is_some()), ("headers", fields.headers.is_some())];
                self.absent("a tool with a command", &given);
                let tool = self.subprocess(command, fields, folder, max_output?)?;
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
                let tool = self.endpoint(&url, fields, services, max_output?)?;
                Some(ToolKind::Endpoint(tool))
            }
            (Some(_), Some(_)) => self.fault("url", "is given beside a command: allowed is one of them"),
            (None, None) => self.fault("command", "is absent: allowed is a command or a url"),
        }
    }

    fn max_output(&mut self, given: Option<ByteSize>) -> Option<usize> {
        const DEFAULT: ByteSize = ByteSize::mib(1);
        const MOST: ByteSize = ByteSize::gib(1);
        let size = given.unwrap_or(DEFAULT);
        match usize::try_from(size.as_u64()) {
            Ok(bytes) if size <= MOST => Some(bytes),
            _ => self.fault("max_output", &format!("is {size}: allowed is 0 B to {MOST}")),
        }
    }

    fn subprocess(
        &mut self,
        command: Vec<String>,
        fields: Fields,
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

    fn endpoint(&mut self, url: &str, fields: Fields, services: &[String], max_output: usize) -> Option<EndpointEntry> {
        let headers = self.headers(fields.headers.unwrap_or_default());
        let method = self.method(fields.method.as_deref());
        let (service, url) = self.url(url, services)?;
        Some(EndpointEntry { service, url, method: method?, headers: headers?, max_output })
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

    fn method(&mut self, given: Option<&str>) -> Option<Method> {
        match given.unwrap_or("GET") {
            "GET" => Some(Method::GET),
            "DELETE" => Some(Method::DELETE),
            "POST" => Some(Method::POST),
            "PUT" => Some(Method::PUT),
            "PATCH" => Some(Method::PATCH),
            other => self.fault("method", &format!("is {other:?}: allowed is GET, DELETE, POST, PUT, PATCH")),
        }
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

    fn fault<T>(&mut self, field: &str, message: &str) -> Option<T> {
        let message = format!("{}.{field} {message}", self.places.path);
        self.reader.fault(Some(self.places.span_of(field)), message);
        None
    }
}
