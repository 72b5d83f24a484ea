//! Everything is built at compile time into statics, stays small, and is shared between threads.

#![cfg(not(any(loom, shuttle)))] // whose cells are larger, and not made for statics

use core::time::Duration;
use fusebox_core::*;

const BREAKER_POLICY: BreakerPolicy =
    match BreakerPolicy::new(BreakerConfig { trip: Trip::Consecutive(1), ..BreakerConfig::DEFAULT }) {
        Ok(policy) => policy,
        Err(_) => panic!("checked at compile time"),
    };
const BUCKET_POLICY: BucketPolicy = match BucketPolicy::new(Rate::per_second(999_999_937), Tokens::whole(2)) {
    Ok(policy) => policy,
    Err(_) => panic!("checked at compile time"),
};
const BULKHEAD_POLICY: BulkheadPolicy = match BulkheadPolicy::new(3) {
    Ok(policy) => policy,
    Err(_) => panic!("checked at compile time"),
};
const BACKOFF: Backoff = match Backoff::new(BackoffConfig { jitter: Jitter::None, ..BackoffConfig::DEFAULT }) {
    Ok(backoff) => backoff,
    Err(_) => panic!("checked at compile time"),
};
const LEARNING: BulkheadPolicy = match BulkheadPolicy::adaptive(LimitConfig::DEFAULT) {
    Ok(policy) => policy,
    Err(_) => panic!("checked at compile time"),
};
const BUDGET_POLICY: RetryBudgetPolicy = match RetryBudgetPolicy::new(RetryBudgetConfig::DEFAULT) {
    Ok(policy) => policy,
    Err(_) => panic!("checked at compile time"),
};
const THROTTLE_POLICY: ThrottlePolicy = match ThrottlePolicy::new(ThrottleConfig::DEFAULT) {
    Ok(policy) => policy,
    Err(_) => panic!("checked at compile time"),
};
const DECORRELATED: DecorrelatedBackoff =
    match DecorrelatedBackoff::new(Duration::from_millis(500), Duration::from_secs(30)) {
        Ok(backoff) => backoff,
        Err(_) => panic!("checked at compile time"),
    };
const CIRCUIT_POLICY: CircuitPolicy =
    CircuitPolicy { breaker: Some(BREAKER_POLICY), bulkhead: Some(BULKHEAD_POLICY), bucket: Some(BUCKET_POLICY) };

const INDEBTED: BucketPolicy = match BUCKET_POLICY.with_debt(Tokens::ONE) {
    Ok(policy) => policy,
    Err(_) => panic!("checked at compile time"),
};
const WIDE: BucketPolicy = match BucketPolicy::new(Rate::per_second(2), Tokens::whole(10)) {
    Ok(policy) => policy,
    Err(_) => panic!("checked at compile time"),
};
const CLASSES: PriorityPolicy = match PriorityPolicy::new(PriorityConfig::DEFAULT, &WIDE) {
    Ok(policy) => policy,
    Err(_) => panic!("checked at compile time"),
};
const ADAPTIVE_POLICY: AdaptivePolicy = match AdaptivePolicy::new(AdaptiveConfig::DEFAULT, &WIDE) {
    Ok(policy) => policy,
    Err(_) => panic!("checked at compile time"),
};

static ADAPTIVE: AdaptiveRate = AdaptiveRate::new();
static INDEBTED_BUCKET: TokenBucket =
    TokenBucket::resume(&INDEBTED, Instant::ORIGIN, BucketSnapshot { level: Tokens::ZERO, debt: Tokens::ONE });
static CUT: AdaptiveRate = AdaptiveRate::restore(
    &ADAPTIVE_POLICY,
    Instant::ORIGIN,
    AdaptiveSnapshot { share: 0, held: Duration::ZERO, quiet: Duration::ZERO },
);
static BREAKER: Breaker = Breaker::new();
static BUCKET: TokenBucket = TokenBucket::new();
static BULKHEAD: Bulkhead = Bulkhead::new();
static BUDGET: RetryBudget = RetryBudget::new();
static SAVED: RetryBudget = RetryBudget::restore(
    &BUDGET_POLICY,
    Instant::ORIGIN,
    RetryBudgetSnapshot { balance: Tokens::whole(3), refusal: None },
);
static THROTTLE: Throttle = Throttle::new();
static THROTTLED: Throttle = Throttle::restore(
    &THROTTLE_POLICY,
    Instant::ORIGIN,
    ThrottleSnapshot { requests: 1_000, accepts: 0, refused_milli: 0 },
);
static LEARNED: Bulkhead = Bulkhead::restore(BulkheadSnapshot { in_flight: 0, learned_limit: Some(7) });
static CIRCUIT: Circuit = Circuit::new();
static FUSE: Fuse = Fuse::new(CIRCUIT_POLICY);
static RESTORED: Breaker = Breaker::restore(BreakerSnapshot {
    state: State::Open,
    generation: 1,
    failures: 0,
    streak: 0,
    since: Some(Instant::ORIGIN),
    outstanding: 0,
    successes: 0,
    refusal: None,
    stale: 9,
    window: WindowCounts::NONE,
});
static COUNTING: Breaker<CountWindow> = Breaker::with_window(match CountWindow::new(100) {
    Ok(window) => window,
    Err(_) => panic!("checked at compile time"),
});
static TIMING: Fuse<TimeWindow> = Fuse::from_circuit(
    Circuit::from_parts(
        Breaker::with_window(match TimeWindow::new(Duration::from_secs(30)) {
            Ok(window) => window,
            Err(_) => panic!("checked at compile time"),
        }),
        Bulkhead::new(),
        TokenBucket::new(),
    ),
    CIRCUIT_POLICY,
);
static HALF_FULL: TokenBucket = TokenBucket::restore(&BUCKET_POLICY, Instant::ORIGIN, Tokens::ONE);

#[test]
fn primitives_and_policies_are_built_at_compile_time() {
    let now = Instant::ORIGIN;
    assert!(BREAKER.admit(&BREAKER_POLICY, now).is_ok());
    assert!(BUCKET.try_acquire(&BUCKET_POLICY, now, Tokens::whole(2)).is_ok());
    assert!(BULKHEAD.try_enter(&BULKHEAD_POLICY));
    assert!(CIRCUIT.admit(&CIRCUIT_POLICY, now, Tokens::ONE).is_ok());
    assert!(FUSE.admit(now, Tokens::ONE).is_ok());
    assert!(COUNTING.admit(&BREAKER_POLICY, now).is_ok());
    assert!(TIMING.admit(now, Tokens::ONE).is_ok());
    assert_eq!(RESTORED.snapshot(&BREAKER_POLICY, now).stale, 9);
    assert!(RESTORED.admit(&BREAKER_POLICY, now).is_err());
    assert_eq!(HALF_FULL.peek(&BUCKET_POLICY, now), Tokens::ONE);
    assert_eq!(INDEBTED_BUCKET.snapshot(&INDEBTED, now).debt, Tokens::ONE);
    assert_eq!(CLASSES.demand(Priority::Low).leave, Tokens::whole(5));
    assert!(ADAPTIVE.is_fresh(&ADAPTIVE_POLICY, now) && !CUT.is_fresh(&ADAPTIVE_POLICY, now));
    assert_eq!(BACKOFF.delay(1, 0), Duration::from_secs(1));
    assert_eq!(DECORRELATED, DecorrelatedBackoff::DEFAULT);
    assert_eq!((BUDGET_POLICY, THROTTLE_POLICY), (RetryBudgetPolicy::DEFAULT, ThrottlePolicy::DEFAULT));
    assert!(BUDGET.try_withdraw(&BUDGET_POLICY, now).is_ok());
    assert_eq!(SAVED.snapshot(&BUDGET_POLICY, now).balance, Tokens::whole(3));
    assert!(THROTTLE.try_admit(&THROTTLE_POLICY, now, 0).is_ok());
    assert!(THROTTLED.try_admit(&THROTTLE_POLICY, now, 0).is_err());
    assert_eq!(LEARNED.limit(&LEARNING), 7);
}

#[test]
fn pure_steps_run_at_compile_time() {
    const FIRST: (BreakerState, Admission) = BreakerState::NEW.admit(Instant::ORIGIN, &BREAKER_POLICY);
    const TAKEN: (BucketState, Result<(), Wait>) =
        BucketState::NEW.take(Tokens::whole(3), Instant::ORIGIN, &BUCKET_POLICY);
    const CUT: (AdaptiveState, Adjustment) =
        AdaptiveState::NEW.settle(Outcome::Failure, Instant::ORIGIN, &ADAPTIVE_POLICY);
    assert_eq!(CUT.1, Adjustment::Cut);
    const EARNED: RetryBudgetState = RetryBudgetState::NEW.deposit(Instant::ORIGIN, &BUDGET_POLICY);
    const COUNTED: ThrottleState = ThrottleState::NEW.settle(Instant::ORIGIN, true, &THROTTLE_POLICY);
    const ENTERED: BulkheadState = BulkheadState::NEW.enter(Instant::ORIGIN, &LEARNING).0;
    assert_eq!(EARNED.balance(Instant::ORIGIN, &BUDGET_POLICY), Tokens::milli(50_200));
    assert_eq!(COUNTED.counts(Instant::ORIGIN, &THROTTLE_POLICY).accepts, 1);
    assert_eq!(ENTERED.in_flight(), 1);
    assert!(matches!(FIRST.1, Admission::Admitted(_, None)));
    assert_eq!(TAKEN.1, Err(Wait::Never));
}

#[test]
fn a_breaker_and_a_bucket_fit_into_40_bytes() {
    assert!(size_of::<Breaker>() + size_of::<TokenBucket>() <= 40);
}

#[test]
fn sizes_are_as_documented() {
    assert_eq!((size_of::<Breaker>(), size_of::<TokenBucket>(), size_of::<Bulkhead>()), (16, 8, 8));
    assert_eq!(size_of::<AdaptiveRate>(), 8);
    assert_eq!((size_of::<RetryBudget>(), size_of::<Throttle>()), (8, 8));
    assert_eq!(size_of::<Circuit>(), 32);
    assert_eq!((size_of::<CountWindow>(), size_of::<CountWindow<36>>()), (48, 304));
    let padding = if align_of::<u64>() == 8 { 8 } else { 0 }; // less on i686
    assert_eq!((size_of::<TimeWindow>(), size_of::<TimeWindow<60>>()), (112 + padding, 512 + padding));
    assert_eq!((size_of::<Breaker<CountWindow>>(), size_of::<Breaker<TimeWindow>>()), (64, 128 + padding));
}

#[test]
fn primitives_can_be_shared_and_permits_can_be_sent() {
    fn shared<T: Send + Sync>() {}
    shared::<(Breaker, TokenBucket, Bulkhead, Circuit, Fuse)>();
    shared::<(Breaker<CountWindow>, Breaker<TimeWindow>, Circuit<CountWindow>, Fuse<TimeWindow>)>();
    shared::<(BreakerPolicy, BucketPolicy, BulkheadPolicy, CircuitPolicy, Backoff)>();
    shared::<(AdaptiveRate, AdaptivePolicy, PriorityPolicy, Booking, Demand)>();
    shared::<(RetryBudget, RetryBudgetPolicy, Throttle, ThrottlePolicy, DecorrelatedBackoff, BulkheadTicket)>();
    shared::<(Ticket, Permit, Rejection, Transition, PolicyError)>();
}
