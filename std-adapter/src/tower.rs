//! Layers for services that are not tools: circuit breaker, rate limit, bulkhead, timeout and retry, for clients and
//! servers of axum, hyper, reqwest, tonic, and whatever else is a tower [`Service`](tower_service::Service).

mod circuit_future;
mod circuit_layer;
mod circuit_service;
mod flatten;
mod http_status;
mod judge;
mod policy;
mod repeat;
mod retry;
mod retry_budget;
mod retry_future;
mod service_circuit;
mod timeout;
mod waiting;

pub use circuit_future::CircuitFuture;
pub use circuit_layer::{BreakerLayer, BulkheadLayer, CircuitLayer, RateLimitLayer, WhenRefused};
pub use circuit_service::CircuitService;
pub use http_status::HttpStatus;
pub use judge::{AnyError, ByError, Judge, Unjudged, Verdict, Within};
pub use policy::{PolicyFuture, PolicyLayer, PolicyService};
pub use repeat::{RepeatAny, RepeatHttp, RepeatRequest};
pub use retry::{RetryLayer, RetryService};
pub use retry_future::RetryFuture;
pub use service_circuit::ServiceCircuit;
pub use timeout::{TimeoutFuture, TimeoutLayer, TimeoutService};
