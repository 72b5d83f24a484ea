//! The adaptive rate against a simulated service with a hidden capacity, in simulated time.

mod support;

use core::time::Duration;
use fusebox_core::*;
use proptest::prelude::*;
use support::*;

/// A service that serves so many calls per second, and a short burst of them; it fails what is beyond.
struct Service {
    per_second: u64,
    /// In billionths of a call, up to a tenth of a second's worth and 20 calls.
    spare: u64,
    last: u64,
    served: u64,
}

impl Service {
    fn call(&mut self, now: u64) -> Outcome {
        let most = (self.per_second / 10 + 20) * SECOND;
        self.spare = (self.spare + (now - self.last) * self.per_second).min(most);
        self.last = now;
        if self.spare < SECOND {
            return Outcome::Failure;
        }
        self.spare -= SECOND;
        self.served += 1;
        Outcome::Success
    }
}

/// How callers come.
#[derive(Clone, Copy, Debug)]
enum Pattern {
    /// As soon as the bucket admits.
    Waiting,
    /// Again and again after so many nanoseconds.
    Polling(u64),
    /// As `Waiting`, and each outcome arrives so many nanoseconds after its call.
    Slow(u64),
}

struct Client {
    bucket: BucketPolicy,
    policy: AdaptivePolicy,
    shared: TokenBucket,
    rate: AdaptiveRate,
    under_way: std::collections::VecDeque<(u64, Outcome)>,
    now: u64,
}

impl Client {
    fn new(ceiling: u64, start: u64) -> Self {
        let bucket = bucket(ceiling, Duration::from_secs(1), Tokens::whole(15));
        let config = AdaptiveConfig { floor_milli: 80, ..AdaptiveConfig::DEFAULT };
        let policy = AdaptivePolicy::new(config, &bucket).expect("in range");
        let (shared, rate) = (TokenBucket::new(), AdaptiveRate::new());
        Self { bucket, policy, shared, rate, under_way: Default::default(), now: start }
    }

    /// Calls for `span`, and returns how many calls per second were served.
    fn run(&mut self, service: &mut Service, pattern: Pattern, span: u64) -> f64 {
        let (end, before) = (self.now + span, service.served);
        service.last = service.last.max(self.now);
        while self.now < end {
            while self.under_way.front().is_some_and(|(due, _)| *due <= self.now) {
                let (_, outcome) = self.under_way.pop_front().expect("just seen");
                let _ = self.rate.settle(&self.policy, at(self.now), outcome);
            }
            let scaled = self.rate.scale(&self.policy, at(self.now), Tokens::ONE.into());
            let verdict = scaled.and_then(|demand| self.shared.try_acquire_as(&self.bucket, at(self.now), demand));
            match (verdict, pattern) {
                (Ok(()), Pattern::Slow(latency)) => {
                    let outcome = service.call(self.now);
                    self.under_way.push_back((self.now + latency, outcome));
                }
                (Ok(()), Pattern::Waiting | Pattern::Polling(_)) => {
                    let outcome = service.call(self.now);
                    let _ = self.rate.settle(&self.policy, at(self.now), outcome);
                }
                (Err(_), Pattern::Polling(poll)) => self.now += poll,
                (Err(wait), Pattern::Waiting | Pattern::Slow(_)) => {
                    let wait = wait.duration().expect("the cost fits").as_nanos();
                    self.now += u64::try_from(wait).expect("fits").min(5 * MS);
                }
            }
        }
        (service.served - before) as f64 / (span as f64 / SECOND as f64)
    }
}

fn follows(ceiling: u64, capacity: u64, pattern: Pattern, start: u64) -> Result<(), TestCaseError> {
    let mut client = Client::new(ceiling, start);
    let mut service = Service { per_second: capacity, spare: 0, last: start, served: 0 };
    for halves in [2, 1, 2, 4, 2] {
        service.per_second = capacity * halves / 2;
        let allowed = service.per_second.min(ceiling) as f64;
        client.run(&mut service, pattern, 30 * SECOND);
        service.spare = 0; // what it had saved up is not its capacity
        let delivered = client.run(&mut service, pattern, 40 * SECOND);
        let share = delivered / allowed;
        prop_assert!((0.8..=1.001).contains(&share), "{share} of {allowed}/s, a ceiling of {ceiling}/s, {pattern:?}");
        let (rate, floor) = (client.rate.snapshot(&client.policy, at(client.now)).share_milli(), 80);
        prop_assert!((floor..=1_000).contains(&rate));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_delivered_rate_settles_within_80_percent_of_any_capacity_and_follows_it(
        ceiling in 100_u64..1_000,
        share in 200_u64..=500, // so that half of it is above the floor, and twice of it below the ceiling
        pattern in prop_oneof![
            Just(Pattern::Waiting),
            (MS..12 * MS).prop_map(Pattern::Polling),
            (0..300 * MS).prop_map(Pattern::Slow),
        ],
        start in prop_oneof![Just(0), 0..u64::MAX - DAY, Just(u64::MAX - DAY)],
    ) {
        follows(ceiling, ceiling * share / 1_000, pattern, start)?;
    }
}

#[test]
fn a_service_that_bears_the_ceiling_gets_it_and_one_below_the_floor_gets_the_floor() {
    let mut client = Client::new(200, 0);
    let mut able = Service { per_second: 1_000, spare: 20 * SECOND, last: 0, served: 0 };
    let delivered = client.run(&mut able, Pattern::Waiting, 20 * SECOND);
    assert!((199.0..=201.0).contains(&delivered), "{delivered}");
    assert!(client.rate.is_fresh(&client.policy, at(client.now)), "nothing was learnt");

    let mut unable = Service { per_second: 1, spare: 0, last: client.now, served: 0 };
    client.run(&mut unable, Pattern::Waiting, 60 * SECOND);
    let snapshot = client.rate.snapshot(&client.policy, at(client.now));
    assert!((80..=120).contains(&snapshot.share_milli()), "{snapshot:?}");
    client.run(&mut able, Pattern::Waiting, 60 * SECOND);
    let delivered = client.run(&mut able, Pattern::Waiting, 10 * SECOND);
    assert!((199.0..=201.0).contains(&delivered), "it recovers: {delivered}");
}
