//! Any sequence of calls, bookings, signals and changes of policy, at any times: nothing leaks, nothing panics.

use super::*;
use proptest::prelude::*;

#[derive(Clone, Copy, Debug)]
enum Step {
    Admit { booked: bool },
    End { index: usize, outcome: Outcome, spent: bool },
    SlowDown(Duration),
    Change(usize),
    Force(Option<Forced>),
    Pass(Duration),
}

fn any_step() -> impl Strategy<Value = Step> {
    let outcome =
        prop_oneof![Just(Outcome::Success), Just(Outcome::Failure), Just(Outcome::Ignored), Just(Outcome::Cancelled)];
    let forced = prop_oneof![Just(None), Just(Some(Forced::Open)), Just(Some(Forced::Closed))];
    prop_oneof![
        4 => any::<bool>().prop_map(|booked| Step::Admit { booked }),
        4 => (any::<usize>(), outcome, any::<bool>())
            .prop_map(|(index, outcome, spent)| Step::End { index, outcome, spent }),
        1 => (0..5_000_u64).prop_map(|millis| Step::SlowDown(Duration::from_millis(millis))),
        1 => any::<usize>().prop_map(Step::Change),
        1 => forced.prop_map(Step::Force),
        2 => (0..20_000_u64).prop_map(|millis| Step::Pass(Duration::from_millis(millis))),
    ]
}

/// Calls that were admitted, under the policy of the moment.
struct World {
    parts: Parts,
    policy: LimitPolicy,
    now: Instant,
    under_way: Vec<Held>,
}

impl World {
    fn step(&mut self, step: Step, policies: &[LimitPolicy]) {
        let Self { parts, policy, now, under_way } = self;
        match step {
            Step::Admit { booked: false } => under_way.extend(admit(parts, policy, *now)),
            Step::Admit { booked: true } => {
                let wait = Duration::from_secs(5);
                let Some(booking) = parts.book(policy, *now, Demand::plain(Tokens::ONE), wait) else { return };
                *now = booking.ready_at();
                let ask = Ask { demand: Demand::plain(booking.cost()), booked: true, ..Ask::at(*now) };
                match parts.admit(policy, &ask) {
                    Ok((held, _)) => under_way.push(held),
                    Err(_) => parts.cancel(policy, *now, booking),
                }
            }
            Step::End { index, outcome, spent } => {
                if under_way.is_empty() {
                    return;
                }
                let mut held = under_way.swap_remove(index % under_way.len());
                if spent {
                    held.spend();
                }
                parts.settle(policy, *now, held, outcome);
            }
            Step::SlowDown(wait) => parts.slow_down(policy, *now, wait),
            Step::Change(index) => {
                let new = policies[index % policies.len()];
                parts.change_policy(policy, &new, *now);
                *policy = new;
            }
            Step::Force(forced) => drop(forced.map_or_else(|| parts.reset(), |forced| parts.force(forced))),
            Step::Pass(span) => *now = now.saturating_add(span),
        }
    }
}

proptest! {
    #[test]
    fn r1_whatever_happens_all_slots_return_and_all_parts_recover(steps in proptest::collection::vec(any_step(), 1..80)) {
        let (full, policies) = (every_part(), subsets().collect::<Vec<_>>());
        let mut world = World { parts: Parts::new(&full), policy: full, now: NOW, under_way: Vec::new() };
        for step in steps {
            world.step(step, &policies);
            if world.policy.circuit.bulkhead.is_some() {
                let (seen, real) = (world.parts.snapshot(&world.policy, world.now).in_flight, world.under_way.len());
                prop_assert!(seen <= real as u64, "{seen} of {real} calls");
            }
        }
        let World { parts, policy, now, under_way } = world;
        for held in under_way {
            parts.settle(&policy, now, held, Outcome::Cancelled);
        }
        parts.change_policy(&policy, &full, now);
        prop_assert_eq!(parts.snapshot(&full, now).in_flight, 0);
        let leases_later = now.saturating_add(Duration::from_secs(3_600));
        prop_assert!(parts.has_room(&full, leases_later), "every probe's slot is free");
        // long after, all is as at the beginning but for what was learned
        parts.reset();
        let later = now.saturating_add(Duration::from_secs(100_000));
        prop_assert_eq!(parts.snapshot(&full, later).tokens, Some(Tokens::whole(10)));
        let held = admit(&parts, &full, later);
        prop_assert!(held.is_ok(), "{:?}", held);
    }
}
