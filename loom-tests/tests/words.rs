//! Every primitive of one word: its outcomes are those of its steps, in all programs of two threads and two operations.

#![cfg(any(loom, shuttle))]

use fusebox_loom_tests::models::{Adapting, Breaking, Entering, Filling, Retrying, Throttling};
use fusebox_loom_tests::{Exploration, Model, Shape, check_programs, hold, scope};

/// All programs under shuttle, and an even sample of them under loom, which takes ten times as long.
fn two_by_two<M: Model>(name: &str, model: M) {
    let shape = Shape::TWO_BY_TWO.one_in(if cfg!(loom) { scope(40, 10) } else { 1 });
    hold(&format!("{name}, {shape}"), check_programs(model, shape, Exploration::All));
}

#[test]
fn b1_b2_b3_b4_b5_b6_a_breaker_is_linearizable() {
    two_by_two("breaker", Breaking::new());
}

#[test]
fn t1_t2_t4_a_bucket_is_linearizable() {
    two_by_two("bucket", Filling::new());
}

#[test]
fn a_bulkhead_is_linearizable() {
    two_by_two("bulkhead", Entering::fixed());
}

#[test]
fn a_bulkhead_that_learns_is_linearizable() {
    two_by_two("learning bulkhead", Entering::learning());
}

#[test]
fn a_retry_budget_is_linearizable() {
    two_by_two("retry budget", Retrying::new());
}

#[test]
fn a_throttle_is_linearizable() {
    two_by_two("throttle", Throttling::new());
}

#[test]
fn an_adaptive_rate_is_linearizable() {
    two_by_two("adaptive rate", Adapting::new());
}
