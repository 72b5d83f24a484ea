//! `fusebox flaky`: a small HTTP server that misbehaves by the count of its requests, never by chance.

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;

/// Serves until it is ended; says where on stdout, in its first line.
pub(crate) async fn serve(host: IpAddr, port: u16) -> io::Result<()> {
    let listener = TcpListener::bind(SocketAddr::new(host, port)).await?;
    let mut stdout = io::stdout();
    writeln!(stdout, "http://{}", listener.local_addr()?)?;
    stdout.flush()?;
    axum::serve(listener, router()).await
}

fn router() -> Router {
    Router::new()
        .route("/ok", any(ok))
        .route("/echo", any(echo))
        .route("/flaky", any(flaky))
        .route("/limited", any(limited))
        .route("/outage", any(outage))
        .route("/slow", any(slow))
        .route("/hang", any(hang))
        .route("/status/{code}", any(status))
        .with_state(Counts::default())
}

/// How many requests came, per counter.
#[derive(Clone, Debug, Default)]
struct Counts(Arc<Mutex<HashMap<String, u64>>>);

impl Counts {
    /// The number of this request, from 1. A test server needs few counters: beyond a thousand, new ones share one.
    fn next(&self, path: &str, key: &str) -> u64 {
        const MOST: usize = 1000;
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_full = counts.len() >= MOST;
        let count = match counts.entry(format!("{path} {key}")) {
            Entry::Vacant(_) if is_full => counts.entry(String::new()).or_default(),
            entry => entry.or_default(),
        };
        *count += 1;
        *count
    }
}

/// What the query says; parameters that are not listed are the arguments of a call and are ignored.
#[derive(Debug, Deserialize)]
#[serde(default)]
struct Behaviour {
    /// Names a counter of its own.
    key: String,
    /// Each request with a number divisible by this fails.
    every: u64,
    /// The first request that fails.
    from: u64,
    /// How many fail.
    #[serde(rename = "for")]
    length: u64,
    /// How long an answer takes, in milliseconds.
    ms: u64,
    /// The `Retry-After` of a refusal, in seconds.
    retry_after: u64,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self { key: String::new(), every: 3, from: 10, length: 8, ms: 200, retry_after: 1 }
    }
}

async fn ok(State(counts): State<Counts>, Query(query): Query<Behaviour>) -> Response {
    answer(counts.next("/ok", &query.key))
}

async fn flaky(State(counts): State<Counts>, Query(query): Query<Behaviour>) -> Response {
    let number = counts.next("/flaky", &query.key);
    if number.is_multiple_of(query.every) { unavailable(number) } else { answer(number) }
}

async fn limited(State(counts): State<Counts>, Query(query): Query<Behaviour>) -> Response {
    let number = counts.next("/limited", &query.key);
    if !number.is_multiple_of(query.every) {
        return answer(number);
    }
    let come_back = [(header::RETRY_AFTER, query.retry_after.to_string())];
    (StatusCode::TOO_MANY_REQUESTS, come_back, format!("request {number} is one too many\n")).into_response()
}

async fn outage(State(counts): State<Counts>, Query(query): Query<Behaviour>) -> Response {
    let number = counts.next("/outage", &query.key);
    let is_out = number >= query.from && number - query.from < query.length;
    if is_out { unavailable(number) } else { answer(number) }
}

async fn slow(State(counts): State<Counts>, Query(query): Query<Behaviour>) -> Response {
    tokio::time::sleep(Duration::from_millis(query.ms)).await;
    answer(counts.next("/slow", &query.key))
}

async fn hang() -> Response {
    std::future::pending().await
}

async fn status(Path(code): Path<u16>) -> Response {
    let code = StatusCode::from_u16(code).unwrap_or(StatusCode::BAD_REQUEST);
    (code, format!("{}\n", code.as_u16())).into_response()
}

async fn echo(method: Method, headers: HeaderMap, query: Query<Vec<(String, String)>>, body: String) -> Response {
    let text = |value: &axum::http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers: HashMap<_, _> = headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
    as_json(json!({"method": method.as_str(), "query": query.0, "headers": headers, "body": body}))
}

fn answer(number: u64) -> Response {
    as_json(json!({"request": number}))
}

fn unavailable(number: u64) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, format!("request {number} fails\n")).into_response()
}

fn as_json(value: Value) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], value.to_string()).into_response()
}
