//! The breaker: B1 by a shadow count for each generation, B3 and B4 when all is quiet, B6 by the chain of transitions.

use super::chain::{Chain, Link};
use super::outcomes::any_outcome;
use crate::crew::crew;
use crate::pace::{Pace, Time};
use crate::tally::Tally;
use fastrand::Rng;
use fusebox_core::{
    Breaker, BreakerConfig, BreakerPolicy, Clock, Forced, Instant, Jitter, Outcome, State, Ticket, Transition, Trip,
};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

const OPERATIONS: u32 = 2_000;
/// The longest that anything in these policies lasts.
const LONGEST: u64 = 1_000_000_000;

/// The probes that are out in one generation: never more than the breaker itself counts, since a probe is counted here
/// after it was admitted and no longer when it is settled.
#[derive(Debug, Default)]
struct Shadow {
    out: AtomicU32,
    most: AtomicU32,
}

/// What one thread has seen.
#[derive(Default)]
struct Seen {
    links: Vec<Link>,
    held: Vec<Ticket>,
    admitted: u64,
    refused: u64,
}

/// One round.
pub(crate) fn run(rng: &mut Rng, threads: usize) -> Tally {
    // policies take turns, as while one is replaced
    let policies = [policy(rng), policy(rng)];
    let pace = [Pace::Prompt, Pace::Late][rng.usize(..2)];
    let (breaker, chain) = (Breaker::new(), Chain::default());
    let time = Time::starting_at(rng.u64(..1 << 62), rng.u64(1..400_000));
    let shadows: Vec<_> = (0..256).map(|_| Shadow::default()).collect();
    let crew = crew(rng, threads, |_, rng| {
        let (mut seen, mut watch) = (Seen::default(), time.watch(pace));
        for _ in 0..OPERATIONS {
            if chain.is_long() {
                break;
            }
            let (policy, now) = (&policies[usize::from(rng.u8(..8) == 0)], watch.read(rng));
            match rng.u8(..64) {
                0 => seen.operator(&breaker, &chain, rng),
                1..=30 => seen.admit(&breaker, policy, now, &chain, &shadows),
                31 => drop(seen.held.pop()), // a call that never reports
                _ => seen.settle(&breaker, policy, now, &chain, &shadows, rng),
            }
        }
        seen
    });

    let mut links: Vec<Link> = Vec::new();
    let (mut held, mut admitted, mut refused) = (Vec::new(), 0, 0);
    for seen in crew {
        links.extend(seen.links);
        held.extend(seen.held);
        (admitted, refused) = (admitted + seen.admitted, refused + seen.refused);
    }
    let now = time.now();
    Chain::check(&links, &breaker.snapshot(&policies[0], now));

    let most_probes = policies.iter().map(|policy| u32::from(policy.config().probes)).max().unwrap_or_default();
    let mut probes = 0;
    for link in &links {
        if let (Some(began), Some(Transition { to: State::HalfOpen, .. })) = (link.began, link.transition) {
            let most = shadows[usize::from(began)].most.load(Ordering::SeqCst);
            assert!(most <= most_probes, "B1: {most} probes out in generation {began}, allowed are {most_probes}");
            probes += u64::from(most);
        }
    }
    let stale = old_tickets_change_nothing(&breaker, &policies[0], now, held);
    recovers(&breaker, &policies[0], &time);
    Tally::from([
        ("transitions", links.len() as u64),
        ("admitted", admitted),
        ("refused", refused),
        ("probes", probes),
        ("stale", stale),
    ])
}

fn policy(rng: &mut Rng) -> BreakerPolicy {
    let open_wait = Duration::from_millis(rng.u64(1..20));
    BreakerPolicy::new(BreakerConfig {
        trip: Trip::Consecutive(rng.u32(1..6)),
        open_wait,
        open_wait_factor_milli: rng.u32(1_000..2_000),
        open_wait_max: Duration::from_millis(50),
        jitter: [Jitter::None, Jitter::Equal, Jitter::Full][rng.usize(..3)],
        seed: rng.u64(..),
        probes: rng.u8(1..5),
        required_successes: rng.u8(1..8),
        probe_lease: Duration::from_millis(rng.u64(10..=open_wait.as_millis().try_into().unwrap_or(1) * 32)),
        cancelled_is_failure: rng.bool(),
    })
    .expect("in range")
}

impl Seen {
    fn admit(&mut self, breaker: &Breaker, policy: &BreakerPolicy, now: Instant, chain: &Chain, shadows: &[Shadow]) {
        let Ok((ticket, transition)) = breaker.admit(policy, now) else {
            self.refused += 1;
            return;
        };
        let shadow = &shadows[usize::from(ticket.generation())];
        shadow.most.fetch_max(shadow.out.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        self.admitted += 1;
        if transition.is_some() {
            self.links.push(chain.link(Some(ticket.generation()), transition));
            thread::yield_now(); // the others are to meet the first probe
        }
        self.held.push(ticket);
    }

    fn settle(
        &mut self,
        breaker: &Breaker,
        policy: &BreakerPolicy,
        now: Instant,
        chain: &Chain,
        shadows: &[Shadow],
        rng: &mut Rng,
    ) {
        // mostly the latest; now and then one that has been out for long
        let place = if rng.u8(..8) == 0 { 0 } else { self.held.len().wrapping_sub(1) };
        if place >= self.held.len() {
            return;
        }
        let ticket = self.held.remove(place);
        let generation = ticket.generation();
        shadows[usize::from(generation)].out.fetch_sub(1, Ordering::SeqCst);
        let transition = breaker.settle(policy, now, ticket, any_outcome(rng));
        if transition.is_some() {
            self.links.push(chain.link(Some(generation.wrapping_add(1)), transition));
        }
    }

    fn operator(&mut self, breaker: &Breaker, chain: &Chain, rng: &mut Rng) {
        if rng.bool() {
            self.links.push(chain.link(None, breaker.reset()));
            return;
        }
        let forced = if rng.bool() { Forced::Open } else { Forced::Closed };
        let transition = breaker.force(forced);
        if transition.is_some() {
            self.links.push(chain.link(None, transition));
        }
    }
}

/// B3: an outcome of an older generation changes nothing but the count of stale ones. Returns how many there were.
fn old_tickets_change_nothing(breaker: &Breaker, policy: &BreakerPolicy, now: Instant, held: Vec<Ticket>) -> u64 {
    let before = breaker.snapshot(policy, now);
    let mut stale = 0;
    for ticket in held.into_iter().filter(|ticket| ticket.generation() != before.generation) {
        assert_eq!(breaker.settle(policy, now, ticket, Outcome::Failure), None, "B3: a stale transition");
        stale += 1;
    }
    let after = breaker.snapshot(policy, now);
    assert_eq!(after, fusebox_core::BreakerSnapshot { stale: before.stale + stale, ..before }, "B3");
    stale
}

/// B4: whatever never reported, the breaker closes after its waits and leases, with as many successes as it asks for.
fn recovers(breaker: &Breaker, policy: &BreakerPolicy, time: &Time) {
    if matches!(breaker.snapshot(policy, time.now()).state, State::ForcedOpen | State::ForcedClosed) {
        let _ = breaker.reset();
    }
    let mut calls = 0;
    while breaker.snapshot(policy, time.now()).state != State::Closed {
        let now = time.advance(LONGEST);
        let (ticket, _) = breaker.admit(policy, now).expect("B4: every wait and every lease is over");
        let _ = breaker.settle(policy, now, ticket, Outcome::Success);
        calls += 1;
        assert!(calls <= policy.config().required_successes, "B4: it asks for more successes than its policy");
    }
}
