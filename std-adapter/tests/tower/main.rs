//! The tower layers: what `poll_ready` reserves and how it comes back, waits and refusals, retries, and HTTP for real.

mod circuit;
mod http;
mod policy;
mod reservation;
mod retry;
mod storm;
mod support;
mod timeout;
mod waiting;
