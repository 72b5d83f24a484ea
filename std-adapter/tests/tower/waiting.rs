//! Who waits for a circuit, for how long, and who is woken when a call ends.

use crate::support::*;
use core::sync::atomic::Ordering;
use core::time::Duration;
use fusebox::tower::{CircuitLayer, CircuitService, WhenRefused};
use fusebox::{CallError, ErrorCategory, Forced, Part, ToolError};
use fusebox_core::{State, Wait};
use serde_json::{Value, json};
use tokio::time::Instant;
use tower::{Layer, Service, ServiceExt};

fn guarded(backend: &Backend, json: Value, when_refused: WhenRefused) -> CircuitService<Client> {
    CircuitLayer::new(&only(json)).unwrap().when_refused(when_refused).layer(backend.client())
}

fn one_slot(backend: &Backend) -> CircuitService<Client> {
    guarded(backend, json!({ "bulkhead": { "max_in_flight": 1 } }), WhenRefused::ByPart)
}

#[track_caller]
fn rejection<T>(result: Result<T, CallError<ToolError>>) -> (Part, Wait) {
    match result {
        Err(CallError::Rejected(rejection)) => (rejection.by, rejection.wait),
        Err(error) => panic!("not refused but: {error}"),
        Ok(_) => panic!("not refused"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_clone_that_waits_for_the_slot_is_woken_however_the_other_one_ends() {
    enum End {
        Answer,
        DropResponse,
        DropService,
    }
    for end in [End::Answer, End::DropResponse, End::DropService] {
        let backend = Backend::default();
        let config = json!({ "max_wait": "1h", "bulkhead": { "max_in_flight": 1 } });
        let (mut first, task) = (guarded(&backend, config, WhenRefused::ByPart), Task::new());
        let mut second = first.clone();
        make_ready(&mut first);
        assert!(task.poll_ready(&mut second).is_pending());
        assert!(!task.was_woken());
        match end {
            End::Answer => {
                let call = first.call(0);
                backend.answer(Ok("done"));
                call.await.unwrap();
            }
            End::DropResponse => drop(first.call(0)),
            End::DropService => drop(first),
        }
        assert!(task.was_woken());
        assert!(task.poll_ready(&mut second).is_ready());
        assert_eq!(second.circuit().snapshot().in_flight, 1);
        drop(second.call(0));
        make_ready(&mut second); // nothing is left of the wait before
    }
}

#[tokio::test(start_paused = true)]
async fn the_longest_waiter_goes_first_and_one_that_is_dropped_makes_way() {
    let backend = Backend::default();
    let mut holder = one_slot(&backend);
    let tasks = [(); 3].map(|()| Task::new());
    let [mut a, mut b, mut c] = [(); 3].map(|()| holder.clone());
    make_ready(&mut holder);
    for (task, waiting) in tasks.iter().zip([&mut a, &mut b, &mut c]) {
        assert!(task.poll_ready(waiting).is_pending());
    }
    drop(holder);
    assert_eq!(tasks.each_ref().map(|task| task.was_woken()), [true, false, false]);
    drop(a); // it was woken, but never asks
    assert_eq!(tasks.each_ref().map(|task| task.was_woken()), [false, true, false]);
    assert!(tasks[1].poll_ready(&mut b).is_ready());
    assert!(!tasks[2].was_woken(), "there is no second slot");
    drop(b);
    assert!(tasks[2].was_woken());
    assert!(tasks[2].poll_ready(&mut c).is_ready());
}

#[tokio::test(start_paused = true)]
async fn one_that_was_woken_wakes_the_next_while_there_is_room() {
    let backend = Backend::default();
    let config = json!({ "breaker": { "consecutive_failures": 1, "jitter": "none" } });
    let service = guarded(&backend, config, WhenRefused::Wait);
    let mut failing = service.clone();
    make_ready(&mut failing);
    let call = failing.call(0);
    backend.answer(Err(error(ErrorCategory::Network)));
    assert!(call.await.is_err());
    tokio::time::advance(Duration::from_secs(5)).await;

    let mut probe = service.clone();
    make_ready(&mut probe);
    let tasks = [(); 3].map(|()| Task::new());
    let mut waiting = [(); 3].map(|()| service.clone());
    for (task, waiting) in tasks.iter().zip(&mut waiting) {
        assert!(task.poll_ready(waiting).is_pending());
    }
    let call = probe.call(0);
    backend.answer(Ok("it is back"));
    call.await.unwrap();
    for (task, waiting) in tasks.iter().zip(&mut waiting) {
        assert!(task.was_woken(), "the breaker is closed for all of them");
        assert!(task.poll_ready(waiting).is_ready());
    }
}

#[tokio::test(start_paused = true)]
async fn by_default_the_rate_limit_is_waited_for_and_an_open_breaker_rejects() {
    let (client, calls) = scripted(&[Ok("done"), Ok("done"), Err(ErrorCategory::Network)]);
    let config = config(json!({
        "breaker": { "consecutive_failures": 1, "open_wait": "1m", "jitter": "none" },
        "rate": { "limit": "2/s", "burst": 1 },
    }));
    let mut service = CircuitLayer::new(&config).unwrap().layer(client);
    let begun = Instant::now();
    for waited in [0, 500, 1_000] {
        // the last of them fails
        let _ = patiently(service.ready()).await.unwrap().call(0).await;
        assert_eq!(begun.elapsed(), ms(waited));
    }
    assert_eq!(rejection(patiently(service.ready()).await.unwrap().call(0).await).0, Part::Breaker);
    assert_eq!((begun.elapsed(), calls.load(Ordering::Relaxed)), (ms(1_000), 3));
}

#[tokio::test(start_paused = true)]
async fn rejecting_never_waits_and_says_when_to_come_back() {
    let (client, calls) = scripted(&[Ok("done")]);
    let config = only(json!({ "rate": { "limit": "2/s", "burst": 1 } }));
    for layer in [
        CircuitLayer::new(&config).unwrap().when_refused(WhenRefused::Reject),
        CircuitLayer::new(&config).unwrap().max_wait(Duration::ZERO),
    ] {
        let mut service = layer.layer(client.clone());
        let before = calls.load(Ordering::Relaxed);
        let task = Task::new();
        assert!(task.poll_ready(&mut service).is_ready());
        service.call(0).await.unwrap();
        assert!(task.poll_ready(&mut service).is_ready(), "an error would mean that the service is dead");
        assert_eq!(rejection(now(service.call(0))), (Part::Bucket, Wait::Nanos(500_000_000)));
        assert_eq!(calls.load(Ordering::Relaxed) - before, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_as_new_as_the_call() {
    let (client, _) = scripted(&[Ok("done")]);
    let config = only(json!({ "rate": { "limit": "2/s", "burst": 1 } }));
    let mut service = CircuitLayer::new(&config).unwrap().when_refused(WhenRefused::Reject).layer(client);
    make_ready(&mut service);
    service.call(0).await.unwrap();
    make_ready(&mut service);
    tokio::time::advance(ms(500)).await;
    assert_eq!(service.call(0).await.unwrap(), "done");
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_at_its_limit_and_one_that_is_too_long_does_not_begin() {
    let backend = Backend::default();
    let config =
        json!({ "max_wait": "300ms", "bulkhead": { "max_in_flight": 1 }, "rate": { "limit": "1/s", "burst": 1 } });
    let mut service = guarded(&backend, config, WhenRefused::ByPart);
    let begun = Instant::now();
    make_ready(&mut service);
    let call = service.call(0);
    assert_eq!(rejection(patiently(service.ready()).await.unwrap().call(0).await), (Part::Bulkhead, Wait::Release));
    assert_eq!(begun.elapsed(), ms(300));

    backend.answer(Ok("done"));
    call.await.unwrap();
    assert_eq!(rejection(patiently(service.ready()).await.unwrap().call(0).await).0, Part::Bucket);
    assert_eq!(begun.elapsed(), ms(300), "700 ms are more than 300");
    tokio::time::advance(ms(500)).await;
    make_ready_after_a_wait(&mut service).await;
    assert_eq!(begun.elapsed(), ms(1_000));
}

async fn make_ready_after_a_wait(service: &mut CircuitService<Client>) {
    assert!(Task::new().poll_ready(service).is_pending());
    patiently(service.ready()).await.unwrap();
    assert_eq!(service.circuit().snapshot().in_flight, 1);
}

#[tokio::test(start_paused = true)]
async fn waiting_for_a_breaker_outlasts_its_open_wait_and_the_lease_of_a_lost_probe() {
    let backend = Backend::default();
    let config = json!({ "breaker": { "consecutive_failures": 1, "jitter": "none", "probe_lease": "3s" } });
    let service = guarded(&backend, config, WhenRefused::Wait);
    let begun = Instant::now();
    let mut failing = service.clone();
    make_ready(&mut failing);
    let call = failing.call(0);
    backend.answer(Err(error(ErrorCategory::Network)));
    assert!(call.await.is_err());

    let mut lost = service.clone();
    patiently(lost.ready()).await.unwrap();
    assert_eq!(begun.elapsed(), Duration::from_secs(5));
    let lost = lost.call(0); // never polled, never dropped
    let mut probe = service.clone();
    patiently(probe.ready()).await.unwrap();
    // the lease is kept in ticks of 8.4 ms
    assert!((ms(8_000)..ms(8_020)).contains(&begun.elapsed()), "{:?}", begun.elapsed());
    let call = probe.call(0);
    assert_eq!(backend.begun(), 3);
    backend.answer(Ok("late"));
    backend.answer(Ok("done"));
    call.await.unwrap();
    assert_eq!(service.circuit().snapshot().breaker.unwrap().state, State::Closed);
    drop(lost);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_was_ready_before_the_breaker_opened_waits_when_it_is_asked_again() {
    let backend = Backend::default();
    let config = json!({ "breaker": { "consecutive_failures": 1, "jitter": "none" } });
    let service = guarded(&backend, config, WhenRefused::Wait);
    let (mut early, mut failing) = (service.clone(), service.clone());
    make_ready(&mut early);
    make_ready(&mut failing);
    let call = failing.call(0);
    backend.answer(Err(error(ErrorCategory::Network)));
    assert!(call.await.is_err());

    let task = Task::new();
    assert!(task.poll_ready(&mut early).is_pending());
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(task.was_woken());
    assert!(task.poll_ready(&mut early).is_ready());
    assert_eq!(service.circuit().snapshot().breaker.unwrap().outstanding, 1);
}

#[tokio::test(start_paused = true)]
async fn what_waiting_cannot_help_is_rejected_at_once() {
    let service = guarded(&Backend::default(), json!({ "breaker": {} }), WhenRefused::Wait);
    service.circuit().force(Forced::Open);
    let mut refused = service.clone();
    assert!(Task::new().poll_ready(&mut refused).is_ready());
    assert_eq!(rejection(now(refused.call(0))), (Part::Breaker, Wait::Never));
    service.circuit().reset();
    make_ready(&mut refused);
    assert!(poll_once(&mut Box::pin(refused.call(0))).is_pending());
}

#[tokio::test(start_paused = true)]
async fn a_release_is_passed_on_by_a_service_that_is_busy_when_it_comes() {
    let behind = Busy::new(Backend::default().client());
    let config = only(json!({ "bulkhead": { "max_in_flight": 1 } }));
    let mut holder = CircuitLayer::new(&config).unwrap().layer(behind.clone());
    let tasks = [(); 2].map(|()| Task::new());
    let mut waiting = [(); 2].map(|()| holder.clone());
    make_ready(&mut holder);
    for (task, waiting) in tasks.iter().zip(&mut waiting) {
        assert!(task.poll_ready(waiting).is_pending());
    }
    drop(holder);
    assert_eq!(tasks.each_ref().map(|task| task.was_woken()), [true, false]);
    behind.set_busy(true);
    assert!(tasks[0].poll_ready(&mut waiting[0]).is_pending());
    behind.set_busy(false);
    assert_eq!(tasks.each_ref().map(|task| task.was_woken()), [false, true]);
    assert!(tasks[1].poll_ready(&mut waiting[1]).is_ready());
}
