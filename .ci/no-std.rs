//! A program without an operating system that calls everything in fusebox-core; `.ci/no-std` links it for each target.
//!
//! It is never run. All values pass through `black_box`, so that the compiler must keep every path that some input
//! reaches; the linker then drops what nothing calls. If the panic handler is still in the program, something in the
//! core can panic.

#![no_main]
#![no_std]

use core::hint::black_box as any;
use core::time::Duration;
use fusebox_core::*;

static BREAKER: Breaker = Breaker::new();
static BUCKET: TokenBucket = TokenBucket::new();
static BULKHEAD: Bulkhead = Bulkhead::new();
static CIRCUIT: Circuit = Circuit::new();
static COUNTING: Breaker<CountWindow> = Breaker::with_window(match CountWindow::new(100) {
    Ok(window) => window,
    Err(_) => panic!(), // at compile time
});
static TIMING: Breaker<TimeWindow> = Breaker::with_window(match TimeWindow::new(Duration::from_secs(30)) {
    Ok(window) => window,
    Err(_) => panic!(), // at compile time
});
static FUSE: Fuse = Fuse::new(CircuitPolicy { breaker: Some(BreakerPolicy::DEFAULT), ..CircuitPolicy::UNLIMITED });

#[unsafe(no_mangle)]
extern "C" fn _start() {
    let rates = BreakerConfig { trip: Trip::Rate(any(RateTrip::DEFAULT)), ..BreakerConfig::DEFAULT };
    for policy in [any(BreakerPolicy::new(any(BreakerConfig::DEFAULT))), any(BreakerPolicy::new(rates))] {
        let policy = any(policy.unwrap_or(BreakerPolicy::DEFAULT));
        breaker(&BREAKER, &policy);
        breaker(&COUNTING, &policy);
        breaker(&TIMING, &policy);
        restore(&policy);
    }
    if let Ok(policy) = any(BucketPolicy::new(Rate { tokens: any(1), per: any(Duration::ZERO) }, any(Tokens::ONE))) {
        bucket(&policy);
    }
    if let Ok(policy) = any(BulkheadPolicy::new(any(1))) {
        bulkhead(&policy);
    }
    circuit(&any(CircuitPolicy::UNLIMITED));
    fuse();
    backoff();
}

fn breaker<W: Window>(breaker: &Breaker<W>, policy: &BreakerPolicy) {
    if let Ok((ticket, transition)) = breaker.admit(policy, now()) {
        any((transition, ticket.issued(), ticket.generation()));
        any(breaker.settle(policy, now(), ticket, any(Outcome::Failure)));
    }
    any(breaker.refusal(policy, now()));
    any(breaker.force(any(Forced::Open)));
    any(breaker.reset());
    let window = any(breaker.snapshot(policy, now())).window;
    any((window.failure_rate_milli(), window.slow_rate_milli()));
    any(policy.config());
}

fn restore(policy: &BreakerPolicy) {
    any(Breaker::restore(any(BREAKER.snapshot(policy, now()))));
    if let Ok(window) = CountWindow::<4>::new(any(100)) {
        any(window.size());
        any(Breaker::restore_window(any(COUNTING.snapshot(policy, now())), window, now()));
    }
    if let Ok(window) = TimeWindow::<10>::new(any(Duration::from_secs(30))) {
        any(window.span());
        let breaker = Breaker::restore_window(any(TIMING.snapshot(policy, now())), window, now());
        any(breaker.window());
        let circuit = Circuit::from_parts(any(breaker), Bulkhead::new(), TokenBucket::new());
        any(Fuse::from_circuit(circuit, any(CircuitPolicy::UNLIMITED)).snapshot(now()));
    }
}

fn bucket(policy: &BucketPolicy) {
    if let Err(wait) = BUCKET.try_acquire(policy, now(), any(Tokens::milli(any(1)))) {
        any(wait.duration());
    }
    BUCKET.refund(policy, now(), any(Priority::Low).cost());
    BUCKET.change_policy(policy, &any(*policy), now());
    any(TokenBucket::restore(policy, now(), any(Tokens::whole(any(1)))));
    any((BUCKET.peek(policy, now()).as_milli(), policy.rate(), policy.burst(), Rate::per_second(any(1))));
}

fn bulkhead(policy: &BulkheadPolicy) {
    if BULKHEAD.try_enter(policy) {
        BULKHEAD.leave();
    }
    any((BULKHEAD.in_flight(), policy.max_in_flight()));
}

fn circuit(policy: &CircuitPolicy) {
    match CIRCUIT.admit(policy, now(), any(Tokens::ONE)) {
        Ok((permit, transition)) => {
            any((transition, permit.issued(), permit.tokens()));
            any(CIRCUIT.settle(policy, now(), permit, any(Outcome::Ignored)));
        }
        Err(rejection) => {
            any(rejection.retry_after());
        }
    }
    any(CIRCUIT.snapshot(policy, now()));
}

fn fuse() {
    if let Ok((permit, _)) = FUSE.admit(now(), any(Tokens::ONE)) {
        any(FUSE.settle(now(), permit, any(Outcome::Success)));
    }
    if let Ok((mut guard, _)) = FUSE.enter(Timer, any(Tokens::ONE)) {
        guard.spend();
        any(guard.settle(any(Outcome::Cancelled)));
    }
    any(FUSE.enter(Timer, any(Tokens::ONE)).is_ok()); // settled by its drop
    any(FUSE.force(any(Forced::Closed)));
    any(FUSE.reset());
    any(FUSE.snapshot(now()));
}

fn backoff() {
    if let Ok(backoff) = any(Backoff::new(any(BackoffConfig::DEFAULT))) {
        any(backoff.delay(any(1), any(1)));
    }
}

struct Timer;

impl Clock for Timer {
    fn now(&self) -> Instant {
        now()
    }
}

fn now() -> Instant {
    let now = any(Instant::from_nanos(any(1)));
    any(now.saturating_since(any(Instant::MAX)));
    now.saturating_add(any(Duration::MAX))
}

#[panic_handler]
fn on_panic(_: &core::panic::PanicInfo) -> ! {
    loop {}
}

/// Nothing interrupts a program that never runs, so its critical section need not keep anything out.
struct NoInterrupts;
critical_section::set_impl!(NoInterrupts);

unsafe impl critical_section::Impl for NoInterrupts {
    unsafe fn acquire() {}
    unsafe fn release(_: ()) {}
}
