//! Calls on smol instead of tokio: all that an executor asks of its runtime is a clock that can be waited for.

use core::time::Duration;
use fusebox::{
    Attempt, CallError, Clock, ErrorCategory, Executor, Instant, Policy, PolicyConfig, Sleep, StdClock, ToolError,
};
use futures_util::FutureExt;
use futures_util::future::Map;
use smol::Timer;

/// The system's clock, waited for on smol's timer.
#[derive(Clone, Copy, Debug)]
struct SmolClock(StdClock);

impl Clock for SmolClock {
    fn now(&self) -> Instant {
        self.0.now()
    }
}

impl Sleep for SmolClock {
    type Delay = Map<Timer, fn(std::time::Instant)>;

    fn sleep(&self, span: Duration) -> Self::Delay {
        Timer::after(span).map(|_| ())
    }
}

fn main() -> Result<(), Box<dyn core::error::Error>> {
    let config: PolicyConfig = toml::from_str(
        r#"
        timeout = "50ms"
        max_retries = 1
        max_wait = "1m"
        backoff = { base = "10ms" }
        bulkhead = { max_in_flight = 1 }
        "#,
    )?;
    let executor = Executor::with_clock(Policy::new(&config)?, SmolClock(StdClock::new()));

    smol::block_on(async {
        // the first attempt hangs and is stopped, the second one answers
        let answer = executor.call(async |attempt: Attempt| match attempt.number {
            1 => core::future::pending().await,
            number => Ok::<_, ToolError>(number),
        });
        assert_eq!(answer.await?, 2);

        // there is one slot: the second call waits until the first has ended
        let slow = executor.call(async |_| {
            smol::future::yield_now().await;
            Ok::<_, ToolError>("slow")
        });
        let next = executor.call(async |_| Ok::<_, ToolError>("next"));
        let (slow, next) = smol::future::zip(slow, next).await;
        assert_eq!((slow?, next?), ("slow", "next"));

        // a tool that keeps failing costs two attempts
        let failing = executor.call(async |_| Err::<(), _>(ToolError::new(ErrorCategory::Network, "no route"))).await;
        assert!(matches!(failing, Err(CallError::Failed(_))));
        assert_eq!(executor.counters().attempts, 6);
        Ok(())
    })
}
