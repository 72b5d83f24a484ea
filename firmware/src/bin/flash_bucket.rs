//! The flash that a bucket takes, beyond that of `flash_nothing`.

#![no_main]
#![no_std]

use core::hint::black_box as any;
use fusebox_core::{BucketPolicy, Instant, Rate, TokenBucket, Tokens};
use fusebox_firmware::board;
use semihosting::process;

static BUCKET: TokenBucket = TokenBucket::new();
static POLICY: BucketPolicy = match BucketPolicy::new(Rate::per_second(10), Tokens::whole(10)) {
    Ok(policy) => policy,
    Err(_) => panic!("checked at compile time"),
};
const NOW: Instant = Instant::from_nanos(1);

#[board::entry]
fn main() -> ! {
    let policy = any(&POLICY);
    let taken = BUCKET.try_acquire(policy, any(NOW), any(Tokens::ONE));
    if any(taken).is_ok() {
        BUCKET.refund(policy, any(NOW), any(Tokens::ONE));
    }
    process::exit(0)
}
