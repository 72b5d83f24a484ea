//! No runtime of tokio's is needed: calls with timeouts, retries, waits and hedges run on a plain pool of futures, with a
//! timer of this file's own. Tokio's timer would panic here.

mod support;

use core::cell::{Cell, RefCell};
use core::future::{pending, poll_fn};
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use fusebox::*;
use futures_executor::LocalPool;
use futures_util::future::{join, join4};
use futures_util::task::LocalSpawnExt;
use serde_json::json;
use std::collections::BTreeMap;
use std::rc::Rc;
use support::{error, ms, plain};

/// A clock that stands still while anybody can run, and then jumps to the next wait that ends.
#[derive(Clone, Debug, Default)]
struct JumpingClock(Rc<Timers>);

#[derive(Debug, Default)]
struct Timers {
    now: Cell<Duration>,
    next_id: Cell<u64>,
    waiting: RefCell<BTreeMap<(Duration, u64), Waker>>,
}

impl JumpingClock {
    /// Goes on to the next wait that ends; `false` where nobody waits.
    fn jump(&self) -> bool {
        let Some(((at, _), waker)) = self.0.waiting.borrow_mut().pop_first() else { return false };
        self.0.now.set(self.0.now.get().max(at));
        waker.wake();
        true
    }
}

impl Clock for JumpingClock {
    fn now(&self) -> Instant {
        Instant::ORIGIN.saturating_add(self.0.now.get())
    }
}

impl Sleep for JumpingClock {
    type Delay = Delay;

    fn sleep(&self, span: Duration) -> Delay {
        let id = self.0.next_id.replace(self.0.next_id.get() + 1);
        Delay { timers: Rc::clone(&self.0), key: (self.0.now.get().saturating_add(span), id) }
    }
}

struct Delay {
    timers: Rc<Timers>,
    key: (Duration, u64),
}

impl Future for Delay {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.timers.now.get() >= self.key.0 {
            return Poll::Ready(());
        }
        self.timers.waiting.borrow_mut().insert(self.key, cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Delay {
    fn drop(&mut self) {
        self.timers.waiting.borrow_mut().remove(&self.key);
    }
}

/// Runs `test` to its end, and says that no timer is left behind.
fn on_another_runtime<F: AsyncFnOnce(JumpingClock) + 'static>(test: F) {
    assert!(tokio::runtime::Handle::try_current().is_err(), "no runtime of tokio's is entered");
    let (clock, mut pool) = (JumpingClock::default(), LocalPool::new());
    let ended = Rc::new(Cell::new(false));
    let (its_clock, its_end) = (clock.clone(), Rc::clone(&ended));
    let task = async move {
        test(its_clock).await;
        its_end.set(true);
    };
    pool.spawner().spawn_local(task).expect("the pool lives");
    while !ended.get() {
        pool.run_until_stalled();
        assert!(ended.get() || clock.jump(), "it hangs: nobody can run, and nobody waits for a time");
    }
    assert!(clock.0.waiting.borrow().is_empty(), "a timer is left behind");
}

fn executor(json: serde_json::Value, clock: &JumpingClock) -> Executor<JumpingClock> {
    Executor::with_clock(plain(json), clock.clone())
}

#[test]
fn an_attempt_that_hangs_is_stopped_and_made_again_after_a_backoff() {
    on_another_runtime(async |clock| {
        let backoff = json!({ "base": "1s", "jitter": "none" });
        let executor = executor(json!({ "timeout": "3s", "max_retries": 1, "backoff": backoff }), &clock);
        let tool = async |attempt: Attempt| if attempt.number == 1 { pending().await } else { Ok::<_, ToolError>(7) };
        let execution = executor.run(&CallOptions::default(), tool).await;
        assert_eq!((execution.result.ok(), execution.elapsed), (Some(7), ms(4_000)));
    });
}

#[test]
fn a_deadline_and_an_idle_timeout_end_a_call() {
    on_another_runtime(async |clock| {
        let executor = executor(json!({ "idle_timeout": "2s", "deadline": "3s", "max_retries": 1 }), &clock);
        let execution = executor.run(&CallOptions::default(), async |_| pending::<Result<(), ToolError>>().await).await;
        assert!(matches!(execution.result, Err(CallError::DeadlineExceeded { .. })), "{execution:?}");
        assert_eq!((execution.elapsed, execution.attempts), (ms(3_000), 2));
    });
}

#[test]
fn calls_wait_for_tokens_and_for_slots() {
    on_another_runtime(async |clock| {
        let limits = json!({
            "max_wait": "1h", "rate": { "limit": "1/s", "burst": 2 }, "bulkhead": { "max_in_flight": 1 }
        });
        let executor = executor(limits, &clock);
        let ends = RefCell::new(Vec::new());
        let call = async || {
            let tool = async |_| {
                clock.sleep(ms(300)).await;
                Ok::<_, ToolError>(())
            };
            executor.call(tool).await.expect("it waits for its turn");
            ends.borrow_mut().push(clock.0.now.get());
        };
        join4(call(), call(), call(), call()).await;
        assert_eq!(*ends.borrow(), [300, 600, 1_300, 2_300].map(ms));
    });
}

#[test]
fn a_call_that_takes_long_is_hedged() {
    on_another_runtime(async |clock| {
        let executor = executor(json!({ "hedge": { "delay": "200ms" } }), &clock);
        let tool = async |attempt: Attempt| {
            clock.sleep(ms(if attempt.number == 1 { 10_000 } else { 50 })).await;
            Ok::<_, ToolError>(attempt.number)
        };
        let execution = executor.run(&CallOptions::default(), tool).await;
        assert_eq!((execution.result.ok(), execution.elapsed), (Some(2), ms(250)));
    });
}

#[test]
fn a_call_can_be_cancelled_while_it_waits() {
    on_another_runtime(async |clock| {
        let executor = executor(json!({ "backoff": { "base": "10s", "jitter": "none" } }), &clock);
        let options =
            CallOptions { cancel: Some(tokio_util::sync::CancellationToken::new()), ..CallOptions::default() };
        let call = executor.run(&options, async |_| Err::<(), _>(error(ErrorCategory::Network)));
        let cancel = async {
            clock.sleep(ms(1_000)).await;
            options.cancel.as_ref().expect("there is one").cancel();
        };
        let (execution, ()) = join(call, cancel).await;
        assert!(matches!(execution.result, Err(CallError::Cancelled)));
        assert_eq!(execution.elapsed, ms(1_000));
    });
}

#[test]
fn a_call_that_is_dropped_leaves_no_timer_behind() {
    on_another_runtime(async |clock| {
        let executor = executor(json!({ "idle_timeout": "1s", "hedge": { "delay": "2s" } }), &clock);
        let mut call = Box::pin(executor.call(async |_| pending::<Result<(), ToolError>>().await));
        assert!(poll_fn(|cx| Poll::Ready(call.as_mut().poll(cx))).await.is_pending());
        assert!(!clock.0.waiting.borrow().is_empty());
        drop(call);
        assert!(clock.0.waiting.borrow().is_empty());
    });
}
