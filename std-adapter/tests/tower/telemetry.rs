//! What layers tell: every call once, however it ends, and what happens to the circuit.

use crate::support::*;
use core::panic::AssertUnwindSafe;
use fusebox::tower::{CircuitLayer, HttpStatus, PolicyLayer, ServiceCircuit, WhenRefused};
use fusebox::{BreakerStateName, Cause, ErrorCategory, ErrorKind, Event, EventKind, EventStream, RefusedBy, Scope};
use http::{Request, Response};
use serde_json::json;
use std::panic::catch_unwind;
use tower::{Layer, Service, ServiceExt};

/// Every call that has ended is counted once, and `running` have not ended.
#[track_caller]
pub(crate) fn assert_balanced(circuit: &ServiceCircuit, running: u64) {
    let counters = circuit.counters();
    assert_eq!(counters.calls, counters.ended() + running, "{counters:?}");
}

fn events(stream: &mut EventStream) -> Vec<EventKind> {
    let next = || match poll_once(&mut Box::pin(stream.next())) {
        core::task::Poll::Ready(event) => event.map(|event| event.expect("nothing was missed")),
        core::task::Poll::Pending => None,
    };
    core::iter::from_fn(next).map(|Event { kind, .. }| kind).collect()
}

#[tokio::test(start_paused = true)]
async fn each_call_is_counted_once_however_it_ends() {
    let backend = Backend::default();
    let config = only(json!({ "breaker": {}, "bulkhead": { "max_in_flight": 1 } }));
    let service = CircuitLayer::new(&config).unwrap().when_refused(WhenRefused::Reject).layer(backend.client());
    let circuit = service.circuit();
    let begin = || {
        let mut service = service.clone();
        make_ready(&mut service);
        service.call(0)
    };

    let call = begin();
    assert_balanced(circuit, 1);
    drop(begin()); // refused, and the refusal never looked at
    assert_eq!(circuit.counters().rejected_by_bulkhead, 1);
    backend.answer(Ok("done"));
    call.await.unwrap();
    let call = begin();
    backend.answer(Err(error(ErrorCategory::Timeout)));
    assert!(call.await.is_err());
    drop(begin());
    let mut polled = Box::pin(begin());
    assert!(poll_once(&mut polled).is_pending());
    drop(polled);
    let mut idle = service.clone();
    make_ready(&mut idle);
    drop(idle); // no call at all

    let counters = circuit.counters();
    assert_eq!((counters.calls, counters.attempts, counters.timeouts), (5, 4, 1));
    assert_eq!((counters.succeeded, counters.failed, counters.cancelled), (1, 1, 2));
    assert_balanced(circuit, 0);
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_a_call_that_has_failed() {
    let at_once = tower::service_fn(|_: u32| -> core::future::Ready<Answer> { panic!("at once") });
    let later = tower::service_fn(|_: u32| async { if true { panic!("later") } else { Answer::Ok("") } });
    let config = only(json!({ "breaker": {} }));
    let one = CircuitLayer::new(&config).unwrap().shared();
    let whole = PolicyLayer::new(&config).unwrap().shared();

    macro_rules! panics {
        ($layer:expr) => {{
            let mut service = $layer.layer(at_once);
            make_ready(&mut service);
            assert!(catch_unwind(AssertUnwindSafe(|| drop(service.call(0)))).is_err());
            let mut service = $layer.layer(later);
            make_ready(&mut service);
            let mut call = Box::pin(service.call(0));
            assert!(catch_unwind(AssertUnwindSafe(|| poll_once(&mut call).is_ready())).is_err());
            drop(call);
            let counters = $layer.circuit().unwrap().counters();
            assert_eq!((counters.calls, counters.failed, counters.attempts), (2, 2, 2));
        }};
    }
    panics!(one);
    panics!(whole);
}

#[tokio::test(start_paused = true)]
async fn a_call_under_a_whole_policy_is_one_call_with_all_its_attempts() {
    let (client, _) = scripted(&[Err(ErrorCategory::Network), Err(ErrorCategory::Timeout), Ok("done")]);
    let config = only(json!({ "breaker": {}, "max_retries": 2 }));
    let service = PolicyLayer::new(&config).unwrap().named("pages").layer(client);
    let mut stream = service.circuit().subscribe(16);
    service.clone().oneshot(0).await.unwrap();
    let counters = service.circuit().counters();
    assert_eq!((counters.calls, counters.succeeded, counters.attempts, counters.retries), (1, 1, 3, 2));
    let events = events(&mut stream);
    let ends = |number, category| {
        events.iter().any(|event| {
            matches!(event, EventKind::AttemptEnded { attempt, error, .. } if (*attempt, *error) == (number, category))
        })
    };
    assert!(ends(1, Some(ErrorCategory::Network)) && ends(2, Some(ErrorCategory::Timeout)) && ends(3, None));
    assert_eq!(events.iter().filter(|event| matches!(event, EventKind::RetryScheduled { .. })).count(), 2);
    assert!(matches!(events.last(), Some(EventKind::CallEnded { attempts: 3, error: None, .. })));
}

#[tokio::test(start_paused = true)]
async fn a_call_under_a_whole_policy_is_told_as_its_caller_sees_it() {
    let backend = Backend::default();
    let config = only(json!({
        "breaker": { "consecutive_failures": 2 }, "timeout": "1s", "deadline": "1500ms", "max_retries": 5,
        "categories": { "Cancelled": { "trips": true } },
    }));
    let service = PolicyLayer::new(&config).unwrap().layer(backend.client());
    let mut stream = service.circuit().subscribe(16);
    let mut ended = async || {
        let _ = service.clone().oneshot(0).await;
        match events(&mut stream).pop() {
            Some(EventKind::CallEnded { attempts, error, category, .. }) => (attempts, error, category),
            event => panic!("{event:?}"),
        }
    };
    let late = (2, Some(ErrorKind::DeadlineExceeded), Some(ErrorCategory::Timeout));
    assert_eq!(ended().await, late);
    assert_eq!(ended().await, (0, Some(ErrorKind::Rejected), Some(ErrorCategory::CircuitOpen)));
    let counters = service.circuit().counters();
    assert_eq!((counters.failed, counters.rejected_by_breaker, counters.opened), (1, 1, 1));
    assert_balanced(service.circuit(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_call_under_a_whole_policy_that_is_dropped_was_cancelled_with_its_attempts() {
    let backend = Backend::default();
    let config = only(json!({ "breaker": {}, "max_retries": 1, "backoff": { "base": "1s", "jitter": "none" } }));
    let service = PolicyLayer::new(&config).unwrap().layer(backend.client());
    let mut stream = service.circuit().subscribe(16);
    // in the first attempt, in the wait after it, and in the second
    for (answered, advanced, made) in [(false, 0, 1), (true, 0, 1), (true, 2_000, 2)] {
        let mut call = Box::pin(service.clone().oneshot(0));
        assert!(poll_once(&mut call).is_pending());
        assert_balanced(service.circuit(), 1);
        if answered {
            backend.answer(Err(error(ErrorCategory::Network)));
            assert!(poll_once(&mut call).is_pending());
            tokio::time::sleep(ms(advanced)).await;
            assert!(poll_once(&mut call).is_pending());
        }
        drop(call);
        if !answered || made == 2 {
            backend.answer(Ok("nobody listens"));
        }
        assert!(matches!(
            events(&mut stream).last(),
            Some(EventKind::CallEnded { attempts, error: Some(ErrorKind::Cancelled), .. }) if *attempts == made
        ));
        assert_balanced(service.circuit(), 0);
    }
    assert_eq!(service.circuit().counters().cancelled, 3);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_counts_as_a_failure_is_a_call_that_has_failed() {
    let busy = tower::service_fn(|_: Request<()>| async { Ok::<_, core::convert::Infallible>(answer(503)) });
    let config = only(json!({ "breaker": { "consecutive_failures": 3 }, "max_retries": 1 }));
    let service = PolicyLayer::http(&config).unwrap().layer(busy);
    let circuit = service.circuit();
    assert_eq!(service.clone().oneshot(Request::new(())).await.unwrap().status(), 503);
    assert_eq!((circuit.counters().failed, circuit.counters().attempts), (1, 2));
    // its retry is refused, and what went before is gone: the caller sees a refusal, but there was an attempt
    let refused = service.clone().oneshot(Request::new(())).await.unwrap_err();
    assert!(refused.refusal().is_some());
    assert_eq!((circuit.counters().failed, circuit.counters().rejected_by_breaker), (2, 0));

    let service = CircuitLayer::new(&config).unwrap().judged_by(HttpStatus::new()).layer(busy);
    assert_eq!(service.clone().oneshot(Request::new(())).await.unwrap().status(), 503);
    assert_eq!(service.circuit().counters().failed, 1);
}

fn answer(status: u16) -> Response<()> {
    Response::builder().status(status).body(()).expect("it is a response")
}

#[tokio::test(start_paused = true)]
async fn transitions_and_refusals_are_events_of_the_name_and_refusals_tell_whose_they_are() {
    let (client, _) = scripted(&[Err(ErrorCategory::Network)]);
    let config = only(json!({ "breaker": { "consecutive_failures": 1 } }));
    let layer = CircuitLayer::new(&config).unwrap().named("pages").shared();
    let circuit = layer.circuit().unwrap();
    assert_eq!(circuit.name(), "pages");
    let mut stream = circuit.subscribe(16);
    assert!(layer.layer(client.clone()).oneshot(0).await.is_err());
    let refused = layer.layer(client.clone()).oneshot(0).await.unwrap_err();
    assert_eq!(refused.refusal().unwrap().scope, Scope::Shared("pages".into()));
    let opened = stream.next().await.unwrap().unwrap();
    assert_eq!(opened.tool.as_deref(), Some("pages"));
    assert!(matches!(
        opened.kind,
        EventKind::BreakerChanged {
            from: BreakerStateName::Closed,
            to: BreakerStateName::Open,
            cause: Cause::Tripped,
            ..
        }
    ));
    let refusals = events(&mut stream);
    let by_group = |event: &EventKind| match event {
        EventKind::Refused { by: RefusedBy::Breaker, group, .. } => group.as_deref() == Some("pages"),
        _ => false,
    };
    assert_eq!(refusals.iter().filter(|event| by_group(event)).count(), 1);
    circuit.reset();
    assert_eq!((circuit.counters().opened, circuit.counters().closed), (1, 1));

    let own = CircuitLayer::new(&config).unwrap().named("pages").layer(client);
    own.circuit().force(fusebox::Forced::Open);
    assert_eq!(own.oneshot(0).await.unwrap_err().refusal().unwrap().scope, Scope::Own);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_waits_is_not_refused() {
    let backend = Backend::default();
    let mut holder = CircuitLayer::new(&only(json!({ "bulkhead": { "max_in_flight": 1 } }))).unwrap();
    holder = holder.named("pages");
    let mut holder = holder.layer(backend.client());
    let (mut waiting, circuit) = (holder.clone(), holder.circuit().clone());
    let mut stream = circuit.subscribe(8);
    make_ready(&mut holder);
    assert!(Task::new().poll_ready(&mut waiting).is_pending());
    drop(holder);
    make_ready(&mut waiting);
    drop(waiting);
    assert_eq!(events(&mut stream), []);
    assert_eq!(circuit.counters(), fusebox::CounterSnapshot::default());
}

#[cfg(feature = "metrics")]
#[test]
fn metrics_are_those_of_a_tool_of_the_name() {
    use metrics_util::debugging::{DebugValue, DebuggingRecorder};
    let recorder = DebuggingRecorder::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    metrics::with_local_recorder(&recorder, || {
        runtime.block_on(async {
            let (client, _) = scripted(&[Err(ErrorCategory::Network), Ok("done")]);
            let config = only(json!({ "breaker": {}, "rate": { "limit": "1/h", "burst": 10 }, "max_retries": 1 }));
            let service = PolicyLayer::new(&config).unwrap().named("pages").layer(client);
            service.circuit().record_metrics();
            service.clone().oneshot(0).await.unwrap();
            service.circuit().record_gauges();
        });
    });
    let recorded: Vec<_> = recorder
        .snapshotter()
        .snapshot()
        .into_vec()
        .into_iter()
        .map(|(key, _, _, value)| {
            assert!(key.key().labels().any(|label| (label.key(), label.value()) == ("tool", "pages")));
            (key.key().name().to_owned(), value)
        })
        .collect();
    let value = |name: &str, expected: DebugValue| recorded.contains(&(name.to_owned(), expected));
    assert!(value("fusebox.calls", DebugValue::Counter(1)), "{recorded:?}");
    assert!(value("fusebox.retries", DebugValue::Counter(1)), "{recorded:?}");
    assert!(value("fusebox.tokens", DebugValue::Gauge(8.0.into())), "{recorded:?}");
}
