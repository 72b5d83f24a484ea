//! Combinations of gates: all or nothing, whatever the combination, and one ending for all of them.

use core::time::Duration;
use fusebox_core::*;
use proptest::prelude::*;

const NOW: Instant = Instant::from_nanos(1_000_000_000);

fn bucket(burst: u64) -> BucketPolicy {
    BucketPolicy::new(Rate { tokens: 1, per: Duration::from_secs(3_600) }, Tokens::whole(burst)).expect("in range")
}

fn open(breaker: &Breaker, policy: &BreakerPolicy) {
    while let Ok((ticket, _)) = breaker.admit(policy, NOW) {
        breaker.settle(policy, NOW, ticket, Outcome::Failure);
    }
}

/// All primitives, and policies under which each can be made to refuse.
struct Parts {
    breaker: Breaker,
    bulkhead: Bulkhead,
    own: TokenBucket,
    shared: TokenBucket,
    rate: AdaptiveRate,
    throttle: Throttle,
    budget: RetryBudget,
    bulkhead_policy: BulkheadPolicy,
    own_policy: BucketPolicy,
    shared_policy: BucketPolicy,
    rate_policy: AdaptivePolicy,
    throttle_policy: ThrottlePolicy,
    budget_policy: RetryBudgetPolicy,
}

const BREAKER: BreakerPolicy = BreakerPolicy::DEFAULT;

impl Parts {
    fn new() -> Self {
        let own_policy = bucket(20);
        Self {
            breaker: Breaker::new(),
            bulkhead: Bulkhead::new(),
            own: TokenBucket::new(),
            shared: TokenBucket::new(),
            rate: AdaptiveRate::new(),
            throttle: Throttle::new(),
            budget: RetryBudget::new(),
            bulkhead_policy: BulkheadPolicy::new(2).expect("in range"),
            own_policy,
            shared_policy: bucket(30),
            rate_policy: AdaptivePolicy::new(AdaptiveConfig::DEFAULT, &own_policy).expect("in range"),
            throttle_policy: ThrottlePolicy::DEFAULT,
            budget_policy: RetryBudgetPolicy::new(RetryBudgetConfig {
                floor_per_second: Tokens::ONE,
                ..RetryBudgetConfig::DEFAULT
            })
            .expect("in range"),
        }
    }

    /// Every kind of gate and of combination at once.
    fn gates(&self) -> impl Gate {
        let buckets = (
            self.own.gate(&self.own_policy).adaptive(&self.rate, &self.rate_policy),
            [self.shared.gate(&self.shared_policy)],
        );
        let inner = (Some(self.bulkhead.gate(&self.bulkhead_policy)), buckets);
        let outer = (self.throttle.gate(&self.throttle_policy), self.budget.gate(&self.budget_policy));
        ((outer, inner), self.breaker.gate(&BREAKER))
    }

    /// All that can be seen of all parts.
    fn seen(&self) -> impl PartialEq + core::fmt::Debug {
        (
            self.breaker.snapshot(&BREAKER, NOW),
            self.bulkhead.snapshot(),
            (self.own.peek(&self.own_policy, NOW), self.shared.peek(&self.shared_policy, NOW)),
            self.rate.snapshot(&self.rate_policy, NOW),
            self.throttle.snapshot(&self.throttle_policy, NOW),
            self.budget.snapshot(&self.budget_policy, NOW).balance,
        )
    }

    /// Brings one part into a state in which it refuses.
    fn exhaust(&self, part: Part) {
        match part {
            Part::Breaker => open(&self.breaker, &BREAKER),
            Part::Bulkhead => while self.bulkhead.try_enter(&self.bulkhead_policy) {},
            Part::Bucket => while self.shared.try_acquire(&self.shared_policy, NOW, Tokens::ONE).is_ok() {},
            Part::AdaptiveRate => {
                self.rate.slow_down(&self.rate_policy, NOW, Duration::from_secs(1));
            }
            Part::RetryBudget => while self.budget.try_withdraw(&self.budget_policy, NOW).is_ok() {},
            _ => (0..100).for_each(|_| self.throttle.settle(&self.throttle_policy, NOW, false)),
        }
    }
}

const REFUSERS: [Part; 5] = [Part::Breaker, Part::Bulkhead, Part::Bucket, Part::AdaptiveRate, Part::RetryBudget];

#[test]
fn f1_h14_a_refused_admission_leaves_every_gate_as_it_was_whichever_refuses() {
    for part in REFUSERS {
        let parts = Parts::new();
        parts.exhaust(part);
        let before = parts.seen();
        let ask = Ask { retry: true, ..Ask::at(NOW) };
        let refused = parts.gates().admit(&ask).expect_err("one part is exhausted");
        assert_eq!(refused.by, part);
        assert!(parts.seen() == before, "{part}: {:?} after {before:?}", parts.seen());
    }
}

#[test]
fn a_throttle_refuses_before_anything_is_taken() {
    let parts = Parts::new();
    parts.exhaust(Part::Throttle);
    let (own, shared) = (parts.own.peek(&parts.own_policy, NOW), parts.shared.peek(&parts.shared_policy, NOW));
    let refused = parts.gates().admit(&Ask { random: 0, ..Ask::at(NOW) }).expect_err("the unluckiest draw");
    assert_eq!(refused.by, Part::Throttle);
    assert_eq!((own, shared), (parts.own.peek(&parts.own_policy, NOW), parts.shared.peek(&parts.shared_policy, NOW)));
    assert!(parts.gates().admit(&Ask::at(NOW)).is_ok(), "the luckiest draw goes");
}

#[test]
fn b5_a_cancelled_call_leaves_every_gate_as_if_it_had_never_been() {
    for retry in [false, true] {
        let parts = Parts::new();
        let before = parts.seen();
        let (pass, _) = parts.gates().admit(&Ask { retry, ..Ask::at(NOW) }).expect("all is fresh");
        assert!(parts.seen() != before, "the call holds something");
        parts.gates().settle(NOW, pass, Outcome::Cancelled);
        assert!(parts.seen() == before, "{:?} after {before:?}", parts.seen());
    }
}

#[test]
fn a_retry_that_was_made_is_not_given_back_by_cancelling_it() {
    let parts = Parts::new();
    let balance = || parts.budget.snapshot(&parts.budget_policy, NOW).balance;
    let before = balance();
    let (mut pass, _) = parts.gates().admit(&Ask { retry: true, ..Ask::at(NOW) }).expect("all is fresh");
    pass.spend();
    parts.gates().settle(NOW, pass, Outcome::Cancelled);
    assert_eq!(balance().as_milli(), before.as_milli() - 1_000);
}

#[test]
fn an_open_breaker_refuses_before_a_throttle_counts() {
    let parts = Parts::new();
    parts.exhaust(Part::Throttle);
    parts.exhaust(Part::Breaker);
    let before = parts.throttle.snapshot(&parts.throttle_policy, NOW);
    let refused = parts.gates().admit(&Ask { random: 0, ..Ask::at(NOW) }).expect_err("both refuse");
    assert_eq!(refused.by, Part::Breaker);
    assert_eq!(parts.throttle.snapshot(&parts.throttle_policy, NOW), before);
}

#[test]
fn a_spent_pass_gives_no_tokens_back_but_its_slot() {
    let parts = Parts::new();
    let (mut pass, _) = parts.gates().admit(&Ask::at(NOW)).expect("all is fresh");
    pass.spend();
    parts.gates().settle(NOW, pass, Outcome::Ignored);
    assert_eq!(parts.shared.peek(&parts.shared_policy, NOW), Tokens::whole(29));
    assert_eq!(parts.bulkhead.in_flight(), 0);
}

#[test]
fn booked_tokens_are_not_taken_again_and_the_pass_holds_them() {
    let (state, policy) = (TokenBucket::new(), bucket(2).with_debt(Tokens::ONE).expect("in range"));
    let gate = state.gate(&policy);
    let missing =
        || 2_000 - state.snapshot(&policy, NOW).level.as_milli() + state.snapshot(&policy, NOW).debt.as_milli();
    let book = || state.reserve(&policy, NOW, Tokens::ONE, Duration::MAX).expect("within burst and debt");
    let bookings = [book(), book(), book()];
    assert_eq!(missing(), 3_000);
    for outcome in [Outcome::Success, Outcome::Failure] {
        let (pass, _) = gate.admit(&Ask { booked: true, ..Ask::at(NOW) }).expect("it has paid");
        assert_eq!(missing(), 3_000, "nothing is taken twice");
        gate.settle(NOW, pass, outcome);
        assert_eq!(missing(), 3_000);
    }
    let (pass, _) = gate.admit(&Ask { booked: true, ..Ask::at(NOW) }).expect("it has paid");
    gate.settle(NOW, pass, Outcome::Cancelled);
    assert_eq!(missing(), 2_000, "a call that did nothing gives back what it had booked");
    drop(bookings);
}

#[test]
fn f1_a_refusal_leaves_booked_tokens_with_the_booking() {
    let parts = Parts::new();
    let booking = parts.own.reserve(&parts.own_policy, NOW, Tokens::ONE, Duration::ZERO).expect("full");
    parts.exhaust(Part::Bulkhead);
    let gates = (parts.own.gate(&parts.own_policy), parts.bulkhead.gate(&parts.bulkhead_policy));
    let refused = gates.admit(&Ask { booked: true, ..Ask::at(NOW) }).expect_err("no slot");
    assert_eq!(refused.by, Part::Bulkhead);
    assert_eq!(parts.own.peek(&parts.own_policy, NOW), Tokens::whole(19));
    assert_eq!(parts.own.cancel(&parts.own_policy, NOW, booking), Tokens::ONE);
    assert_eq!(parts.own.peek(&parts.own_policy, NOW), Tokens::whole(20));
}

#[test]
fn booked_tokens_are_not_scaled_again_but_a_pause_is_kept() {
    let parts = Parts::new();
    let gate = || parts.own.gate(&parts.own_policy).adaptive(&parts.rate, &parts.rate_policy);
    parts.rate.settle(&parts.rate_policy, NOW, Outcome::Failure);
    let ask = Ask { booked: true, demand: Tokens::whole(3).into(), ..Ask::at(NOW) };
    let booking = parts.own.reserve(&parts.own_policy, NOW, ask.demand.cost, Duration::ZERO).expect("full");
    parts.own.try_acquire(&parts.own_policy, NOW, Tokens::whole(10)).expect("17 are left");
    let (pass, _) = gate().admit(&ask).expect("it has paid");
    gate().settle(NOW, pass, Outcome::Cancelled);
    assert_eq!(parts.own.peek(&parts.own_policy, NOW), Tokens::whole(10), "as much returns as was booked");

    parts.rate.slow_down(&parts.rate_policy, NOW, Duration::from_secs(1));
    assert_eq!(gate().admit(&ask).expect_err("a pause").by, Part::AdaptiveRate);
    drop(booking);
}

#[test]
fn one_ending_feeds_every_gate() {
    let parts = Parts::new();
    for _ in 0..7 {
        let (pass, _) = parts.gates().admit(&Ask::at(NOW)).expect("closed");
        parts.gates().settle(NOW, pass, Outcome::Failure);
    }
    assert_eq!(parts.breaker.snapshot(&BREAKER, NOW).state, State::Open);
    assert_eq!(parts.throttle.snapshot(&parts.throttle_policy, NOW).requests, 7);
    assert_ne!(
        parts.rate.snapshot(&parts.rate_policy, NOW),
        AdaptiveRate::new().snapshot(&parts.rate_policy, NOW),
        "failures cut the rate"
    );
    assert_ne!(parts.budget.snapshot(&parts.budget_policy, NOW).balance, Tokens::ZERO);
}

#[test]
fn the_transition_of_the_breaker_comes_out_of_any_combination() {
    let parts = Parts::new();
    open(&parts.breaker, &BREAKER);
    let later = NOW.saturating_add(Duration::from_secs(10));
    let (pass, transition) = parts.gates().admit(&Ask::at(later)).expect("the wait is over");
    assert_eq!(transition.map(|t| t.to), Some(State::HalfOpen));
    let transition = parts.gates().settle(later, pass, Outcome::Success);
    assert_eq!(transition.map(|t| t.to), Some(State::Closed));
}

#[test]
fn r1_a_slot_returns_also_when_the_policy_has_lost_its_bulkhead_meanwhile() {
    let circuit = Circuit::new();
    let policy = CircuitPolicy { bulkhead: BulkheadPolicy::new(1).ok(), ..CircuitPolicy::UNLIMITED };
    let (permit, _) = circuit.admit(&policy, NOW, Tokens::ONE).expect("empty");
    circuit.settle(&CircuitPolicy::UNLIMITED, NOW, permit, Outcome::Success);
    assert_eq!(circuit.bulkhead().in_flight(), 0);
}

proptest! {
    /// Several buckets: what is admitted is what the scarcest allows, and the others lose no more than that.
    #[test]
    fn several_buckets_admit_what_the_scarcest_allows(bursts in proptest::array::uniform3(1_u64..20), calls in 1_u64..40) {
        let buckets = [const { TokenBucket::new() }; 3];
        let policies = bursts.map(bucket);
        let gates = [0, 1, 2].map(|i: usize| buckets[i].gate(&policies[i]));
        let mut admitted = 0;
        for _ in 0..calls {
            if let Ok((pass, _)) = gates.admit(&Ask::at(NOW)) {
                admitted += 1;
                gates.settle(NOW, pass, Outcome::Success);
            }
        }
        let scarcest = bursts.iter().min().copied().unwrap_or(0);
        prop_assert_eq!(admitted, calls.min(scarcest));
        for (i, bucket) in buckets.iter().enumerate() {
            prop_assert_eq!(bucket.peek(&policies[i], NOW), Tokens::whole(bursts[i] - admitted));
        }
    }
}
