//! The layers round a real client and in a real server, over loopback.

use crate::support::*;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::error_handling::HandleErrorLayer;
use axum::routing::any;
use core::convert::Infallible;
use core::net::SocketAddr;
use fusebox::CallError;
use fusebox::config::BulkheadConfig;
use fusebox::tower::{BulkheadLayer, CircuitLayer, HttpStatus, PolicyLayer, PolicyService, RepeatHttp, WhenRefused};
use fusebox_core::{Part, State};
use http::header::RETRY_AFTER;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{mpsc, oneshot};
use tower::{Layer, ServiceBuilder, ServiceExt};

type HyperClient = Client<HttpConnector, Full<Bytes>>;

fn client() -> HyperClient {
    Client::builder(TokioExecutor::new()).build_http()
}

fn guarded(json: Value) -> PolicyService<HyperClient, RepeatHttp, HttpStatus> {
    PolicyLayer::http(&only(json)).unwrap().layer(client())
}

/// A server whose requests the test answers.
struct Server {
    address: SocketAddr,
    requests: mpsc::UnboundedReceiver<Arrived>,
}

/// A request that has arrived.
struct Arrived {
    answer: oneshot::Sender<Response<Body>>,
    /// Ends when the server is done with the request, because it was answered or because its client has gone.
    ended: oneshot::Receiver<Infallible>,
}

impl Server {
    async fn start() -> Self {
        Self::start_with(|router| router).await
    }

    /// Serves one route, with layers of the test's choice.
    async fn start_with(layered: impl FnOnce(Router) -> Router) -> Self {
        let (arrived, requests) = mpsc::unbounded_channel();
        let handler = any(move || {
            let arrived = arrived.clone();
            async move {
                let (answer, answered) = oneshot::channel();
                let (_running, ended) = oneshot::channel();
                arrived.send(Arrived { answer, ended }).expect("the test listens");
                answered.await.expect("the test answers")
            }
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = layered(Router::new().route("/", handler));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, requests }
    }

    fn request(&self, method: Method) -> Request<Full<Bytes>> {
        let uri = format!("http://{}/", self.address);
        Request::builder().method(method).uri(uri).body(Full::from("body")).unwrap()
    }

    async fn next(&mut self) -> Arrived {
        self.requests.recv().await.expect("the server runs")
    }

    async fn answer(&mut self, status: u16) {
        let arrived = self.next().await;
        arrived.answer.send(answer(status).body(Body::empty()).unwrap()).expect("the client waits");
    }

    fn has_arrived(&mut self) -> bool {
        self.requests.try_recv().is_ok()
    }
}

fn answer(status: u16) -> http::response::Builder {
    Response::builder().status(status)
}

#[tokio::test]
async fn a_server_that_fails_opens_the_breaker_and_is_left_alone() {
    let mut server = Server::start().await;
    let client = guarded(json!({ "breaker": { "consecutive_failures": 2, "open_wait": "1h" }, "max_retries": 0 }));
    for _ in 0..2 {
        let (answer, ()) = tokio::join!(client.clone().oneshot(server.request(Method::GET)), server.answer(503));
        assert_eq!(answer.unwrap().status(), 503, "the answer is passed on");
    }
    assert_eq!(client.circuit().snapshot().breaker.unwrap().state, State::Open);
    let refused = client.clone().oneshot(server.request(Method::GET)).await.unwrap_err();
    assert_eq!(refused.refusal().unwrap().by, Part::Breaker);
    assert!(!server.has_arrived());
}

#[tokio::test]
async fn answers_that_blame_the_client_leave_the_breaker_closed() {
    let mut server = Server::start().await;
    let client = guarded(json!({ "breaker": { "consecutive_failures": 1 } }));
    for status in [404, 400, 403] {
        let (answer, ()) = tokio::join!(client.clone().oneshot(server.request(Method::GET)), server.answer(status));
        assert_eq!(answer.unwrap().status(), status);
    }
    assert_eq!(client.circuit().snapshot().breaker.unwrap().state, State::Closed);
}

#[tokio::test]
async fn nobody_who_listens_is_a_failure() {
    // bound, so that nobody else gets it, but deaf
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    let client = guarded(json!({ "breaker": {}, "max_retries": 1 }));
    let request = Request::get(format!("http://{address}/")).body(Full::default()).unwrap();
    assert!(matches!(client.clone().oneshot(request).await, Err(CallError::Failed(error)) if error.is_connect()));
    assert_eq!(client.circuit().snapshot().breaker.unwrap().failures, 2);
}

#[tokio::test]
async fn a_response_that_hangs_is_cut_off_and_the_server_sees_it() {
    let mut server = Server::start().await;
    let client = guarded(json!({ "breaker": {}, "timeout": "30s", "max_retries": 0 }));
    let mut call = Box::pin(client.clone().oneshot(server.request(Method::GET)));
    let arrived = tokio::select! {
        biased;
        arrived = server.next() => arrived,
        _ = &mut call => panic!("nobody has answered"),
    };
    tokio::time::pause(); // from here on there is nothing to do, so time runs ahead to the timeout
    assert!(matches!(call.await, Err(CallError::TimedOut { after }) if after == ms(30_000)));
    assert!(arrived.ended.await.is_err(), "the connection is closed, and with it the handler ends");
    assert_eq!(client.circuit().snapshot().breaker.unwrap().failures, 1);
}

#[tokio::test]
async fn a_call_that_its_caller_drops_frees_its_slot_for_the_next() {
    let mut server = Server::start().await;
    let one = BulkheadConfig { max_in_flight: Some(1), ..BulkheadConfig::default() };
    let client = BulkheadLayer::new(&one).unwrap().layer(client());
    let first = client.clone().oneshot(server.request(Method::GET));
    let mut first = Box::pin(first);
    let arrived = tokio::select! {
        biased;
        arrived = server.next() => arrived,
        _ = &mut first => panic!("nobody has answered"),
    };
    let mut second = Box::pin(client.clone().oneshot(server.request(Method::GET)));
    assert!(poll_once(&mut second).is_pending());
    assert_eq!(client.circuit().snapshot().in_flight, 1);

    drop(first);
    assert!(arrived.ended.await.is_err());
    let (answer, ()) = tokio::join!(second, server.answer(200));
    assert_eq!(answer.unwrap().status(), 200);
    assert_eq!(client.circuit().snapshot().in_flight, 0);
}

#[tokio::test]
async fn a_request_is_sent_again_after_as_long_as_the_server_asks_but_not_a_plain_post() {
    let mut server = Server::start().await;
    let client = guarded(json!({}));
    let busy = |arrived: Arrived| {
        let busy = answer(503).header(RETRY_AFTER, "0").body(Body::empty()).unwrap();
        arrived.answer.send(busy).expect("the client waits");
    };
    for (method, sent_again) in [(Method::PUT, true), (Method::POST, false)] {
        let call = client.clone().oneshot(server.request(method));
        let answers = async {
            busy(server.next().await);
            if sent_again {
                server.answer(200).await;
            }
        };
        let (answer, ()) = tokio::join!(call, answers);
        assert_eq!(answer.unwrap().status(), if sent_again { 200 } else { 503 });
        assert!(!server.has_arrived());
    }
}

#[tokio::test]
async fn a_router_behind_a_circuit_answers_for_it_when_it_refuses() {
    async fn overloaded(error: CallError<Infallible>) -> (StatusCode, String) {
        (StatusCode::SERVICE_UNAVAILABLE, error.to_string())
    }
    let config = only(
        json!({ "breaker": { "consecutive_failures": 2, "open_wait": "1h" }, "bulkhead": { "max_in_flight": 1 } }),
    );
    let circuit = CircuitLayer::new(&config).unwrap().judged_by(HttpStatus::new());
    let circuit = circuit.when_refused(WhenRefused::Reject).shared();
    let state = circuit.circuit().unwrap().clone();
    let layers = ServiceBuilder::new().layer(HandleErrorLayer::new(overloaded)).layer(circuit);
    let mut server = Server::start_with(|router| router.layer(layers)).await;

    let slow = tokio::spawn(client().request(server.request(Method::GET)));
    let arrived = server.next().await;
    let refused = client().request(server.request(Method::GET)).await.unwrap();
    assert_eq!(refused.status(), 503);
    let body = http_body_util::BodyExt::collect(refused.into_body()).await.unwrap().to_bytes();
    assert_eq!(body, "refused by the bulkhead");
    assert!(!server.has_arrived());
    arrived.answer.send(answer(200).body(Body::empty()).unwrap()).expect("the client waits");
    assert_eq!(slow.await.unwrap().unwrap().status(), 200);

    for _ in 0..2 {
        let (answer, ()) = tokio::join!(client().request(server.request(Method::GET)), server.answer(500));
        assert_eq!(answer.unwrap().status(), 500);
    }
    assert_eq!(state.snapshot().breaker.unwrap().state, State::Open);
    assert_eq!(client().request(server.request(Method::GET)).await.unwrap().status(), 503);
    assert!(!server.has_arrived());
}
