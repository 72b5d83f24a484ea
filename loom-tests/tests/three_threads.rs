//! Three threads: all programs of one operation each, samples of more, and under loom what stale loads show.

#![cfg(any(loom, shuttle))]

#[cfg(loom)]
use fusebox_loom_tests::models::{Adapting, Retrying, Throttling};
use fusebox_loom_tests::models::{Breaking, Entering, Filling};
use fusebox_loom_tests::{Exploration, Model, Shape, check_programs, hold, scope};

fn checked<M: Model>(name: &str, model: M, shape: Shape, exploration: Exploration) {
    hold(&format!("{name}, {shape}, {exploration:?}"), check_programs(model, shape, exploration));
}

/// Bookings and their cancelling are among them.
#[test]
fn t1_t2_t4_three_threads_at_one_bucket() {
    let shape = Shape::THREE_BY_ONE.one_in(if cfg!(loom) { scope(100, 20) } else { 10 });
    checked("bucket", Filling::new(), shape, Exploration::All);
}

#[test]
fn b1_b2_b3_b4_b5_b6_three_threads_at_one_breaker() {
    let shape = Shape::THREE_BY_ONE.one_in(if cfg!(loom) { scope(100, 20) } else { 10 });
    checked("breaker", Breaking::new(), shape, Exploration::All);
}

#[cfg(not(loom))]
mod random {
    use super::*;

    const TWO_EACH: Exploration = Exploration::Random { seed: 2, orders: 1_000 };
    const THREE_EACH: Exploration = Exploration::Random { seed: 3, orders: 1_000 };

    fn sample<M: Model>(name: &str, model: fn() -> M, one_in_of_two: u64, one_in_of_three: u64) {
        checked(name, model(), Shape::THREE_BY_TWO.one_in(scope(one_in_of_two, one_in_of_two / 10)), TWO_EACH);
        checked(name, model(), Shape::THREE_BY_THREE.one_in(scope(one_in_of_three, one_in_of_three / 10)), THREE_EACH);
    }

    #[test]
    fn a_breaker_under_three_threads() {
        sample("breaker", Breaking::new, 50_000, 5_000_000);
    }

    #[test]
    fn a_bulkhead_under_three_threads() {
        sample("learning bulkhead", Entering::learning, 5_000, 500_000);
    }
}

#[cfg(loom)]
mod reads {
    use super::*;
    use fusebox_core::Reads;

    fn stale<M: Model>(name: &str, model: fn() -> M) {
        for reads in [Reads::Shipped, Reads::Acquired] {
            checked(name, model(), Shape::TWO_BY_TWO.one_in(scope(100, 10)), Exploration::Reading(reads));
        }
    }

    #[test]
    fn stale_loads_show_a_breaker_nothing_new() {
        stale("breaker", Breaking::new);
    }

    #[test]
    fn stale_loads_show_a_bucket_nothing_new() {
        stale("bucket", Filling::new);
    }

    #[test]
    fn stale_loads_show_the_others_nothing_new() {
        stale("learning bulkhead", Entering::learning);
        stale("retry budget", Retrying::new);
        stale("throttle", Throttling::new);
        stale("adaptive rate", Adapting::new);
    }

    #[test]
    fn a_breaker_under_three_threads_with_three_preemptions() {
        let shape = Shape::THREE_BY_TWO.one_in(scope(200_000, 20_000));
        checked("breaker", Breaking::new(), shape, Exploration::Preemptions(3));
    }
}
