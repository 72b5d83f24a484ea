//! Every part of a policy does in a layer what it does in an executor; what a layer cannot keep is refused.

use crate::support::*;
use fusebox::config::{AdaptiveLimitConfig, AdaptiveRateConfig, BulkheadConfig, RateConfig};
use fusebox::tower::{BulkheadLayer, CircuitLayer, PolicyLayer, RateLimitLayer, RetryLayer, WhenRefused};
use fusebox::{CallError, DurationText, ErrorCategory, Part, Priority};
use fusebox_core::{State, Tokens};
use serde_json::{Value, json};
use tokio::time::Instant;
use tower::{Layer, Service, ServiceExt};

#[tokio::test(start_paused = true)]
async fn a_throttle_spares_a_service_that_fails_by_one_draw_for_each_call() {
    fastrand::seed(7);
    let (client, _) = scripted(&[Err(ErrorCategory::Network)]);
    let config = only(json!({ "throttle": { "ratio": 1.0, "padding": 100, "window": "1h" } }));
    let layer = CircuitLayer::new(&config).unwrap();
    let mut service = layer.layer(client.clone());
    let mut refused = 0;
    for call in 0..100 {
        // about call / (call + 100) of them; after as many draws again it would be a third of that
        if let Err(CallError::Rejected(refusal)) = patiently(service.ready()).await.unwrap().call(0).await {
            assert_eq!(refusal.by, Part::Throttle);
            refused += 1;
        }
        let throttle = service.circuit().snapshot().throttle.unwrap();
        assert_eq!(throttle.requests, call + 1, "each call is counted once");
    }
    assert!((20..45).contains(&refused), "{refused} of 100 were refused");
    assert_eq!(service.circuit().counters().rejected_by_throttle, refused);

    // one that waits is not refused: what was counted fades
    let mut service = layer.when_refused(WhenRefused::Wait).layer(client);
    let begun = Instant::now();
    for _ in 0..100 {
        let error = patiently(service.ready()).await.unwrap().call(0).await.unwrap_err();
        assert!(error.refusal().is_none());
    }
    assert!(begun.elapsed() > ms(0));
}

#[tokio::test(start_paused = true)]
async fn a_service_that_asks_for_patience_pauses_an_adaptive_rate_for_as_long() {
    let config = only(json!({ "rate": { "limit": "100/s", "burst": 20, "adaptive": { "enabled": true } } }));
    let layer = CircuitLayer::new(&config).unwrap();
    let asks = tower::service_fn(|asked: u64| async move {
        Err::<(), _>(error(ErrorCategory::RateLimit).with_retry_after(ms(asked)))
    });
    for (when_refused, waited) in [(WhenRefused::Reject, 0), (WhenRefused::ByPart, 7_000)] {
        let mut service = layer.clone().when_refused(when_refused).layer(asks);
        let _ = service.ready().await.unwrap().call(7_000).await;
        let begun = Instant::now();
        let second = patiently(service.ready()).await.unwrap().call(0).await.unwrap_err();
        assert_eq!(second.refusal().map(|refusal| refusal.by), (waited == 0).then_some(Part::AdaptiveRate));
        // a pause is kept in ticks of 1.05 ms
        assert!(begun.elapsed().abs_diff(ms(waited)) < ms(3), "{:?}", begun.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_of_the_service_cuts_an_adaptive_rate_though_it_is_no_failure() {
    let (client, _) = scripted(&[Err(ErrorCategory::RateLimit)]);
    let config = only(json!({
        "rate": { "limit": "100/s", "burst": 20, "adaptive": { "enabled": true } },
        "categories": { "RateLimit": { "trips": false } },
    }));
    let service = CircuitLayer::new(&config).unwrap().layer(client);
    let rate = || service.circuit().snapshot().adaptive_rate.unwrap().share;
    let before = rate();
    assert!(service.clone().oneshot(0).await.is_err());
    assert!(rate() < before);
}

#[tokio::test(start_paused = true)]
async fn a_bulkhead_learns_from_failures_and_from_answers_that_are_slow() {
    let adaptive = json!({ "initial": 10, "cut": 0.5, "slow_after": "1s" });
    let config = only(json!({ "bulkhead": { "max_in_flight": 20, "adaptive": adaptive } }));
    for (seconds, answer, limit) in
        [(0, Ok("done"), 10), (2, Ok("done"), 5), (0, Err(error(ErrorCategory::Network)), 5)]
    {
        let backend = Backend::default();
        let mut service = CircuitLayer::new(&config).unwrap().layer(backend.client());
        make_ready(&mut service);
        let call = service.call(0);
        tokio::time::advance(ms(seconds * 1_000)).await;
        backend.answer(answer);
        let _ = call.await;
        assert_eq!(service.circuit().snapshot().limit, Some(limit));
    }
}

#[tokio::test(start_paused = true)]
async fn a_breaker_opens_by_the_rates_of_its_window() {
    let window = json!({ "window": { "calls": 10 }, "failure_rate": 0.5, "minimum_calls": 4,
        "slow_call_rate": 1.0, "slow_call_duration": "1s" });
    let config = only(json!({ "breaker": window }));
    for (slow, script) in [(false, [true, false, true, false]), (true, [true; 4])] {
        let backend = Backend::default();
        let mut service = CircuitLayer::new(&config).unwrap().layer(backend.client());
        for succeeds in script {
            assert_eq!(service.circuit().snapshot().breaker.unwrap().state, State::Closed);
            make_ready(&mut service);
            let call = service.call(0);
            tokio::time::advance(ms(if slow { 2_000 } else { 0 })).await;
            backend.answer(if succeeds { Ok("done") } else { Err(error(ErrorCategory::Network)) });
            let _ = call.await;
        }
        assert_eq!(service.circuit().snapshot().breaker.unwrap().state, State::Open);
    }
}

#[tokio::test(start_paused = true)]
async fn services_of_one_circuit_pay_by_their_priority() {
    let (client, _) = scripted(&[Ok("done")]);
    let config = only(json!({ "rate": { "limit": "1/h", "burst": 10 }, "priorities": { "low": { "cost": 4.0 } } }));
    let layer = CircuitLayer::new(&config).unwrap().shared();
    let tokens = || layer.circuit().unwrap().snapshot().tokens;
    layer.layer(client.clone()).oneshot(0).await.unwrap();
    assert_eq!(tokens(), Some(Tokens::whole(9)));
    layer.clone().priority(Priority::Low).layer(client).oneshot(0).await.unwrap();
    assert_eq!(tokens(), Some(Tokens::whole(5)));
}

#[test]
fn what_no_layer_can_keep_is_refused_by_name() {
    let hedged = only(json!({ "hedge": { "delay": "1s" } }));
    let idle = only(json!({ "idle_timeout": "1s" }));
    for (config, field) in [(hedged, "hedge.enabled"), (idle, "idle_timeout")] {
        let errors = [
            PolicyLayer::new(&config).map(drop).unwrap_err(),
            CircuitLayer::new(&config).map(drop).unwrap_err(),
            RetryLayer::new(&config).map(drop).unwrap_err(),
        ];
        assert_eq!(errors.map(|error| error.field), [field; 3]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_layer_that_is_told_of_no_failure_does_not_claim_to_learn_from_them() {
    let adaptive = AdaptiveRateConfig { enabled: Some(true), ..AdaptiveRateConfig::default() };
    let rate = RateConfig { adaptive, ..RateConfig::default() };
    assert_eq!(RateLimitLayer::new(&rate).unwrap_err().field, "rate.adaptive.enabled");

    let bulkhead = |adaptive| BulkheadConfig { adaptive, ..BulkheadConfig::default() };
    let by_failures = AdaptiveLimitConfig { enabled: Some(true), ..AdaptiveLimitConfig::default() };
    let by_time = AdaptiveLimitConfig { slow_after: Some(DurationText::from_secs(1)), ..by_failures.clone() };
    let error = BulkheadLayer::new(&bulkhead(by_failures)).unwrap_err();
    assert_eq!(error.field, "bulkhead.adaptive.slow_after");
    let layer = BulkheadLayer::new(&bulkhead(by_time)).unwrap().shared();

    // nor later
    let change = |json: Value| layer.circuit().unwrap().change_policy(&config(json)).map_err(|error| error.field);
    let refused = change(json!({ "bulkhead": { "adaptive": { "enabled": true } } }));
    assert_eq!(refused, Err("bulkhead.adaptive.slow_after".to_owned()));
    assert_eq!(change(json!({ "bulkhead": { "max_in_flight": 3 } })), Ok(()));
}
