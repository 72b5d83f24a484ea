//! A timeout cuts a call off and lets its work go; a call that is ready at once never meets a timer.

use crate::support::*;
use core::future::ready;
use fusebox::CallError;
use fusebox::tower::TimeoutLayer;
use std::sync::Arc;
use tokio::time::Instant;
use tower::{Layer, Service};

#[test]
fn a_response_that_is_ready_at_once_arms_no_timer() {
    // outside of a runtime a timer would panic
    let mut service = TimeoutLayer::new(ms(1)).unwrap().layer(tower::service_fn(|n: u32| ready(Ok::<_, ()>(n))));
    assert!(matches!(poll_once(&mut Box::pin(service.call(7))), core::task::Poll::Ready(Ok(7))));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_takes_too_long_is_cut_off_and_its_work_dropped() {
    for (layer, is_deadline) in [(TimeoutLayer::new(ms(50)), false), (TimeoutLayer::deadline(ms(50)), true)] {
        let work = Arc::new(());
        let held = Arc::clone(&work);
        let hanging = tower::service_fn(move |_: u32| {
            let held = Arc::clone(&held);
            async move {
                core::future::pending::<()>().await;
                drop(held);
                Ok::<(), ()>(())
            }
        });
        let mut service = layer.unwrap().layer(hanging);
        let begun = Instant::now();
        let mut call = Box::pin(service.call(0));
        let error = call.as_mut().await.unwrap_err();
        assert_eq!(begun.elapsed(), ms(50));
        match error {
            CallError::TimedOut { after } => assert!(after == ms(50) && !is_deadline),
            CallError::DeadlineExceeded { after, .. } => assert!(after == ms(50) && is_deadline),
            error => panic!("{error:?}"),
        }
        assert_eq!(Arc::strong_count(&work), 2, "the response is still there, its work is not");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_in_time_is_left_alone() {
    let slow = tower::service_fn(|_: u32| async {
        tokio::time::sleep(ms(40)).await;
        Ok::<_, ()>("done")
    });
    let mut service = TimeoutLayer::new(ms(50)).unwrap().layer(slow);
    assert_eq!(service.call(0).await.unwrap(), "done");
}

#[test]
fn a_time_that_is_not_allowed_is_named() {
    let error = TimeoutLayer::new(ms(0)).unwrap_err();
    assert_eq!(error.to_string(), "timeout is 0s: allowed is 1ms to 365days");
    assert_eq!(TimeoutLayer::deadline(ms(0)).unwrap_err().field, "deadline");
}
