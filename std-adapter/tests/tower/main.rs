//! The tower layers: what `poll_ready` reserves and how it comes back, waits and refusals, retries, what is told, and HTTP
//! for real.

mod change_policy;
mod circuit;
mod http;
mod nested;
mod parts;
mod policy;
mod reservation;
mod retry;
mod storm;
mod support;
mod telemetry;
mod timeout;
mod waiting;
