//! How many instructions an operation takes, as the emulator counts them: `OPERATION = INSTRUCTIONS`, a line for each.
//!
//! The timer advances by a fixed time for each instruction. How much that is, a loop of known length says.

#![no_main]
#![no_std]

use core::hint::black_box as any;
use fusebox_core::*;
use fusebox_firmware::board;
use semihosting::{println, process};

const TIMES: u32 = 2_000;
const NOW: Instant = Instant::from_nanos(1_000_000_000);

/// A rate for which a nanosecond adds a whole number of units, as nearly all do, and a burst that lasts.
const BUCKET_POLICY: BucketPolicy = match BucketPolicy::new(Rate::per_second(10), Tokens::whole(10_000)) {
    Ok(policy) => policy,
    Err(_) => panic!("checked at compile time"),
};
const BULKHEAD_POLICY: BulkheadPolicy = match BulkheadPolicy::new(8) {
    Ok(policy) => policy,
    Err(_) => panic!("checked at compile time"),
};
static CIRCUIT_POLICY: CircuitPolicy = CircuitPolicy {
    breaker: Some(BreakerPolicy::DEFAULT),
    bulkhead: Some(BULKHEAD_POLICY),
    bucket: Some(BUCKET_POLICY),
};

static CLOSED: Breaker = Breaker::new();
static OPEN: Breaker = Breaker::new();
static BUCKET: TokenBucket = TokenBucket::new();
static EMPTY: TokenBucket = TokenBucket::restore(&BUCKET_POLICY, NOW, Tokens::ZERO);
static BULKHEAD: Bulkhead = Bulkhead::new();
static BUDGET: RetryBudget = RetryBudget::new();
static THROTTLE: Throttle = Throttle::new();
static CIRCUIT: Circuit = Circuit::new();
static REFUSING: Circuit = Circuit::new();

#[board::entry]
fn main() -> ! {
    let policy = any(&BreakerPolicy::DEFAULT);
    trip(&OPEN, policy);
    trip(REFUSING.breaker(), policy);

    measure("breaker: admit and settle a success, closed", || {
        if let Ok((ticket, _)) = CLOSED.admit(policy, any(NOW)) {
            any(CLOSED.settle(policy, any(NOW), ticket, any(Outcome::Success)));
        }
    });
    measure("breaker: refuse, open", || {
        any(OPEN.admit(policy, any(NOW)).is_err());
    });

    let policy = any(&BUCKET_POLICY);
    measure("bucket: take a token", || {
        any(BUCKET.try_acquire(policy, any(NOW), any(Tokens::ONE)).is_ok());
    });
    measure("bucket: deny, empty", || {
        any(EMPTY.try_acquire(policy, any(NOW), any(Tokens::ONE)).is_ok());
    });

    let policy = any(&BULKHEAD_POLICY);
    measure("bulkhead: enter and leave", || {
        if BULKHEAD.try_enter(policy) {
            BULKHEAD.leave();
        }
    });

    let policy = any(&RetryBudgetPolicy::DEFAULT);
    measure("retry budget: deposit", || BUDGET.deposit(policy, any(NOW)));

    let policy = any(&ThrottlePolicy::DEFAULT);
    measure("throttle: admit and settle", || {
        if THROTTLE.try_admit(policy, any(NOW), any(0)).is_ok() {
            THROTTLE.settle(policy, any(NOW), any(true));
        }
    });

    let policy = any(&CIRCUIT_POLICY);
    measure("circuit: admit and settle a success", || {
        if let Ok((permit, _)) = CIRCUIT.admit(policy, any(NOW), any(Tokens::ONE)) {
            any(CIRCUIT.settle(policy, any(NOW), permit, any(Outcome::Success)));
        }
    });
    measure("circuit: refuse, open", || {
        any(REFUSING.admit(policy, any(NOW), any(Tokens::ONE)).is_err());
    });
    process::exit(0)
}

fn trip(breaker: &Breaker, policy: &BreakerPolicy) {
    while let Ok((ticket, _)) = breaker.admit(policy, NOW) {
        any(breaker.settle(policy, NOW, ticket, Outcome::Failure));
    }
}

fn measure(name: &str, mut operation: impl FnMut()) {
    const DELAY: u32 = 100_000;
    let known = board::ticks(|| board::delay(DELAY));
    let with = board::ticks(|| (0..any(TIMES)).for_each(|_| operation()));
    let without = board::ticks(|| (0..any(TIMES)).for_each(|_| any(())));
    let instructions = u64::from(with - without) * u64::from(board::instructions_of_delay(DELAY)) / u64::from(known);
    println!("{name} = {}", instructions / u64::from(TIMES));
}
