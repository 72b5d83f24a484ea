//! A circuit admits all or nothing, access by access as its parts' steps say.

#![cfg(any(loom, shuttle))]

use fusebox_loom_tests::models::Passing;
use fusebox_loom_tests::{Exploration, Shape, check_programs, hold, scope};

#[test]
fn f1_a_circuit_takes_and_gives_back_as_its_parts_do() {
    let shape = Shape::TWO_BY_ONE;
    for (slots, tokens) in [(1, 2), (2, 1), (2, 2)] {
        let covered = check_programs(Passing::new(slots, tokens), shape, Exploration::All);
        hold(&format!("circuit of {slots} slots and {tokens} tokens, {shape}"), covered);
    }
}

/// All orders are too many: random ones under shuttle, and in a long run those of few preemptions under loom.
#[cfg(not(loom))]
#[test]
fn f1_a_circuit_of_two_calls_each() {
    two_each(1, Exploration::Random { seed: 1, orders: scope(300, 5_000) });
}

#[cfg(loom)]
#[test]
fn f1_a_circuit_of_two_calls_each() {
    two_each(scope(20, 2), Exploration::Preemptions(2));
}

fn two_each(one_in: u64, exploration: Exploration) {
    let shape = Shape::TWO_BY_TWO.one_in(one_in);
    let covered = check_programs(Passing::new(2, 2), shape, exploration);
    hold(&format!("circuit of 2 slots and 2 tokens, {shape}, {exploration:?}"), covered);
}
