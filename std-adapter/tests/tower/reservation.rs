//! What `poll_ready` takes is used by one call or comes back, wherever the call is dropped.

use crate::support::*;
use core::time::Duration;
use fusebox::tower::{CircuitLayer, CircuitService, WhenRefused};
use fusebox::{CallError, ErrorCategory, Part, PartsSnapshot};
use fusebox_core::{State, Tokens};
use serde_json::json;
use tower::{Layer, Service, ServiceExt};

type Guarded = CircuitService<Client>;

/// A breaker that opens at the first failure for 5 s, one slot, and ten tokens.
fn guarded(backend: &Backend) -> Guarded {
    let config = config(json!({
        "breaker": { "consecutive_failures": 1, "open_wait": "5s", "jitter": "none" },
        "bulkhead": { "max_in_flight": 1 },
        "rate": { "limit": "1/h", "burst": 10 },
    }));
    CircuitLayer::new(&config).unwrap().when_refused(WhenRefused::Reject).layer(backend.client())
}

fn snapshot(service: &Guarded) -> PartsSnapshot {
    service.circuit().snapshot()
}

/// Opens the breaker and waits until it is half-open.
async fn make_half_open(service: &Guarded, backend: &Backend) {
    let mut failing = service.clone();
    make_ready(&mut failing);
    let call = failing.call(0);
    backend.answer(Err(error(ErrorCategory::Network)));
    assert!(call.await.is_err());
    tokio::time::advance(Duration::from_secs(5)).await;
}

#[track_caller]
fn assert_rejected<T>(result: Result<T, CallError<fusebox::ToolError>>, part: Part) {
    match result {
        Err(CallError::Rejected(rejection)) => assert_eq!(rejection.by, part),
        Err(error) => panic!("not refused but: {error}"),
        Ok(_) => panic!("not refused"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_ready_service_holds_a_slot_and_a_token_until_it_is_dropped() {
    let mut service = guarded(&Backend::default());
    let observer = service.clone();
    make_ready(&mut service);
    make_ready(&mut service);
    assert_eq!((snapshot(&observer).in_flight, snapshot(&observer).tokens), (1, Some(Tokens::whole(9))));
    drop(service);
    assert_eq!((snapshot(&observer).in_flight, snapshot(&observer).tokens), (0, Some(Tokens::whole(10))));
}

#[tokio::test(start_paused = true)]
async fn a_clone_starts_without_the_reservation() {
    let backend = Backend::default();
    let mut service = guarded(&backend);
    make_ready(&mut service);
    let mut clone = service.clone();
    assert_eq!(snapshot(&clone).in_flight, 1);
    make_ready(&mut clone);
    assert_rejected(now(clone.call(0)), Part::Bulkhead);
    drop(clone);
    assert_eq!(snapshot(&service).in_flight, 1, "the clone has given back nothing that is not its own");

    let call = service.call(0);
    backend.answer(Ok("done"));
    assert_eq!(call.await.unwrap(), "done");
    let PartsSnapshot { in_flight, tokens, .. } = snapshot(&service);
    assert_eq!((in_flight, tokens), (0, Some(Tokens::whole(9))), "the call used what was reserved");
}

#[tokio::test(start_paused = true)]
async fn a_response_that_is_dropped_at_any_poll_leaves_the_circuit_as_if_it_had_not_been() {
    const YIELDS: usize = 3;
    let config = only(json!({ "breaker": {}, "bulkhead": { "max_in_flight": 1 }, "rate": { "limit": "1/h" } }));
    let slow = tower::service_fn(|_: u32| async {
        for _ in 0..YIELDS {
            tokio::task::yield_now().await;
        }
        Err::<(), _>(error(ErrorCategory::Network))
    });
    let service = CircuitLayer::new(&config).unwrap().layer(slow);
    for polls in 0..=YIELDS {
        let mut service = service.clone();
        let before = service.circuit().snapshot();
        let mut call = Box::pin(service.ready().await.unwrap().call(0));
        for _ in 0..polls {
            assert!(poll_once(&mut call).is_pending());
        }
        assert_eq!(service.circuit().snapshot().in_flight, 1);
        drop(call);
        assert_eq!(service.circuit().snapshot(), before, "dropped after {polls} polls");
    }
    let mut service = service.clone();
    assert!(service.ready().await.unwrap().call(0).await.is_err());
    let after = service.circuit().snapshot();
    assert_eq!(after.breaker.unwrap().failures, 1);
    assert_eq!((after.in_flight, after.tokens), (0, Some(Tokens::whole(9))));
}

#[tokio::test(start_paused = true)]
async fn cancelled_calls_count_where_the_policy_says_so_but_reservations_never_do() {
    let config = only(json!({ "breaker": { "cancelled_is_failure": true } }));
    let service = CircuitLayer::new(&config).unwrap().layer(Backend::default().client());
    let failures = || service.circuit().snapshot().breaker.unwrap().failures;
    let mut idle = service.clone();
    make_ready(&mut idle);
    drop(idle);
    assert_eq!(failures(), 0, "there was no call");
    for (polls, expected) in [(0, 1), (1, 2)] {
        let mut called = service.clone();
        make_ready(&mut called);
        let mut call = Box::pin(called.call(0));
        for _ in 0..polls {
            assert!(poll_once(&mut call).is_pending());
        }
        drop(call);
        assert_eq!(failures(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn the_slot_is_free_when_the_response_is_there_though_its_future_lives() {
    let backend = Backend::default();
    let mut service = guarded(&backend);
    make_ready(&mut service);
    let mut call = Box::pin(service.call(0));
    backend.answer(Ok("done"));
    assert!(poll_once(&mut call).is_ready());
    assert_eq!(snapshot(&service).in_flight, 0);
    drop(call);
    assert_eq!(snapshot(&service).in_flight, 0);
}

#[tokio::test(start_paused = true)]
async fn a_probe_comes_back_from_a_service_or_a_response_that_is_dropped() {
    let backend = Backend::default();
    let service = guarded(&backend);
    make_half_open(&service, &backend).await;
    let before = backend.begun();

    let mut idle = service.clone();
    make_ready(&mut idle);
    assert_eq!(snapshot(&service).breaker.unwrap().outstanding, 1);
    assert_rejected(now(service.clone().oneshot(0)), Part::Breaker);
    drop(idle);
    assert_eq!(snapshot(&service).breaker.unwrap().outstanding, 0);

    let mut called = service.clone();
    make_ready(&mut called);
    let call = called.call(0);
    assert_eq!(snapshot(&service).breaker.unwrap().outstanding, 1);
    drop(call);
    assert_eq!(snapshot(&service).breaker.unwrap().outstanding, 0);
    backend.answer(Ok("nobody listens"));

    let mut called = service.clone();
    make_ready(&mut called);
    let call = called.call(0);
    backend.answer(Ok("done"));
    call.await.unwrap();
    assert_eq!(snapshot(&service).breaker.unwrap().state, State::Closed);
    assert_eq!(backend.begun() - before, 2, "the refused call did not reach the service");
}

#[tokio::test(start_paused = true)]
async fn an_idle_probe_delays_others_by_a_lease_and_is_not_used_after_it() {
    let backend = Backend::default();
    let config = only(json!({ "breaker": { "consecutive_failures": 1, "jitter": "none", "probe_lease": "2s" } }));
    let service = CircuitLayer::new(&config).unwrap().layer(backend.client());
    make_half_open(&service, &backend).await;

    let mut idle = service.clone();
    make_ready(&mut idle);
    tokio::time::advance(ms(1_900)).await;
    assert_rejected(now(service.clone().oneshot(0)), Part::Breaker);
    tokio::time::advance(ms(200)).await;
    let mut other = service.clone();
    make_ready(&mut other);
    let call = other.call(0);
    assert_eq!(backend.begun(), 2);

    assert_rejected(now(idle.call(0)), Part::Breaker);
    assert_eq!(backend.begun(), 2, "two probes at once would be one too many");
    drop(idle);
    assert_eq!(snapshot(&service).breaker.unwrap().outstanding, 1, "the other probe is still out");
    backend.answer(Ok("done"));
    call.await.unwrap();
    assert_eq!(snapshot(&service).breaker.unwrap().state, State::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_call_whose_probe_was_written_off_goes_as_a_new_one() {
    for poll_again in [false, true] {
        let backend = Backend::default();
        let config = only(json!({ "breaker": { "consecutive_failures": 1, "jitter": "none", "probe_lease": "2s" } }));
        let mut service = CircuitLayer::new(&config).unwrap().layer(backend.client());
        make_half_open(&service, &backend).await;
        make_ready(&mut service);
        tokio::time::advance(Duration::from_secs(3)).await;
        if poll_again {
            make_ready(&mut service);
        }
        let call = service.call(0);
        backend.answer(Ok("done"));
        call.await.unwrap();
        assert_eq!(snapshot(&service).breaker.unwrap().state, State::Closed, "its success counts");
    }
}

#[tokio::test(start_paused = true)]
async fn a_reservation_from_before_the_breaker_opened_is_not_used() {
    let backend = Backend::default();
    let config = only(json!({ "breaker": { "consecutive_failures": 1 } }));
    let service = CircuitLayer::new(&config).unwrap().layer(backend.client());
    let (mut early, mut failing) = (service.clone(), service.clone());
    make_ready(&mut early);
    make_ready(&mut failing);
    let call = failing.call(0);
    backend.answer(Err(error(ErrorCategory::Network)));
    assert!(call.await.is_err());

    assert_rejected(now(early.call(0)), Part::Breaker);
    assert_eq!(backend.begun(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_not_ready_any_more_gives_back_what_the_circuit_reserved() {
    let behind = Busy::new(Backend::default().client());
    let config = only(json!({ "bulkhead": { "max_in_flight": 1 } }));
    let mut service = CircuitLayer::new(&config).unwrap().layer(behind.clone());
    let circuit = service.circuit().clone();
    make_ready(&mut service);
    assert_eq!(circuit.snapshot().in_flight, 1);
    behind.set_busy(true);
    assert!(Task::new().poll_ready(&mut service).is_pending());
    assert_eq!(circuit.snapshot().in_flight, 0);
    behind.set_busy(false);
    make_ready(&mut service);
    assert_eq!(circuit.snapshot().in_flight, 1);
}
