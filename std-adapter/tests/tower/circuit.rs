//! How calls count, whose state it is, and what a call costs.

use crate::support::*;
use core::convert::Infallible;
use core::future::ready;
use core::panic::AssertUnwindSafe;
use core::task::{Context, Poll, Waker};
use fusebox::config::{BreakerConfig, BulkheadConfig, RateConfig};
use fusebox::tower::{AnyError, BreakerLayer, BulkheadLayer, CircuitLayer, RateLimitLayer, WhenRefused};
use fusebox::{CallError, ErrorCategory, Part, PolicyConfig, ToolError};
use fusebox_core::Tokens;
use serde_json::json;
use std::panic::catch_unwind;
use tower::{BoxError, Layer, Service, ServiceBuilder, ServiceExt};

fn failures<S, J>(service: &fusebox::tower::CircuitService<S, J>) -> u32 {
    service.circuit().snapshot().breaker.expect("it has a breaker").failures
}

#[tokio::test(start_paused = true)]
async fn an_error_counts_as_its_category_says_and_an_answer_uses_up_its_token() {
    let (client, _) = scripted(&[
        Err(ErrorCategory::Network),
        Err(ErrorCategory::ResourceNotFound),
        Err(ErrorCategory::Cancelled),
        Err(ErrorCategory::Timeout),
        Ok("done"),
    ]);
    let config = only(json!({ "breaker": {}, "rate": { "limit": "1/h", "burst": 10 } }));
    let mut service = CircuitLayer::new(&config).unwrap().layer(client);
    for (expected, tokens) in [(1, 9), (1, 8), (1, 7), (2, 6), (0, 5)] {
        let _ = service.ready().await.unwrap().call(0).await;
        assert_eq!(failures(&service), expected);
        assert_eq!(service.circuit().snapshot().tokens, Some(Tokens::whole(tokens)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_category_counts_as_the_configuration_says() {
    let (client, _) = scripted(&[Err(ErrorCategory::Network), Err(ErrorCategory::ResourceNotFound)]);
    let config = only(json!({
        "breaker": {}, "categories": { "Network": { "trips": false }, "ResourceNotFound": { "trips": true } }
    }));
    let mut service = CircuitLayer::new(&config).unwrap().layer(client);
    for expected in [0, 1] {
        assert!(service.ready().await.unwrap().call(0).await.is_err());
        assert_eq!(failures(&service), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_the_service_counts_as_a_failure_and_frees_the_slot() {
    let at_once = tower::service_fn(|_: u32| -> core::future::Ready<Answer> { panic!("at once") });
    let later = tower::service_fn(|_: u32| async { if true { panic!("later") } else { Answer::Ok("") } });
    let config = only(json!({ "breaker": {}, "bulkhead": { "max_in_flight": 1 } }));
    let layer = CircuitLayer::new(&config).unwrap().shared();
    let circuit = layer.circuit().unwrap().clone();

    let mut service = layer.layer(at_once);
    make_ready(&mut service);
    assert!(catch_unwind(AssertUnwindSafe(|| drop(service.call(0)))).is_err());
    assert_eq!(circuit.snapshot().breaker.unwrap().failures, 1);

    let mut service = layer.layer(later);
    make_ready(&mut service);
    let mut call = Box::pin(service.call(0));
    assert!(catch_unwind(AssertUnwindSafe(|| poll_once(&mut call).is_ready())).is_err());
    drop(call);
    assert_eq!(circuit.snapshot().breaker.unwrap().failures, 2);
    assert_eq!(circuit.snapshot().in_flight, 0);
}

#[tokio::test(start_paused = true)]
async fn an_error_of_poll_ready_does_not_count_and_is_passed_on() {
    struct Dead;
    impl Service<u32> for Dead {
        type Response = ();
        type Error = ToolError;
        type Future = core::future::Ready<Result<(), ToolError>>;
        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ToolError>> {
            Poll::Ready(Err(error(ErrorCategory::Network)))
        }
        fn call(&mut self, _: u32) -> Self::Future {
            ready(Ok(()))
        }
    }
    let mut service = CircuitLayer::new(&only(json!({ "breaker": {} }))).unwrap().layer(Dead);
    assert!(matches!(service.ready().await.map(drop), Err(CallError::Failed(_))));
    assert_eq!(failures(&service), 0);
}

#[tokio::test(start_paused = true)]
async fn each_service_has_a_circuit_of_its_own_unless_the_layer_is_shared() {
    let (client, _) = scripted(&[Err(ErrorCategory::Network)]);
    let own = CircuitLayer::new(&only(json!({ "breaker": {} }))).unwrap();
    assert!(own.circuit().is_none());
    for (layer, of_the_other) in [(own.clone(), 0), (own.shared(), 1)] {
        let (mut a, b) = (layer.layer(client.clone()), layer.clone().layer(client.clone()));
        let clone = a.clone();
        assert!(a.ready().await.unwrap().call(0).await.is_err());
        assert_eq!((failures(&a), failures(&clone), failures(&b)), (1, 1, of_the_other));
    }
}

#[tokio::test(start_paused = true)]
async fn a_layer_of_one_part_has_no_other() {
    let (client, _) = scripted(&[Ok("done")]);
    let breaker = BreakerLayer::new(&BreakerConfig::default()).unwrap().layer(client.clone()).circuit().snapshot();
    assert!(breaker.breaker.is_some() && breaker.tokens.is_none());

    let rate = RateConfig { burst: Some(1.0), ..RateConfig::default() };
    let mut limited = RateLimitLayer::new(&rate).unwrap().when_refused(WhenRefused::Reject).layer(client.clone());
    let snapshot = limited.circuit().snapshot();
    assert_eq!((snapshot.breaker, snapshot.tokens), (None, Some(Tokens::ONE)));
    limited.ready().await.unwrap().call(0).await.unwrap();
    let refused = limited.ready().await.unwrap().call(0).await.unwrap_err();
    assert_eq!(refused.refusal().unwrap().by, Part::Bucket);

    let one = BulkheadConfig { max_in_flight: Some(1), ..BulkheadConfig::default() };
    let mut bulkhead = BulkheadLayer::new(&one).unwrap().layer(client.clone());
    make_ready(&mut bulkhead);
    let snapshot = bulkhead.circuit().snapshot();
    assert_eq!((snapshot.breaker, snapshot.tokens, snapshot.in_flight), (None, None, 1));
}

#[test]
fn what_is_not_allowed_is_named() {
    let error = BulkheadLayer::new(&BulkheadConfig::default()).unwrap_err();
    assert_eq!(error.to_string(), "bulkhead.max_in_flight is absent: allowed is 1 to 4294967295");
    let breaker = BreakerConfig { probes: Some(16), ..BreakerConfig::default() };
    assert_eq!(BreakerLayer::new(&breaker).unwrap_err().to_string(), "breaker.probes is 16: allowed is 1 to 15");
}

#[tokio::test(start_paused = true)]
async fn errors_of_any_kind_have_a_way_in_and_become_boxed_errors() {
    #[derive(Debug)]
    struct Opaque;
    let opaque = tower::service_fn(|_: u32| async { Err::<(), _>(Opaque) });
    let layer = BreakerLayer::new(&BreakerConfig::default()).unwrap();
    let mut service = layer.clone().judged_by(AnyError(ErrorCategory::Network)).layer(opaque);
    assert!(matches!(service.ready().await.unwrap().call(0).await, Err(CallError::Failed(Opaque))));
    assert_eq!(failures(&service), 1);

    // boxed errors are no errors themselves, so they need a name before other layers can box them again
    let boxed = tower::service_fn(|_: u32| async { Err::<(), BoxError>("reset".into()) });
    let mut service = ServiceBuilder::new()
        .map_err(BoxError::from)
        .layer(layer)
        .map_err(|error| ToolError::caused_by(ErrorCategory::Network, BoxError::from(error)))
        .service(boxed);
    assert_eq!(service.ready().await.unwrap().call(0).await.unwrap_err().to_string(), "reset");
}

#[test]
fn admission_refusal_and_settlement_allocate_nothing() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let _guard = runtime.enter();
    let client = tower::service_fn(|request: u32| ready(Ok::<_, Infallible>(request)));
    let config =
        PolicyConfig { bulkhead: BulkheadConfig { max_in_flight: Some(1), ..Default::default() }, ..config(json!({})) };
    let layer = CircuitLayer::new(&config).unwrap();
    for layer in [layer.clone().when_refused(WhenRefused::Reject), layer.max_wait(ms(0))] {
        let mut service = layer.layer(client);
        let mut refused = service.clone();
        let mut cx = Context::from_waker(Waker::noop());
        let allocated = allocation_counter::measure(|| {
            assert!(service.poll_ready(&mut cx).is_ready());
            let mut call = service.call(7);
            assert!(refused.poll_ready(&mut cx).is_ready());
            assert!(matches!(poll_once(&mut refused.call(8)), Poll::Ready(Err(CallError::Rejected(_)))));
            assert!(matches!(poll_once(&mut call), Poll::Ready(Ok(7))));
        });
        assert_eq!(allocated.count_total, 0);
    }
}
