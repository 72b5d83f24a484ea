//! `Server`: an HTTP server on this machine that answers with the statuses it is told to.

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::any;
use core::net::SocketAddr;
use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::TcpListener;

/// An HTTP server on a free port of this machine, which answers with the statuses it is told to and keeps the headers
/// of what it was asked. Clones are the same server.
#[derive(Clone, Debug)]
pub struct Server {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<HeaderMap>>>,
}

impl Server {
    /// Starts a server that answers with each of `answers` once, in this order, and with 200 after the last. An answer
    /// is a status and, if not empty, its `Retry-After`.
    ///
    /// # Errors
    /// That no port can be opened.
    pub async fn start<'a>(answers: impl IntoIterator<Item = (StatusCode, &'a str)>) -> io::Result<Self> {
        // for clients that are built with TLS and without a provider of it; fails only if there is one already
        let _ = rustls::crypto::ring::default_provider().install_default();
        let answers = answers.into_iter().map(|(status, retry_after)| {
            let headers = (!retry_after.is_empty()).then(|| [("retry-after", retry_after.to_owned())]);
            (status, headers, ())
        });
        let answers = Arc::new(Mutex::new(VecDeque::from_iter(answers)));
        let seen: Arc<Mutex<Vec<HeaderMap>>> = Arc::default();
        let handler = {
            let seen = Arc::clone(&seen);
            async move |headers: HeaderMap| {
                seen.lock().unwrap_or_else(PoisonError::into_inner).push(headers);
                let answer = answers.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                answer.unwrap_or((StatusCode::OK, None, ()))
            }
        };
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        tokio::spawn(async move { axum::serve(listener, Router::new().route("/", any(handler))).await });
        Ok(Self { address, seen })
    }

    /// Where it listens, as `http://127.0.0.1:1234/`.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// The headers of the requests so far, in the order in which they came.
    pub fn seen(&self) -> Vec<HeaderMap> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The requests so far.
    pub fn requests(&self) -> usize {
        self.seen().len()
    }
}
