//! The flash that a circuit of breaker, bulkhead and bucket takes, beyond that of `flash_nothing`.

#![no_main]
#![no_std]

use core::hint::black_box as any;
use fusebox_core::{
    BreakerPolicy, BucketPolicy, BulkheadPolicy, Circuit, CircuitPolicy, Instant, Outcome, Rate, Tokens,
};
use fusebox_firmware::board;
use semihosting::process;

static CIRCUIT: Circuit = Circuit::new();
static POLICY: CircuitPolicy = CircuitPolicy {
    breaker: Some(BreakerPolicy::DEFAULT),
    bulkhead: match BulkheadPolicy::new(8) {
        Ok(policy) => Some(policy),
        Err(_) => panic!("checked at compile time"),
    },
    bucket: match BucketPolicy::new(Rate::per_second(10), Tokens::whole(10)) {
        Ok(policy) => Some(policy),
        Err(_) => panic!("checked at compile time"),
    },
};
const NOW: Instant = Instant::from_nanos(1);

#[board::entry]
fn main() -> ! {
    let policy = any(&POLICY);
    if let Ok((permit, transition)) = CIRCUIT.admit(policy, any(NOW), any(Tokens::ONE)) {
        any(transition);
        any(CIRCUIT.settle(policy, any(NOW), permit, any(Outcome::Failure)));
    }
    process::exit(0)
}
