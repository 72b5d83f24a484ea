//! A service whose calls the test answers, and a context that tells when a waiting service is woken.

use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use fusebox::{ErrorCategory, PolicyConfig, ToolError};
use serde_json::Value;
use std::sync::{Arc, Mutex};
use std::task::Wake;
use tokio::sync::oneshot;
use tower::Service;
use tower::util::BoxCloneSyncService;

pub(crate) type Answer = Result<&'static str, ToolError>;
pub(crate) type Client = BoxCloneSyncService<u32, &'static str, ToolError>;

pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) fn config(config: Value) -> PolicyConfig {
    serde_json::from_value(config).expect("the test's configuration can be read")
}

/// A configuration with no part but those that it names, and no wait between retries.
pub(crate) fn only(mut json: Value) -> PolicyConfig {
    let fields = json.as_object_mut().expect("a policy is an object");
    for part in ["breaker", "rate", "retry_budget"] {
        fields.entry(part).or_insert(serde_json::json!({ "enabled": false }));
    }
    fields.entry("backoff").or_insert(serde_json::json!({ "base": "0s" }));
    config(json)
}

pub(crate) fn error(category: ErrorCategory) -> ToolError {
    ToolError::new(category, format!("a {category} error"))
}

/// What the calls of a [`Client`] have in common.
#[derive(Clone, Default)]
pub(crate) struct Backend {
    calls: Arc<Mutex<Vec<oneshot::Sender<Answer>>>>,
    begun: Arc<AtomicUsize>,
}

impl Backend {
    /// A client whose calls wait for [`Backend::answer`].
    pub(crate) fn client(&self) -> Client {
        let backend = self.clone();
        BoxCloneSyncService::new(tower::service_fn(move |_| {
            let (sender, receiver) = oneshot::channel();
            backend.begun.fetch_add(1, Ordering::Relaxed);
            backend.calls.lock().unwrap().push(sender);
            async { receiver.await.unwrap_or(Ok("nobody answers")) }
        }))
    }

    /// How many calls have begun.
    pub(crate) fn begun(&self) -> usize {
        self.begun.load(Ordering::Relaxed)
    }

    /// Answers the oldest call.
    pub(crate) fn answer(&self, answer: Answer) {
        // the call may have been dropped
        let _ = self.calls.lock().unwrap().remove(0).send(answer);
    }
}

/// A client that gives these answers, the last one for ever, and the number of its calls.
pub(crate) fn scripted(script: &'static [Result<&'static str, ErrorCategory>]) -> (Client, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let client = tower::service_fn(move |_| {
        let call = counted.fetch_add(1, Ordering::Relaxed);
        let answer = script[call.min(script.len() - 1)].map_err(error);
        async { answer }
    });
    (BoxCloneSyncService::new(client), calls)
}

/// Counts how often it was woken.
#[derive(Default)]
pub(crate) struct Task(AtomicUsize);

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Task {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Whether it was woken since the last time.
    pub(crate) fn was_woken(&self) -> bool {
        self.0.swap(0, Ordering::Relaxed) > 0
    }

    pub(crate) fn poll_ready<S: Service<u32>>(self: &Arc<Self>, service: &mut S) -> Poll<Result<(), S::Error>> {
        service.poll_ready(&mut Context::from_waker(&Waker::from(Arc::clone(self))))
    }
}

/// Polls once, with nobody to wake.
pub(crate) fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    core::pin::Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// The output of a future that comes to its end. Paused time runs ahead to find out one that does not.
pub(crate) async fn patiently<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(360_000), future).await.expect("it does not wait for ever")
}

/// The output of a future that has nothing to wait for.
#[track_caller]
pub(crate) fn now<F: Future>(future: F) -> F::Output {
    match poll_once(&mut core::pin::pin!(future)) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}

/// Whether the service is ready, for a test that knows that it does not wait.
#[track_caller]
pub(crate) fn make_ready<S: Service<u32>>(service: &mut S) {
    let ready = service.poll_ready(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(ready, Poll::Ready(Ok(()))), "it is ready");
}

/// A client that is not ready while the test says so; then it wakes nobody.
#[derive(Clone)]
pub(crate) struct Busy {
    client: Client,
    busy: Arc<AtomicBool>,
}

impl Busy {
    pub(crate) fn new(client: Client) -> Self {
        Self { client, busy: Arc::default() }
    }

    pub(crate) fn set_busy(&self, busy: bool) {
        self.busy.store(busy, Ordering::Relaxed);
    }
}

impl Service<u32> for Busy {
    type Response = &'static str;
    type Error = ToolError;
    type Future = <Client as Service<u32>>::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ToolError>> {
        if self.busy.load(Ordering::Relaxed) { Poll::Pending } else { self.client.poll_ready(cx) }
    }

    fn call(&mut self, request: u32) -> Self::Future {
        self.client.call(request)
    }
}
