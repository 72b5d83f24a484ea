//! Everything is built at compile time into statics, stays small, and is shared between threads.

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
const ADAPTIVE: BulkheadPolicy = match BulkheadPolicy::adaptive(AdaptiveConfig::DEFAULT) {
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
});
static HALF_FULL: TokenBucket = TokenBucket::restore(&BUCKET_POLICY, Instant::ORIGIN, Tokens::ONE);

#[test]
fn primitives_and_policies_are_built_at_compile_time() {
    let now = Instant::ORIGIN;
    assert!(BREAKER.admit(&BREAKER_POLICY, now).is_ok());
    assert!(BUCKET.try_acquire(&BUCKET_POLICY, now, Tokens::whole(2)).is_ok());
    assert!(BULKHEAD.try_enter(&BULKHEAD_POLICY));
    assert!(CIRCUIT.admit(&CIRCUIT_POLICY, now, Tokens::ONE).is_ok());
    assert!(FUSE.admit(now, Tokens::ONE).is_ok());
    assert_eq!(RESTORED.snapshot(&BREAKER_POLICY, now).stale, 9);
    assert!(RESTORED.admit(&BREAKER_POLICY, now).is_err());
    assert_eq!(HALF_FULL.peek(&BUCKET_POLICY, now), Tokens::ONE);
    assert_eq!(BACKOFF.delay(1, 0), Duration::from_secs(1));
    assert_eq!(DECORRELATED, DecorrelatedBackoff::DEFAULT);
    assert_eq!((BUDGET_POLICY, THROTTLE_POLICY), (RetryBudgetPolicy::DEFAULT, ThrottlePolicy::DEFAULT));
    assert!(BUDGET.try_withdraw(&BUDGET_POLICY, now).is_ok());
    assert_eq!(SAVED.snapshot(&BUDGET_POLICY, now).balance, Tokens::whole(3));
    assert!(THROTTLE.try_admit(&THROTTLE_POLICY, now, 0).is_ok());
    assert!(THROTTLED.try_admit(&THROTTLE_POLICY, now, 0).is_err());
    assert_eq!(LEARNED.limit(&ADAPTIVE), 7);
}

#[test]
fn pure_steps_run_at_compile_time() {
    const FIRST: (BreakerState, Admission) = BreakerState::NEW.admit(Instant::ORIGIN, &BREAKER_POLICY);
    const TAKEN: (BucketState, Result<(), Wait>) =
        BucketState::NEW.take(Tokens::whole(3), Instant::ORIGIN, &BUCKET_POLICY);
    const EARNED: RetryBudgetState = RetryBudgetState::NEW.deposit(Instant::ORIGIN, &BUDGET_POLICY);
    const COUNTED: ThrottleState = ThrottleState::NEW.settle(Instant::ORIGIN, true, &THROTTLE_POLICY);
    const ENTERED: BulkheadState = BulkheadState::NEW.enter(Instant::ORIGIN, &ADAPTIVE).0;
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
    assert_eq!((size_of::<RetryBudget>(), size_of::<Throttle>()), (8, 8));
    assert_eq!(size_of::<Circuit>(), 32);
}

#[test]
fn primitives_can_be_shared_and_permits_can_be_sent() {
    fn shared<T: Send + Sync>() {}
    shared::<(Breaker, TokenBucket, Bulkhead, Circuit, Fuse)>();
    shared::<(BreakerPolicy, BucketPolicy, BulkheadPolicy, CircuitPolicy, Backoff)>();
    shared::<(RetryBudget, RetryBudgetPolicy, Throttle, ThrottlePolicy, DecorrelatedBackoff, BulkheadTicket)>();
    shared::<(Ticket, Permit, Rejection, Transition, PolicyError)>();
}
