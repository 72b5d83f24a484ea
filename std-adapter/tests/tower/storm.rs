//! Many callers, few slots, calls dropped anywhere: nobody waits for ever, and nothing is left taken.

use crate::support::*;
use crate::telemetry::assert_balanced;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use fusebox::tower::{CircuitLayer, PolicyLayer, WhenRefused};
use fusebox::{ErrorCategory, ToolError};
use serde_json::json;
use std::sync::{Arc, mpsc};
use std::thread;
use tokio::task::JoinSet;
use tower::{Layer, Service, ServiceExt};

const SLOTS: usize = 3;
const CALLERS: u64 = 40;
const CALLS: usize = 25;

#[tokio::test(start_paused = true)]
async fn every_caller_gets_its_turn_and_everything_comes_back() {
    for seed in 0..20 {
        storm(seed).await;
    }
}

async fn storm(seed: u64) {
    let config = only(json!({
        "breaker": { "consecutive_failures": 3, "open_wait": "20ms", "probes": 2, "required_successes": 2 },
        "bulkhead": { "max_in_flight": SLOTS },
        "rate": { "limit": "1000/s", "burst": 5 },
        "max_retries": 1,
    }));
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let service = {
        let (running, most) = (Arc::clone(&running), Arc::clone(&most));
        tower::service_fn(move |request: u64| {
            let running = Running::begin(&running, &most);
            async move {
                let mut rng = fastrand::Rng::with_seed(request);
                tokio::time::sleep(Duration::from_micros(rng.u64(0..5_000))).await;
                drop(running);
                if rng.u8(..10) < 3 { Err(error(ErrorCategory::Network)) } else { Ok(()) }
            }
        })
    };
    let service = PolicyLayer::new(&config).unwrap().when_refused(WhenRefused::Wait).layer(service);
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let mut service = service.clone();
        let mut rng = fastrand::Rng::with_seed(seed << 32 | caller);
        callers.spawn(async move {
            for _ in 0..CALLS {
                if rng.bool() {
                    service = service.clone();
                }
                let patience = Duration::from_micros(rng.u64(0..40_000));
                let request = rng.u64(..);
                let call = async { service.ready().await?.call(request).await };
                // half of the callers give up, the others must come to an end
                if rng.bool() {
                    let _ = tokio::time::timeout(patience, call).await;
                } else {
                    let _ = call.await;
                }
                if rng.u8(..10) == 0 {
                    // ready, but not called
                    let _ = tokio::time::timeout(patience, service.ready()).await;
                    service = service.clone();
                }
            }
        });
    }
    let all = async { while callers.join_next().await.transpose().expect("no caller panics").is_some() {} };
    // paused time runs ahead when nobody has anything to do: somebody who is never woken is found out
    tokio::time::timeout(Duration::from_secs(3_600), all).await.expect("nobody waits for ever");
    assert_eq!(running.load(Ordering::Relaxed), 0);
    assert_eq!(service.circuit().snapshot().in_flight, 0);
    assert_balanced(service.circuit(), 0);
    assert_eq!(most.load(Ordering::Relaxed), SLOTS, "all slots were in use, and no more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn no_release_is_lost_between_threads() {
    const SLOTS: usize = 2;
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let counted = (Arc::clone(&running), Arc::clone(&most));
    let service = tower::service_fn(move |_: u64| {
        let running = Running::begin(&counted.0, &counted.1);
        async move {
            tokio::task::yield_now().await;
            drop(running);
            Ok::<_, ToolError>(())
        }
    });
    let config = only(json!({ "bulkhead": { "max_in_flight": SLOTS }, "rate": { "limit": "1000000/s", "burst": 1 } }));
    let service = CircuitLayer::new(&config).unwrap().layer(service);
    let mut callers = JoinSet::new();
    for caller in 0..8 {
        let service = service.clone();
        callers.spawn(async move {
            for call in 0..500 {
                let mut call = Box::pin(service.clone().oneshot(call));
                // some give up after their first poll
                if caller % 2 == 0 && poll_once(&mut call).is_pending() {
                    continue;
                }
                call.await.expect("it waits for as long as it takes");
            }
        });
    }
    let all = async { while callers.join_next().await.transpose().expect("no caller panics").is_some() {} };
    // far more than it ever takes; without it a lost release would be a test that hangs
    tokio::time::timeout(Duration::from_secs(60), all).await.expect("nobody waits for ever");
    assert_eq!((running.load(Ordering::Relaxed), service.circuit().snapshot().in_flight), (0, 0));
    assert!(most.load(Ordering::Relaxed) <= SLOTS);
}

#[test]
fn a_release_that_comes_just_when_another_begins_to_wait_is_not_missed() {
    const ROUNDS: usize = 20_000;
    let config = only(json!({ "bulkhead": { "max_in_flight": 1 } }));
    let service = tower::service_fn(|_: u32| core::future::ready(Ok::<_, ToolError>(())));
    let service = CircuitLayer::new(&config).unwrap().layer(service);
    let arrived = Arc::new(AtomicUsize::new(0));
    let (done, all_done) = mpsc::channel();
    for _ in 0..2 {
        let (service, arrived, done) = (service.clone(), Arc::clone(&arrived), done.clone());
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            for round in 1..=ROUNDS {
                // both begin at once, and nobody else comes to make up for a lost release
                arrived.fetch_add(1, Ordering::SeqCst);
                while arrived.load(Ordering::SeqCst) < 2 * round {
                    thread::yield_now();
                }
                runtime.block_on(service.clone().oneshot(0)).unwrap();
            }
            done.send(()).unwrap();
        });
    }
    for _ in 0..2 {
        // far more than it ever takes; without it a lost release would be a test that hangs
        all_done.recv_timeout(Duration::from_secs(60)).expect("nobody waits for ever");
    }
}

struct Running(Arc<AtomicUsize>);

impl Running {
    fn begin(running: &Arc<AtomicUsize>, most: &AtomicUsize) -> Self {
        let now = running.fetch_add(1, Ordering::Relaxed) + 1;
        most.fetch_max(now, Ordering::Relaxed);
        Self(Arc::clone(running))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
