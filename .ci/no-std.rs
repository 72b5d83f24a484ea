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
static ADAPTIVE: AdaptiveRate = AdaptiveRate::new();
static BULKHEAD: Bulkhead = Bulkhead::new();
static CIRCUIT: Circuit = Circuit::new();
static FUSE: Fuse = Fuse::new(CircuitPolicy { breaker: Some(BreakerPolicy::DEFAULT), ..CircuitPolicy::UNLIMITED });

#[unsafe(no_mangle)]
extern "C" fn _start() {
    breaker(&any(BreakerPolicy::DEFAULT));
    if let Ok(policy) = any(BreakerPolicy::new(any(BreakerConfig::DEFAULT))) {
        breaker(&policy);
    }
    if let Ok(policy) = any(BucketPolicy::new(Rate { tokens: any(1), per: any(Duration::ZERO) }, any(Tokens::ONE))) {
        bucket(&policy);
        classes(&policy);
        adaptive(&policy);
    }
    if let Ok(policy) = any(BulkheadPolicy::new(any(1))) {
        bulkhead(&policy);
    }
    circuit(&any(CircuitPolicy::UNLIMITED));
    fuse();
    backoff();
}

fn breaker(policy: &BreakerPolicy) {
    if let Ok((ticket, transition)) = BREAKER.admit(policy, now()) {
        any((transition, ticket.issued(), ticket.generation()));
        any(BREAKER.settle(policy, now(), ticket, any(Outcome::Failure)));
    }
    any(BREAKER.refusal(policy, now()));
    any(BREAKER.force(any(Forced::Open)));
    any(BREAKER.reset());
    any(Breaker::restore(any(BREAKER.snapshot(policy, now()))));
    any(policy.config());
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

fn classes(policy: &BucketPolicy) {
    if let Ok(policy) = any(policy.with_debt(any(Tokens::milli(any(1))))) {
        any(policy.debt());
        if let Ok(booking) = BUCKET.reserve(&policy, now(), any(Tokens::ONE), any(Duration::MAX)) {
            any((booking.ready_at(), booking.cost()));
            any(BUCKET.cancel(&policy, now(), booking));
        }
    }
    if let Ok(classes) = any(PriorityPolicy::new(any(PriorityConfig::DEFAULT), policy)) {
        let demand = any(classes.demand(any(Priority::Low)));
        any((BUCKET.try_acquire_as(policy, now(), demand).is_ok(), classes.config(), Demand::plain(demand.cost)));
        any(BUCKET.reserve_as(policy, now(), any(Demand::from(any(Tokens::ONE))), any(Duration::ZERO)).is_ok());
        any(BUCKET.next_change(policy, now(), demand));
    }
    any(BUCKET.is_fresh(policy, now()));
    any(TokenBucket::resume(policy, now(), any(BUCKET.snapshot(policy, now()))));
}

fn adaptive(bucket: &BucketPolicy) {
    if let Ok(policy) = any(AdaptivePolicy::new(any(AdaptiveConfig::DEFAULT), bucket)) {
        any(ADAPTIVE.scale(&policy, now(), any(Demand::plain(any(Tokens::ONE)))).is_ok());
        any(ADAPTIVE.settle(&policy, now(), any(Outcome::Success)));
        any(ADAPTIVE.slow_down(&policy, now(), any(Duration::MAX)));
        any((ADAPTIVE.next_change(&policy, now()), ADAPTIVE.is_fresh(&policy, now()), policy.config()));
        ADAPTIVE.change_policy(&policy, &any(policy));
        let snapshot = any(ADAPTIVE.snapshot(&policy, now()));
        any((AdaptiveRate::restore(&policy, now(), snapshot), snapshot.share_milli()));
    }
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
