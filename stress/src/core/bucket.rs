//! The bucket's books: what it holds when all is quiet is its burst without what was taken and not given back.
//!
//! Next to nothing flows in while a round lasts, so the equality is exact, to a thousandth of a token.

use crate::crew::crew;
use crate::pace::{Pace, Time};
use crate::tally::Tally;
use fastrand::Rng;
use fusebox_core::{Booking, BucketPolicy, Clock, Demand, Instant, Rate, TokenBucket, Tokens};
use std::time::Duration;

const OPERATIONS: u32 = 1_500;

/// What one thread holds, in tokens and thousandths.
#[derive(Default)]
struct Holder {
    /// Taken and not given back.
    net: u64,
    costs: Vec<Tokens>,
    bookings: Vec<Booking>,
    taken: u64,
    refused: u64,
    lost: u64,
}

/// One round.
pub(crate) fn run(rng: &mut Rng, threads: usize) -> Tally {
    let (burst, debt) = (Tokens::milli(rng.u64(1_000..40_000)), Tokens::milli(rng.u64(..20_000)));
    let rate = Rate { tokens: 1, per: Duration::from_secs(86_400) };
    let policy = BucketPolicy::new(rate, burst).and_then(|policy| policy.with_debt(debt)).expect("in range");
    let pace = [Pace::Prompt, Pace::Late][rng.usize(..2)];
    let (bucket, time) = (TokenBucket::new(), Time::starting_at(rng.u64(..1 << 62), 1));
    let crew = crew(rng, threads, |_, rng| {
        let (mut holder, mut watch) = (Holder::default(), time.watch(pace));
        for _ in 0..OPERATIONS {
            holder.act(&bucket, &policy, watch.read(rng), rng);
            let level = bucket.peek(&policy, watch.read(rng));
            assert!(level <= burst, "T4: {level} tokens in a bucket of {burst}");
        }
        holder
    });

    let (mut net, mut taken, mut refused, mut lost) = (0, 0, 0, 0);
    for holder in &crew {
        (net, taken) = (net + holder.net, taken + holder.taken);
        (refused, lost) = (refused + holder.refused, lost + holder.lost);
    }
    let end = bucket.snapshot(&policy, time.now());
    let expected = (burst.as_milli().saturating_sub(net), net.saturating_sub(burst.as_milli()));
    assert_eq!((end.level.as_milli(), end.debt.as_milli()), expected, "T1, T4: {net} of {burst} are out");
    Tally::from([("taken", taken), ("refused", refused), ("bookings lost to the middle of the line", lost)])
}

impl Holder {
    fn act(&mut self, bucket: &TokenBucket, policy: &BucketPolicy, now: Instant, rng: &mut Rng) {
        let cost = Tokens::milli(rng.u64(..3_000));
        match rng.u8(..8) {
            0 | 1 => {
                let taken = bucket.try_acquire(policy, now, cost).is_ok();
                self.count(taken, cost);
            }
            2 => {
                let demand = Demand { cost, leave: Tokens::milli(rng.u64(..2_000)) };
                let taken = bucket.try_acquire_as(policy, now, demand).is_ok();
                self.count(taken, cost);
            }
            3 | 4 => match bucket.reserve(policy, now, cost, Duration::MAX) {
                Ok(booking) => {
                    self.net += cost.as_milli();
                    self.taken += 1;
                    self.bookings.push(booking);
                }
                Err(_) => self.refused += 1,
            },
            5 | 6 => {
                if let Some(cost) = self.costs.pop() {
                    bucket.refund(policy, now, cost);
                    self.net -= cost.as_milli();
                }
            }
            _ => {
                let Some(booking) = self.bookings.pop() else { return };
                let cost = booking.cost();
                let given = bucket.cancel(policy, now, booking);
                if given == Tokens::ZERO {
                    self.lost += u64::from(cost > Tokens::ZERO);
                } else {
                    // less what has flowed in: it lifts the level to the burst and no further
                    assert!(given.as_milli() + 1 >= cost.as_milli(), "{given} of {cost} given back");
                    self.net -= cost.as_milli();
                }
            }
        }
    }

    fn count(&mut self, taken: bool, cost: Tokens) {
        if taken {
            self.net += cost.as_milli();
            self.taken += 1;
            self.costs.push(cost);
        } else {
            self.refused += 1;
        }
    }
}
