//! Gates: one admission over two buckets, a bulkhead, a retry budget, a throttle and a breaker, all or nothing.

use super::outcomes::any_outcome;
use crate::crew::crew;
use crate::pace::Time;
use crate::tally::Tally;
use fastrand::Rng;
use fusebox_core::{
    Ask, Breaker, BreakerConfig, BreakerPolicy, BucketPolicy, Bulkhead, BulkheadPolicy, Clock, Gate, Instant, Outcome,
    Part, Rate, RetryBudget, RetryBudgetPolicy, Throttle, ThrottlePolicy, TokenBucket, Tokens, Trip,
};
use std::time::Duration;

const OPERATIONS: u32 = 800;
/// A probe's lease, the longest for an open wait of a millisecond.
const LEASE: u64 = 32_000_000;

/// What the threads have seen.
#[derive(Default)]
struct Seen {
    spent: u64,
    transitions: u64,
    first_calls: i64,
    retries: i64,
    accepted: u64,
    /// What the throttle counts: calls that succeeded or failed, and those it has refused.
    requests: u64,
    refused: [u64; 4],
}

/// One round.
pub(crate) fn run(rng: &mut Rng, threads: usize) -> Tally {
    let day = Duration::from_secs(86_400);
    let bursts = [Tokens::milli(rng.u64(50_000..2_000_000)), Tokens::milli(rng.u64(50_000..2_000_000))];
    let buckets = bursts.map(|burst| BucketPolicy::new(Rate { tokens: 1, per: day }, burst).expect("in range"));
    let bulkhead = BulkheadPolicy::new(rng.u32(1..8)).expect("in range");
    let (budget, throttle) = (RetryBudgetPolicy::DEFAULT, ThrottlePolicy::DEFAULT);
    let breaker = breaker();
    let state = (
        RetryBudget::new(),
        [TokenBucket::new(), TokenBucket::new()],
        Bulkhead::new(),
        Throttle::new(),
        Breaker::new(),
    );
    let gates = || {
        let both = [state.1[0].gate(&buckets[0]), state.1[1].gate(&buckets[1])];
        ((((state.0.gate(&budget), both), state.2.gate(&bulkhead)), state.3.gate(&throttle)), state.4.gate(&breaker))
    };
    // less than a half window of budget and throttle, and less than a lease
    let time = Time::starting_at(0, LEASE / (2 * u64::from(OPERATIONS) * threads as u64));
    let crew = crew(rng, threads, |_, rng| {
        let (mut seen, mut held) = (Seen::default(), Vec::new());
        for _ in 0..OPERATIONS {
            let now = time.now();
            if rng.bool() {
                let ask = Ask {
                    demand: Tokens::milli(rng.u64(1..2_000)).into(),
                    random: rng.u64(..),
                    retry: rng.bool(),
                    ..Ask::at(now)
                };
                match gates().admit(&ask) {
                    Ok((pass, transition)) => {
                        seen.transitions += u64::from(transition.is_some());
                        held.push((pass, ask));
                    }
                    Err(rejection) => seen.refuse(rejection.by),
                }
            } else if let Some((mut pass, ask)) = held.pop() {
                let spends = rng.bool();
                if spends {
                    pass.spend();
                }
                let outcome = any_outcome(rng);
                seen.transitions += u64::from(gates().settle(now, pass, outcome).is_some());
                seen.count(&ask, outcome, spends);
            }
        }
        for (pass, ask) in held {
            seen.transitions += u64::from(gates().settle(time.now(), pass, Outcome::Cancelled).is_some());
            seen.count(&ask, Outcome::Cancelled, false);
        }
        seen
    });
    let mut sum = Seen::default();
    for seen in crew {
        sum.add(&seen);
    }

    let now = time.now();
    for ((bucket, policy), burst) in state.1.iter().zip(&buckets).zip(bursts) {
        let gone = burst.as_milli() - bucket.peek(policy, now).as_milli();
        assert_eq!(gone, sum.spent, "B5, F1: thousandths of a token that are gone");
    }
    assert_eq!(state.2.in_flight(), 0, "B5, F1: slots");
    let end = state.4.snapshot(&breaker, now);
    assert_eq!(end.outstanding, 0, "B5, F1: probes");
    assert_eq!(sum.transitions % 256, u64::from(end.generation), "B6: one report for each generation");
    let balance = |budget_state: &RetryBudget, at: Instant| {
        i64::try_from(budget_state.snapshot(&budget, at).balance.as_milli()).unwrap_or(i64::MAX)
    };
    let earned = i64::from(budget.config().share_milli) * sum.first_calls - 1_000 * sum.retries;
    let unused = balance(&RetryBudget::new(), now);
    assert_eq!(balance(&state.0, now) - unused, earned, "B5, F1: retries");
    let counted = state.3.snapshot(&throttle, now);
    assert_eq!((counted.requests, counted.accepts), (sum.requests, sum.accepted), "what the throttle has counted");
    let [by_breaker, by_throttle, by_budget, by_others] = sum.refused;
    Tally::from([
        ("transitions", sum.transitions),
        ("retries", sum.retries.unsigned_abs()),
        ("refused by the breaker", by_breaker),
        ("by the throttle", by_throttle),
        ("by the retry budget", by_budget),
        ("by others", by_others),
    ])
}

fn breaker() -> BreakerPolicy {
    BreakerPolicy::new(BreakerConfig {
        trip: Trip::Consecutive(6),
        open_wait: Duration::from_millis(1),
        open_wait_max: Duration::from_millis(1),
        probe_lease: Duration::from_nanos(LEASE),
        probes: 3,
        required_successes: 2,
        ..BreakerConfig::DEFAULT
    })
    .expect("in range")
}

impl Seen {
    fn refuse(&mut self, by: Part) {
        let place = match by {
            Part::Breaker => 0,
            Part::Throttle => 1,
            Part::RetryBudget => 2,
            _ => 3,
        };
        self.refused[place] += 1;
        self.requests += u64::from(by == Part::Throttle);
    }

    fn count(&mut self, ask: &Ask, outcome: Outcome, spent: bool) {
        if spent || matches!(outcome, Outcome::Success | Outcome::Failure) {
            self.spent += ask.demand.cost.as_milli();
        }
        let cancelled = outcome == Outcome::Cancelled;
        self.retries += i64::from(ask.retry && (spent || !cancelled));
        self.first_calls += i64::from(!ask.retry && !cancelled);
        self.accepted += u64::from(outcome == Outcome::Success);
        self.requests += u64::from(matches!(outcome, Outcome::Success | Outcome::Failure));
    }

    fn add(&mut self, other: &Self) {
        self.spent += other.spent;
        self.transitions += other.transitions;
        self.first_calls += other.first_calls;
        self.retries += other.retries;
        self.accepted += other.accepted;
        self.requests += other.requests;
        for (sum, count) in self.refused.iter_mut().zip(other.refused) {
            *sum += count;
        }
    }
}
