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
static BUDGET: RetryBudget = RetryBudget::new();
static THROTTLE: Throttle = Throttle::new();
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
        classes(&policy);
        adaptive(&policy);
    }
    if let Ok(policy) = any(BulkheadPolicy::new(any(1))) {
        bulkhead(&policy);
    }
    if let Ok(policy) = any(BulkheadPolicy::adaptive(any(LimitConfig::DEFAULT))) {
        bulkhead(&policy);
    }
    retry_budget(&any(RetryBudgetPolicy::DEFAULT));
    if let Ok(policy) = any(RetryBudgetPolicy::new(any(RetryBudgetConfig::DEFAULT))) {
        retry_budget(&policy);
    }
    if let Ok(policy) = any(ThrottlePolicy::new(any(ThrottleConfig::DEFAULT))) {
        throttle(&policy);
    }
    circuit(&any(CircuitPolicy::UNLIMITED));
    fuse();
    backoff();
    panel();
    gates();
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
    any(breaker.state());
}

fn restore(policy: &BreakerPolicy) {
    any(Breaker::restore(any(BREAKER.snapshot(policy, now()))));
    any(Breaker::from_state(any(BREAKER.state())));
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
    any(TokenBucket::from_state(any(BUCKET.state())));
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
        any(AdaptiveRate::from_state(any(ADAPTIVE.state())));
    }
}

fn bulkhead(policy: &BulkheadPolicy) {
    if BULKHEAD.try_enter(policy) {
        BULKHEAD.leave();
    }
    if let Ok(ticket) = BULKHEAD.admit(policy, now()) {
        any(BULKHEAD.settle(policy, now(), ticket, any(Outcome::Success)));
    }
    any((BULKHEAD.in_flight(), policy.max_in_flight(), policy.adaptive_config()));
    any((BULKHEAD.limit(policy), BULKHEAD.refusal(policy), BULKHEAD.is_fresh(policy)));
    any(Bulkhead::restore(any(BULKHEAD.snapshot())));
    any(Bulkhead::from_state(any(BULKHEAD.state())));
}

fn retry_budget(policy: &RetryBudgetPolicy) {
    BUDGET.deposit(policy, now());
    any(BUDGET.try_withdraw(policy, now()).is_ok());
    BUDGET.refund(policy, now());
    BUDGET.change_policy(policy, &any(*policy), now());
    any((BUDGET.refusal(policy, now()), BUDGET.next_change(policy, now()), BUDGET.is_fresh(policy, now())));
    any(RetryBudget::restore(policy, now(), any(BUDGET.snapshot(policy, now()))));
    any(RetryBudget::from_state(any(BUDGET.state())));
    any(policy.config());
}

fn throttle(policy: &ThrottlePolicy) {
    any(THROTTLE.try_admit(policy, now(), any(1)).is_ok());
    THROTTLE.settle(policy, now(), any(true));
    THROTTLE.change_policy(policy, &any(*policy), now());
    any((THROTTLE.next_change(policy, now()), THROTTLE.is_fresh(policy, now())));
    any(Throttle::restore(policy, now(), any(THROTTLE.snapshot(policy, now()))));
    any(Throttle::from_state(any(THROTTLE.state())));
    any(policy.config());
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

fn gates() {
    let (Ok(bulkhead), Ok(bucket)) =
        (BulkheadPolicy::new(any(1)), BucketPolicy::new(any(Rate::per_second(1)), any(Tokens::ONE)))
    else {
        return;
    };
    let (Ok(rate), Ok(budget)) = (
        AdaptivePolicy::new(any(AdaptiveConfig::DEFAULT), &bucket),
        RetryBudgetPolicy::new(any(RetryBudgetConfig::DEFAULT)),
    ) else {
        return;
    };
    let (adaptive, throttle, retries) = (AdaptiveRate::new(), Throttle::new(), RetryBudget::new());
    let buckets = [BUCKET.gate(&bucket), BUCKET.gate(&bucket)];
    let limits = ((any(Some(BULKHEAD.gate(&bulkhead))), buckets), BUCKET.gate(&bucket).adaptive(&adaptive, &rate));
    let soft = (throttle.gate(&ThrottlePolicy::DEFAULT), retries.gate(&budget));
    let gates = ((soft, limits), BREAKER.gate(&BreakerPolicy::DEFAULT));
    if let Ok((mut pass, _)) = gates.admit(&any(Ask { retry: any(true), ..Ask::at(now()) })) {
        pass.spend();
        any((pass.issued(), pass.is_spent()));
        any(gates.settle(now(), pass, any(Outcome::Failure)));
    }
    any((
        CIRCUIT.next_change(&CircuitPolicy::UNLIMITED, now(), Tokens::ONE),
        CIRCUIT.is_fresh(&any(CircuitPolicy::UNLIMITED), now()),
    ));
    any((BREAKER.next_change(&BreakerPolicy::DEFAULT, now()), BREAKER.is_fresh(now())));
    any(BUCKET.refusal(&bucket, now(), any(Demand::plain(Tokens::ONE))));
}

fn panel() {
    static POLICY: CircuitPolicy = CircuitPolicy::UNLIMITED;
    let mut panel = any(Panel::<2>::new());
    let Ok(index) = panel.add(any("radio"), any(&POLICY)) else { return };
    any(panel.get(any(index)).is_some());
    let Some(slot) = panel.find(any("radio")) else { return };
    if let Ok((permit, _)) = slot.admit(now(), any(Tokens::ONE)) {
        any(slot.settle(now(), permit, any(Outcome::Failure)));
    }
    any(slot.enter(Timer, any(Tokens::ONE)).is_ok());
    any((slot.name(), slot.snapshot(now()), slot.circuit().breaker().reset(), panel.iter().count()));
}

fn backoff() {
    if let Ok(backoff) = any(Backoff::new(any(BackoffConfig::DEFAULT))) {
        any(backoff.delay(any(1), any(1)));
    }
    any(Backoff::fixed(any(Duration::ZERO), any(Jitter::Full)).is_ok());
    if let Ok(backoff) = any(DecorrelatedBackoff::new(any(Duration::ZERO), any(Duration::MAX))) {
        any((backoff.base(), backoff.cap(), backoff.delay(any(None), any(1))));
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
