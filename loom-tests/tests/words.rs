//! Every primitive of one word: its outcomes are those of its steps, in all programs of two threads and two operations.

#![cfg(any(loom, shuttle))]

use fusebox_loom_tests::models::{Adapting, Breaking, Entering, Filling, Retrying, Throttling};
use fusebox_loom_tests::{Exploration, Model, Shape, check_programs, hold, scope};

/// All programs under shuttle; under loom, which takes ten times as long, a sample unless all are wanted.
fn two_by_two<M: Model>(name: &str, model: M) {
    let shape = if cfg!(loom) { scope(Shape::TWO_BY_TWO.one_in(40), Shape::TWO_BY_TWO) } else { Shape::TWO_BY_TWO };
    hold(&format!("{name}, {shape}"), check_programs(model, shape, Exploration::All));
}

#[test]
fn a_breaker_is_linearizable() {
    two_by_two("breaker", Breaking::new());
}

#[test]
fn a_bucket_is_linearizable() {
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
