//! `Endpoint`: a tool that is an HTTP endpoint.

use crate::capture::first_line;
use crate::service::Service;
use fusebox::tower::Verdict;
use fusebox::{Attempt, BoxFuture, ErrorCategory, Progress, RetryHint, Tool, ToolError};
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, Url};
use serde_json::Value;
use std::error::Error;
use std::sync::Arc;

/// An HTTP endpoint: the call's arguments as query parameters or as a JSON body, by its method.
///
/// It sets no timeout of its own: whoever calls it drops the call when its time is over, and the request with it. A
/// request with a body carries the call's key in `Idempotency-Key`. Whatever comes of the answer is progress.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    /// Shared by all endpoints, with its pool of connections.
    pub(crate) client: Client,
    /// GET and DELETE take query parameters, POST, PUT and PATCH a body.
    pub(crate) method: Method,
    /// Where it is.
    pub(crate) url: Url,
    /// What each request says of itself.
    pub(crate) headers: HeaderMap,
    /// How much of an answer to take, in bytes.
    pub(crate) max_output: usize,
    /// Its server, if it is one of ours: it runs as long as somebody may call it.
    pub(crate) _service: Option<Arc<Service>>,
}

impl Tool for Endpoint {
    fn call<'a>(&'a self, args: &'a Value, attempt: Attempt) -> BoxFuture<'a, Result<Value, ToolError>> {
        Box::pin(self.run(args, attempt))
    }
}

impl Endpoint {
    async fn run(&self, args: &Value, attempt: Attempt) -> Result<Value, ToolError> {
        let response = self.request(args, &attempt)?.send().await.map_err(failed)?;
        let status = response.status();
        let verdict = Verdict::of_http(status, response.headers());
        let is_json = is_json(response.headers());
        let body = self.body(response, attempt.progress()).await?;
        if status.is_success() {
            return output(&body, is_json);
        }
        // what is no failure and no answer either: a redirection to nowhere
        let category = verdict.category.unwrap_or(ErrorCategory::ExecutionError);
        let error = ToolError::new(category, complaint(status, &body));
        Err(match verdict.retry_after {
            Some(wait) => error.with_retry_after(wait),
            None => error,
        })
    }

    fn request(&self, args: &Value, attempt: &Attempt) -> Result<RequestBuilder, ToolError> {
        let request = self.client.request(self.method.clone(), self.url.clone()).headers(self.headers.clone());
        if self.method == Method::GET || self.method == Method::DELETE {
            return Ok(request.query(&parameters(args)?));
        }
        Ok(request.header("idempotency-key", attempt.idempotency_key.to_string()).json(args))
    }

    async fn body(&self, mut response: Response, progress: &Progress) -> Result<Vec<u8>, ToolError> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            progress.made();
            body.extend_from_slice(&chunk);
            if body.len() > self.max_output {
                let message = format!("answered with more than its max_output of {} bytes", self.max_output);
                return Err(ToolError::new(ErrorCategory::ResourceExhausted, message));
            }
        }
        Ok(body)
    }
}

/// The members of `args` as parameters: plain values as text, null left out, a list once for each of its items.
fn parameters(args: &Value) -> Result<Vec<(&str, String)>, ToolError> {
    let members = match args {
        Value::Null => return Ok(Vec::new()),
        Value::Object(members) => members,
        _ => return Err(ToolError::new(ErrorCategory::InvalidParameters, "args must be an object to be a query")),
    };
    let mut parameters = Vec::new();
    for (name, value) in members {
        let items = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
        for item in items {
            let text = match item {
                Value::Null => continue,
                Value::String(text) => text.clone(),
                Value::Bool(_) | Value::Number(_) => item.to_string(),
                Value::Array(_) | Value::Object(_) => {
                    let message = format!("args.{name} is nested, which a query cannot carry");
                    return Err(ToolError::new(ErrorCategory::InvalidParameters, message));
                }
            };
            parameters.push((name.as_str(), text));
        }
    }
    Ok(parameters)
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind == "application/json" || kind.ends_with("+json")
}

fn output(body: &[u8], is_json: bool) -> Result<Value, ToolError> {
    if body.is_empty() {
        return Ok(Value::Null);
    }
    if is_json {
        return serde_json::from_slice(body).map_err(|error| {
            ToolError::new(ErrorCategory::ExecutionError, format!("the answer is called JSON and is not: {error}"))
        });
    }
    Ok(Value::String(String::from_utf8_lossy(body).into_owned()))
}

fn complaint(status: StatusCode, body: &[u8]) -> String {
    match first_line(body) {
        Some(line) => format!("HTTP {status}: {line}"),
        None => format!("HTTP {status}"),
    }
}

/// The error of a request without an answer, with the whole chain of causes: the first alone says little.
fn failed(error: reqwest::Error) -> ToolError {
    let category = if error.is_builder() {
        ErrorCategory::InvalidParameters
    } else if error.is_timeout() {
        ErrorCategory::Timeout
    } else if error.is_redirect() {
        ErrorCategory::ExecutionError
    } else {
        ErrorCategory::Network
    };
    let never_sent = error.is_connect() || error.is_builder();
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        message.push_str(&format!(": {error}"));
        cause = error.source();
    }
    let hint = if never_sent { RetryHint::NothingDone } else { RetryHint::ByCategory };
    ToolError::new(category, message).with_retry_hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn arguments_become_parameters_and_nested_ones_are_refused() {
        let args = json!({"a": "x y", "b": 2, "c": true, "d": null, "e": [1, null, "z"]});
        let pairs = [("a", "x y"), ("b", "2"), ("c", "true"), ("e", "1"), ("e", "z")];
        assert_eq!(parameters(&args).unwrap(), pairs.map(|(name, value)| (name, value.to_owned())));
        assert_eq!(parameters(&Value::Null).unwrap(), []);
        for args in [json!([1]), json!("a"), json!({"a": {"b": 1}}), json!({"a": [[1]]})] {
            assert!(parameters(&args).is_err(), "{args}");
        }
    }

    #[test]
    fn json_is_told_by_the_content_type_alone() {
        let of = |kind: &'static str| is_json(&HeaderMap::from_iter([(CONTENT_TYPE, kind.parse().unwrap())]));
        assert!(of("application/json; charset=utf-8"));
        assert!(of("application/problem+JSON"));
        assert!(!of("text/plain; note=application/json"));
        assert!(!is_json(&HeaderMap::new()));
    }
}
