//! The throttle against a naive one: each draw, each wait and each count, also when the policy changes.
#![no_main]

#[path = "../../core/tests/support/naive_throttle.rs"]
mod naive_throttle;

use arbitrary::Arbitrary;
use core::time::Duration;
use fusebox_core::*;
use fusebox_fuzz::clock::{Hands, Move};
use libfuzzer_sys::fuzz_target;
use naive_throttle::Naive;

#[derive(Arbitrary, Debug)]
struct Input {
    policies: [AnyThrottle; 2],
    start: u64,
    only_ahead: bool,
    operations: Vec<(Move, Operation)>,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
struct AnyThrottle {
    ratio_milli: u32,
    padding: u16,
    window: u64,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Operation {
    Admit(u64),
    /// With the draw that is just refused, or just admitted.
    AdmitAtEdge(i8),
    Settle {
        calls: u8,
        accepted: bool,
    },
    SettleMany {
        calls: u16,
        accepted: bool,
    },
    ChangePolicy,
    Restore,
}

fn policy(any: AnyThrottle) -> ThrottlePolicy {
    const SECOND: u64 = 1_000_000_000;
    let config = ThrottleConfig {
        ratio_milli: 1_000 + any.ratio_milli % 99_001,
        padding: 1 + u32::from(any.padding) % 1_000,
        window: Duration::from_nanos(SECOND + any.window % (3_599 * SECOND + 1)),
    };
    ThrottlePolicy::new(config).expect("in range")
}

struct Pair {
    throttle: Throttle,
    naive: Naive,
}

impl Pair {
    fn admit(&mut self, policy: &ThrottlePolicy, random: u64, hands: &mut Hands) {
        let before = format!("{:?}", self.throttle);
        let given = self.throttle.try_admit(policy, hands.reading(), random);
        let mut next = self.naive;
        next.follow(policy, hands.now);
        assert_eq!(given.is_err(), next.refuses(policy, random), "{next:?}");
        let Err(wait) = given else {
            assert_eq!(format!("{:?}", self.throttle), before, "an admission writes nothing");
            return;
        };
        next.count(false);
        self.naive = next;
        hands.told(wait);
        let wait = wait.duration().expect("counts fade by themselves").as_nanos();
        let then = u64::try_from(u128::from(hands.now) + wait);
        if let (Ok(then), true) = (then, wait > 0) {
            let refuses = |now| {
                let mut later = self.naive;
                later.follow(policy, now);
                later.refuses(policy, random)
            };
            assert!(!refuses(then), "{wait} is too short for {:?}", self.naive);
            assert!(refuses(then - 1), "{wait} is too long for {:?}", self.naive);
        }
    }

    fn settle(&mut self, policy: &ThrottlePolicy, calls: u16, accepted: bool, now: Instant) {
        for _ in 0..=calls {
            self.throttle.settle(policy, now, accepted);
            self.naive.follow(policy, now.as_nanos());
            self.naive.count(accepted);
        }
    }

    fn check(&self, policy: &ThrottlePolicy, now: Instant) -> ThrottleSnapshot {
        let snapshot = self.throttle.snapshot(policy, now);
        let mut naive = self.naive;
        naive.follow(policy, now.as_nanos());
        assert_eq!((u128::from(snapshot.requests), u128::from(snapshot.accepts)), (naive.requests, naive.accepts));
        let ThrottleConfig { ratio_milli, padding, .. } = *policy.config();
        let excess = (1_000 * naive.requests).saturating_sub(u128::from(ratio_milli) * naive.accepts);
        assert_eq!(u128::from(snapshot.refused_milli), excess / (naive.requests + u128::from(padding)));
        snapshot
    }
}

fn run(input: Input) {
    let Input { policies, start, only_ahead, operations } = input;
    let [mut policy, mut other] = policies.map(policy);
    let mut hands = Hands::at(start, only_ahead);
    let mut pair = Pair { throttle: Throttle::new(), naive: Naive::default() };
    for (by, operation) in operations.into_iter().take(60) {
        let now = hands.turn(by);
        match operation {
            Operation::Admit(random) => pair.admit(&policy, random, &mut hands),
            Operation::AdmitAtEdge(more) => {
                let ThrottleSnapshot { requests, accepts, .. } = pair.throttle.snapshot(&policy, now);
                let excess = (1_000 * requests).saturating_sub(u64::from(policy.config().ratio_milli) * accepts);
                let below = 1_000 * (requests + u64::from(policy.config().padding));
                let edge = (u128::from(excess) << 64) / u128::from(below);
                let edge = u64::try_from(edge).unwrap_or(u64::MAX).saturating_add_signed((more / 32).into());
                pair.admit(&policy, edge, &mut hands);
            }
            Operation::Settle { calls, accepted } => pair.settle(&policy, calls.into(), accepted, now),
            Operation::SettleMany { calls, accepted } => pair.settle(&policy, calls % 20_000, accepted, now),
            Operation::ChangePolicy => {
                pair.throttle.change_policy(&policy, &other, now);
                pair.naive.follow(&policy, hands.now);
                pair.naive.half = i128::from(hands.now) / (other.config().window.as_nanos().cast_signed() / 2);
                if pair.naive.requests == 0 {
                    pair.naive.half = 0; // as good as new
                }
                core::mem::swap(&mut policy, &mut other);
            }
            Operation::Restore => {
                let snapshot = pair.check(&policy, now);
                pair.throttle = Throttle::restore(&policy, now, snapshot);
                pair.naive.follow(&policy, hands.now);
                pair.naive.half = i128::from(hands.now) / (policy.config().window.as_nanos().cast_signed() / 2);
            }
        }
        pair.check(&policy, now);
    }
}

fuzz_target!(|input: Input| run(input));
