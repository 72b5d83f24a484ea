//! The core behind functions that JavaScript calls; `run.mjs` beside this package tests it in node.
//!
//! A time is a 64-bit integer, for JavaScript a BigInt.

#![no_std]
#![expect(unsafe_code, reason = "functions are exported under their own names, and a critical section is vouched for")]

use core::cell::Cell;
use core::time::Duration;
use critical_section::Mutex;
use fusebox_core::{
    Breaker, BreakerConfig, BreakerPolicy, BucketPolicy, Instant, Jitter, Outcome, Rate, State, Ticket, TokenBucket,
    Tokens, Trip, Wait,
};

/// A refusal that no known time ends.
const NO_TIME: i64 = -1;
const ADMITTED: i64 = 0;

static BREAKER: Breaker = Breaker::new();
static BREAKER_POLICY: BreakerPolicy = match BreakerPolicy::new(BreakerConfig {
    trip: Trip::Consecutive(3),
    open_wait: Duration::from_secs(1),
    jitter: Jitter::None,
    probes: 1,
    required_successes: 1,
    ..BreakerConfig::DEFAULT
}) {
    Ok(policy) => policy,
    Err(_) => panic!("checked at compile time"),
};
static BUCKET: TokenBucket = TokenBucket::new();
static BUCKET_POLICY: BucketPolicy = match BucketPolicy::new(Rate::per_second(2), Tokens::whole(10)) {
    Ok(policy) => policy,
    Err(_) => panic!("checked at compile time"),
};

/// The call under way.
static CALL: Mutex<Cell<Option<Ticket>>> = Mutex::new(Cell::new(None));

/// Begins a call: 0 when it may go, else how many nanoseconds to wait, or -1 when nobody knows. It replaces a call that
/// has not ended, whose outcome is then never reported.
#[unsafe(no_mangle)]
pub extern "C" fn admit(now: u64) -> i64 {
    match BREAKER.admit(&BREAKER_POLICY, Instant::from_nanos(now)) {
        Ok((ticket, _)) => {
            critical_section::with(|section| CALL.borrow(section).set(Some(ticket)));
            ADMITTED
        }
        Err(wait) => nanos(wait),
    }
}

/// Ends the call: 1 when that changed the breaker's state, 0 when it did not, -1 when there is no call.
#[unsafe(no_mangle)]
pub extern "C" fn settle(now: u64, succeeded: bool) -> i32 {
    let Some(ticket) = critical_section::with(|section| CALL.borrow(section).take()) else { return -1 };
    let outcome = if succeeded { Outcome::Success } else { Outcome::Failure };
    BREAKER.settle(&BREAKER_POLICY, Instant::from_nanos(now), ticket, outcome).is_some().into()
}

/// The breaker's state: 0 closed, 1 open, 2 half-open.
#[unsafe(no_mangle)]
pub extern "C" fn state(now: u64) -> i32 {
    match BREAKER.snapshot(&BREAKER_POLICY, Instant::from_nanos(now)).state {
        State::Closed => 0,
        State::Open => 1,
        State::HalfOpen => 2,
        _ => -1,
    }
}

/// Takes thousandths of a token: 0 when they were there, else how many nanoseconds to wait, or -1 when waiting is no use.
#[unsafe(no_mangle)]
pub extern "C" fn take(now: u64, thousandths: u64) -> i64 {
    match BUCKET.try_acquire(&BUCKET_POLICY, Instant::from_nanos(now), Tokens::milli(thousandths)) {
        Ok(()) => ADMITTED,
        Err(wait) => nanos(wait),
    }
}

/// The thousandths of a token that are there.
#[unsafe(no_mangle)]
pub extern "C" fn level(now: u64) -> u64 {
    BUCKET.peek(&BUCKET_POLICY, Instant::from_nanos(now)).as_milli()
}

fn nanos(wait: Wait) -> i64 {
    wait.duration().and_then(|wait| i64::try_from(wait.as_nanos()).ok()).unwrap_or(NO_TIME)
}

#[panic_handler]
fn on_panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable() // a trap, which node throws as an exception
}

/// Nothing interrupts this module: it has no threads and no interrupts.
struct NoInterrupts;
critical_section::set_impl!(NoInterrupts);

unsafe impl critical_section::Impl for NoInterrupts {
    unsafe fn acquire() {}
    unsafe fn release((): ()) {}
}
