//! Layers for services that are not tools: breaker, rate limit, bulkhead, timeout and retry for clients and servers of
//! axum, hyper, reqwest, tonic, and whatever else is a tower [`Service`](tower_service::Service).
//!
//! A client of hyper under a whole policy. The third call would not reach the server any more if two had failed:
//! ```
//! use fusebox::tower::PolicyLayer;
//! use http::Request;
//! use http_body_util::Full;
//! use hyper_util::client::legacy::Client;
//! use hyper_util::rt::TokioExecutor;
//! use tower::{ServiceBuilder, ServiceExt};
//!
//! # async fn call() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
//! let config = toml::from_str(r#"
//!     timeout = "2s"
//!     deadline = "10s"
//!     breaker = { consecutive_failures = 2 }
//!     rate = { limit = "100/s", burst = 20 }
//! "#)?;
//! let client = ServiceBuilder::new()
//!     .layer(PolicyLayer::http(&config)?)
//!     .service(Client::builder(TokioExecutor::new()).build_http::<Full<&'static [u8]>>());
//!
//! let request = Request::get("http://localhost/pages").body(Full::default())?;
//! let answer = client.clone().oneshot(request).await?;
//! assert!(answer.status().is_success());
//! # Ok(()) }
//! ```
//!
//! A router of axum, which answers for its circuit when that refuses:
//! ```
//! use axum::error_handling::HandleErrorLayer;
//! use axum::http::{Request, StatusCode};
//! use axum::{Router, body::Body, routing::get};
//! use fusebox::CallError;
//! use fusebox::config::BulkheadConfig;
//! use fusebox::tower::{BulkheadLayer, WhenRefused};
//! use std::convert::Infallible;
//! use tower::{ServiceBuilder, ServiceExt};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?.block_on(async {
//! let config = BulkheadConfig { max_in_flight: Some(64), ..Default::default() };
//! let bulkhead = BulkheadLayer::new(&config)?.when_refused(WhenRefused::Reject).shared();
//! let refused = async |error: CallError<Infallible>| (StatusCode::SERVICE_UNAVAILABLE, error.to_string());
//! let router: Router = Router::new()
//!     .route("/pages", get(async || "a page about fuses"))
//!     .layer(ServiceBuilder::new().layer(HandleErrorLayer::new(refused)).layer(bulkhead));
//!
//! let answer = router.oneshot(Request::get("/pages").body(Body::empty())?).await?;
//! assert_eq!(answer.status(), StatusCode::OK);
//! # Ok::<(), Box<dyn std::error::Error>>(()) })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A client of reqwest, whose answers are of a type of its own:
//! ```
//! use fusebox::tower::{BreakerLayer, Verdict};
//! use fusebox::{CallError, ErrorCategory};
//! use reqwest::{Client, Method, Request, Response};
//! use tower::{ServiceBuilder, ServiceExt};
//!
//! # async fn call() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
//! let by_status = |result: Result<&Response, &reqwest::Error>| match result {
//!     Ok(answer) => Verdict::of_http(answer.status(), answer.headers()),
//!     Err(error) if error.is_timeout() => Verdict::failure(ErrorCategory::Timeout),
//!     Err(_) => Verdict::failure(ErrorCategory::Network),
//! };
//! let client = ServiceBuilder::new()
//!     .layer(BreakerLayer::new(&Default::default())?.judged_by(by_status))
//!     .service(Client::new());
//!
//! match client.clone().oneshot(Request::new(Method::GET, "http://localhost/pages".parse()?)).await {
//!     Ok(answer) => println!("{}", answer.text().await?),
//!     Err(CallError::Rejected(rejection)) => println!("back in {:?}", rejection.retry_after()),
//!     Err(error) => return Err(error.into()),
//! }
//! # Ok(()) }
//! ```
//!
//! | layer | what it does | where it stands |
//! |---|---|---|
//! | [`PolicyLayer`] | all of the following, in their order | |
//! | [`TimeoutLayer::deadline`] | bounds a call with all its attempts | outermost |
//! | [`RetryLayer`] | repeats what failed, within a budget | outside of the circuit, so that each attempt asks |
//! | [`CircuitLayer`] | admits or refuses; [`BreakerLayer`], [`RateLimitLayer`] and [`BulkheadLayer`] are its parts alone | outside of the timeout, so that it learns of it |
//! | [`TimeoutLayer::new`] | bounds an attempt | innermost |
//!
//! **State.** A service and its clones share breaker, bucket, slots and retry budget. Another service of the same layer
//! has its own, unless the layer is made `shared()`. A [`ServiceCircuit`] shows a circuit, and changes its policy while
//! calls go on, see [`ServiceCircuit::change_policy`].
//!
//! **What a policy can say.** Layers stand on the same limits as an [`Executor`](crate::Executor): windows and slow calls
//! of the breaker, bulkheads and rates that learn, priorities, the throttle. A 429, or any failure with a time to stay
//! away, slows an adaptive rate down. What no layer can keep, `hedge` and `idle_timeout`, is refused where the layer is
//! made.
//!
//! **Readiness.** `poll_ready` reserves for one call, and what it reserved comes back when the service or its response
//! is dropped, see [`CircuitService`]. A refusal is waited for in `poll_ready` or is the answer of `call`, see
//! [`CircuitLayer`] for which.
//!
//! **How an answer counts.** By default an error counts as it says, by [`Classify`](crate::Classify), and every answer is
//! a success. A [`Judge`] decides otherwise: [`HttpStatus`] by the status of an HTTP answer, [`GrpcStatus`] by that of
//! gRPC, [`AnyError`] for errors that are not `Classify`, or a closure.
//!
//! **What is told.** A circuit counts, logs and emits what happens to it, see [`telemetry`](crate::telemetry), under the
//! name that [`CircuitLayer::named`] or [`PolicyLayer::named`] gives it. A call begins with `call`, so the time in
//! `poll_ready` is not in it, and ends with its response or where that is dropped; a reservation that is not used is no
//! call, and a refusal counts where `call` answers with it. Under a [`PolicyLayer`] a call is the one of its caller, with
//! all its attempts. In layers stacked by hand each attempt is a call of the [`CircuitLayer`], and a [`RetryLayer`] has log
//! lines alone. An attempt whose answer counts as `Timeout` is one that took too long.
//!
//! **Retries within retries.** A service within another one that will be retried itself, or within such a call of an
//! [`Executor`](crate::Executor), leaves the retries to that, and the other way round, unless `nested_retries` says
//! otherwise. It is known within a task, not across a `spawn`, and so not through a `Buffer`.
//!
//! **Errors.** A layer's error is a [`CallError`](crate::CallError) of the service's own, which is `Error + Send + Sync`
//! where that is, and so becomes a `BoxError` where one is needed. A service whose error is a `BoxError` itself, which is
//! no `Error`, first needs a name for it: `map_err(|error| ToolError::caused_by(ErrorCategory::Network, error))`. Layers
//! stacked by hand nest their errors, which [`CallError::flatten`](crate::CallError::flatten) undoes.
//!
//! **Not guaranteed.** A call ends with its response: a body that is still read is in nobody's slot, and no timeout cuts
//! it off. All waits are tokio's.

mod call_report;
mod circuit_future;
mod circuit_layer;
mod circuit_service;
mod flatten;
mod grpc_status;
mod http_status;
mod judge;
mod layer_policy;
mod policy;
mod repeat;
mod reservation;
mod retry;
mod retry_budget;
mod retry_future;
mod service_circuit;
mod timeout;
mod waiting;

pub use circuit_future::CircuitFuture;
pub use circuit_layer::{BreakerLayer, BulkheadLayer, CircuitLayer, RateLimitLayer, WhenRefused};
pub use circuit_service::CircuitService;
pub use grpc_status::GrpcStatus;
pub use http_status::HttpStatus;
pub use judge::{AnyError, ByError, Judge, Unjudged, Verdict, Within};
pub use policy::{PolicyFuture, PolicyLayer, PolicyService};
pub use repeat::{RepeatAny, RepeatHttp, RepeatRequest};
pub use retry::{RetryLayer, RetryService};
pub use retry_future::RetryFuture;
pub use service_circuit::ServiceCircuit;
pub use timeout::{TimeoutFuture, TimeoutLayer, TimeoutService};
