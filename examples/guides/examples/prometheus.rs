//! An endpoint for Prometheus: the metrics of an agent's tools at `/metrics`.
//!
//! `cargo run -p fusebox-guides --example prometheus` serves them until it is stopped; with `--once` it reads its own page,
//! checks it, and ends.

use axum::body::Bytes;
use axum::routing::get;
use axum::{Json, Router};
use core::error::Error;
use core::time::Duration;
use fusebox::testing::{Fault, Faults, faulty};
use fusebox::{ErrorCategory, Registry, RegistryConfig};
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use serde_json::{Value, json};
use tokio::net::TcpListener;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    run(std::env::args().any(|argument| argument == "--once")).await
}

async fn run(once: bool) -> Result<(), Box<dyn Error>> {
    // the exporter first: what is recorded before there is one is lost
    let prometheus = PrometheusBuilder::new()
        .with_recommended_naming(true)
        .set_buckets(&[0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 60.0])?
        .install_recorder()?;
    let registry = tools()?;
    registry.record_metrics(200);

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let page = format!("http://{}/metrics", listener.local_addr()?);
    println!("{page}");
    let served = axum::serve(listener, router(prometheus, registry.clone())).into_future();
    if once {
        tokio::select! {
            checked = check(&page, &registry) => checked,
            served = served => Ok(served?),
        }
    } else {
        tokio::spawn(calls(registry));
        Ok(served.await?)
    }
}

/// The metrics for Prometheus, and a status page for people.
fn router(prometheus: PrometheusHandle, registry: Registry) -> Router {
    let observed = registry.clone();
    let metrics = get(async move || {
        observed.record_gauges(); // levels are recorded when somebody looks
        prometheus.render()
    });
    let status = get(async move || Json(registry.status()));
    Router::new().route("/metrics", metrics).route("/status", status)
}

/// A tool that works, and one that fails twice.
fn tools() -> Result<Registry, Box<dyn Error>> {
    let config: RegistryConfig = toml::from_str(
        r#"
        defaults = { rate = { limit = "10/s", burst = 50 }, max_retries = 0 }
        tools.fetch.policy = { breaker = { consecutive_failures = 2, open_wait = "30s" } }
        "#,
    )?;
    let registry = Registry::new();
    registry.apply(&config)?;
    registry.register("search", async |query: Value| Ok(query))?;
    let down = Faults::sequence([Fault::Error(ErrorCategory::Network); 2]);
    registry.register("fetch", faulty(async |page: Value| Ok(page), &down))?;
    Ok(registry)
}

/// Something to look at.
async fn calls(registry: Registry) {
    loop {
        for tool in ["search", "fetch"] {
            let _ = registry.call(tool, &json!("fuses")).await;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

async fn check(page: &str, registry: &Registry) -> Result<(), Box<dyn Error>> {
    for _ in 0..3 {
        registry.call("search", &json!("fuses")).await?;
        let _ = registry.call("fetch", &json!("a page")).await;
    }
    let client: Client<_, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let answer = client.get(page.parse()?).await?;
    assert!(answer.status().is_success(), "{}", answer.status());
    let text = String::from_utf8(answer.into_body().collect().await?.to_bytes().into())?;
    for line in [
        r#"fusebox_calls_total{tool="search",result="success"} 3"#,
        r#"fusebox_calls_total{tool="fetch",result="failed"} 2"#,
        r#"fusebox_calls_total{tool="fetch",result="rejected"} 1"#,
        r#"fusebox_breaker_state{tool="search"} 0"#,
        r#"fusebox_breaker_state{tool="fetch"} 2"#,
        r#"fusebox_calls_in_flight{tool="search"} 0"#,
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn the_page_shows_what_has_happened() {
        super::run(true).await.unwrap();
    }
}
