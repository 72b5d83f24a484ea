//! One bucket, emptied by both sides: they get what it held, not a token more or less.

use super::{Side, Sides};
use crate::Shared;
use fusebox_core::{BucketPolicy, Instant, Rate, TokenBucket, Tokens};
use semihosting::println;

const TOKENS: u32 = 300;
const ROUNDS: u32 = 400;
static TAKEN: Shared<Sides> = Shared::new(Sides::NONE);

/// What can be emptied.
pub trait Budget {
    /// Fills it with `tokens`, to be taken in round `round`.
    fn fill(tokens: u32, round: u32);
    /// Takes one token, if there is one.
    fn take() -> bool;
}

/// Races for a bucket of the core.
pub fn run() {
    empty::<Bucket>();
}

/// Races for any budget.
pub fn empty<B: Budget>() {
    let mut all = Sides::NONE;
    for (round, period) in (0..).zip(super::periods(ROUNDS)) {
        B::fill(TOKENS, round);
        TAKEN.replace(Sides::NONE);
        let on_tick = || {
            take::<B>(Side::Interrupt);
        };
        super::round(period, on_tick, || while take::<B>(Side::Main) {});
        let taken = TAKEN.get();
        assert!(taken.sum() == TOKENS, "of {TOKENS} tokens were taken {taken:?}, period {period}");
        taken.expect_both("taken tokens");
        all.main += taken.main;
        all.interrupt += taken.interrupt;
    }
    println!("bucket: {ROUNDS} rounds of {TOKENS} tokens: {all:?}");
}

fn take<B: Budget>(side: Side) -> bool {
    let there_was_one = B::take();
    if there_was_one {
        TAKEN.update(|taken| taken.add(side));
    }
    there_was_one
}

struct Bucket;

/// A token each nanosecond: the next round finds the bucket full, and within a round nothing flows in.
const POLICY: BucketPolicy = match BucketPolicy::new(Rate::per_second(1_000_000_000), Tokens::whole(TOKENS as u64)) {
    Ok(policy) => policy,
    Err(_) => panic!("checked at compile time"),
};
static BUCKET: TokenBucket = TokenBucket::new();
static NOW: Shared<Instant> = Shared::new(Instant::ORIGIN);

impl Budget for Bucket {
    fn fill(tokens: u32, round: u32) {
        NOW.replace(Instant::from_nanos(u64::from(tokens) * u64::from(round)));
    }

    fn take() -> bool {
        BUCKET.try_acquire(&POLICY, NOW.get(), Tokens::ONE).is_ok()
    }
}
