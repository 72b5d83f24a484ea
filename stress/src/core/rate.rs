//! T1: in any interval a bucket admits at most its burst and what has flowed in, however its callers race.
//!
//! A thousandth of a token flows in each nanosecond, so that all sums are whole. The clock moves by less than a second
//! in a round: no reading is so late that the bucket has to take it for a clock that went back.

use crate::crew::crew;
use crate::pace::{Pace, Time};
use crate::tally::Tally;
use fastrand::Rng;
use fusebox_core::{BucketPolicy, Rate, TokenBucket, Tokens};
use std::time::Duration;

const CALLS: usize = 1_500;

/// One round.
pub(crate) fn run(rng: &mut Rng, threads: usize) -> Tally {
    let (burst, cost) = (Tokens::milli(rng.u64(1_000..60_000)), rng.u64(100..1_000));
    let debt = Tokens::milli(rng.u64(..30_000));
    let rate = Rate { tokens: 1, per: Duration::from_micros(1) };
    let policy = BucketPolicy::new(rate, burst).and_then(|policy| policy.with_debt(debt)).expect("in range");
    let pace = [Pace::Prompt, Pace::Late][rng.usize(..2)];
    // calls ask for more than flows in
    let (bucket, time) = (TokenBucket::new(), Time::starting_at(rng.u64(..1 << 62), cost / 2 + 1));
    let (books, changes) = (rng.bool(), rng.bool());
    let crew = crew(rng, threads, |member, rng| {
        let (mut admitted, mut refused, mut watch) = (Vec::new(), 0_u64, time.watch(pace));
        for _ in 0..CALLS {
            let (now, cost) = (watch.read(rng), rng.u64(cost / 2..=cost));
            if changes && member == 0 && rng.u8(..8) == 0 {
                bucket.change_policy(&policy, &policy, now); // R1: to the same level
                continue;
            }
            let goes_at = if books && rng.bool() {
                bucket.reserve(&policy, now, Tokens::milli(cost), Duration::MAX).ok().map(|booking| booking.ready_at())
            } else {
                bucket.try_acquire(&policy, now, Tokens::milli(cost)).is_ok().then_some(now)
            };
            match goes_at {
                Some(goes_at) => admitted.push((goes_at.as_nanos(), cost)),
                None => refused += 1,
            }
        }
        (admitted, refused)
    });
    let (mut admitted, mut refused) = (Vec::new(), 0);
    for seen in crew {
        admitted.extend(seen.0);
        refused += seen.1;
    }
    let most = most_above_the_rate(&mut admitted);
    assert!(most <= i128::from(burst.as_milli()), "T1: {most} thousandths above the rate, the burst is {burst}");
    Tally::from([("admitted", admitted.len() as u64), ("refused", refused)])
}

/// By how much the calls of any interval exceed what flows in within it, in thousandths: the sum over the interval that
/// is worst, found in one walk.
fn most_above_the_rate(admitted: &mut [(u64, u64)]) -> i128 {
    admitted.sort_unstable();
    let (mut most, mut sum, mut before) = (0, 0_i128, 0);
    for &(at, cost) in admitted.iter() {
        let flowed = i128::from(at - before);
        sum = (sum - flowed).max(0) + i128::from(cost);
        most = most.max(sum);
        before = at;
    }
    most
}
