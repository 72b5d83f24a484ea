//! The path of a call that succeeds at once allocates nothing: admission, attempt, settlement.

use allocation_counter::measure;
use core::convert::Infallible;
use core::future::ready;
use core::pin::pin;
use core::task::{Context, Poll, Waker};
use fusebox::{CallError, CallOptions, Classify, ErrorCategory, Executor, ManualClock, Policy, PolicyConfig};

/// The error of a tool that has none.
#[derive(Debug)]
struct Never(Infallible);

impl Classify for Never {
    fn category(&self) -> ErrorCategory {
        match self.0 {}
    }
}

fn executor() -> Executor<ManualClock> {
    let config: PolicyConfig = serde_json::from_str(
        r#"{ "deadline": "1m", "rate": { "limit": "1/s", "burst": 1000 }, "bulkhead": { "max_in_flight": 4 } }"#,
    )
    .unwrap();
    Executor::with_clock(Policy::new(&config).unwrap(), ManualClock::default())
}

/// The output of a future that is ready at once.
fn now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("not ready at once"),
    }
}

#[test]
fn a_call_that_succeeds_at_once_allocates_nothing() {
    let (executor, options) = (executor(), CallOptions::default());
    let call = || {
        let execution = now(executor.run(&options, |attempt| ready(Ok::<_, Never>(attempt.number))));
        assert_eq!(execution.result.unwrap(), 1);
    };
    call(); // what is set up once per thread is not the path
    let allocations = measure(|| (0..100).for_each(|_| call()));
    assert_eq!(allocations.count_total, 0, "{allocations:?}");
}

#[test]
fn a_call_that_is_refused_allocates_nothing() {
    let (executor, options) = (executor(), CallOptions::default());
    executor.force(fusebox::Forced::Open);
    let call = || {
        let refused = now(executor.run(&options, |_| ready(Ok::<(), Never>(())))).result;
        assert!(matches!(refused, Err(CallError::Rejected(_))));
    };
    call();
    let allocations = measure(|| (0..100).for_each(|_| call()));
    assert_eq!(allocations.count_total, 0, "{allocations:?}");
}

#[test]
fn a_call_through_every_part_allocates_nothing() {
    let config: PolicyConfig = serde_json::from_str(
        r#"{
            "breaker": { "window": { "span": "1m" } }, "bulkhead": { "adaptive": { "enabled": true } },
            "rate": { "limit": "1/s", "burst": 2000, "adaptive": { "enabled": true } },
            "priorities": { "low": { "reserve": 0.1 } }, "throttle": { "enabled": true }
        }"#,
    )
    .unwrap();
    let executor = Executor::with_clock(Policy::new(&config).unwrap(), ManualClock::default());
    let options = CallOptions::default();
    let call = || now(executor.run(&options, |_| ready(Ok::<(), Never>(())))).result.unwrap();
    call();
    let allocations = measure(|| (0..100).for_each(|_| call()));
    assert_eq!(allocations.count_total, 0, "{allocations:?}");
}
