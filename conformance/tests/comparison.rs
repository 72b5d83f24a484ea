//! Fusebox passes every scenario that applies to it, and the kept document is what the suite finds today.

use core::time::Duration;
use fusebox_conformance::{Compared, DAY, Role, Row, SECOND, Verdict, compare, document, document_path};
use fusebox_core::{BucketPolicy, Instant, Rate, TokenBucket, Tokens};
use std::sync::LazyLock;

static COMPARED: LazyLock<Vec<Compared>> = LazyLock::new(compare);

/// Where the suite cannot tell: the tests that can, in the core.
const COUNTED_INSIDE: &str = include_str!("../../core/src/window/tests.rs");

#[test]
fn fusebox_passes_every_scenario_that_applies_to_it() {
    let fusebox = &COMPARED[0];
    assert_eq!(fusebox.name, "Fusebox");
    for row in Row::all() {
        let verdict = fusebox.verdict(row).unwrap_or_else(|| panic!("{row:?} was not run"));
        if row.scenario.id == "H8" {
            assert!(matches!(verdict, Verdict::NotJudged(why) if why.contains("`h8_` in `core/src/window/tests.rs`")));
            for window in
                ["count_window_costs_the_same_at_any_size", "time_window_costs_the_same_at_any_number_of_calls"]
            {
                assert!(COUNTED_INSIDE.contains(&format!("#[test]\nfn h8_a_record_in_a_{window}()")), "{window}");
            }
        } else {
            assert_eq!(*verdict, Verdict::Pass, "{} as a {:?}", row.scenario.id, row.role);
        }
    }
}

#[test]
fn every_peer_is_run_in_the_whole_of_its_role() {
    for peer in &COMPARED[1..] {
        let role = if peer.name == "governor" { Role::Limiter } else { Role::Breaker };
        for row in Row::all() {
            assert_eq!(peer.verdict(row).is_some(), row.role == role, "{} in {row:?}", peer.name);
        }
    }
}

#[test]
fn the_document_is_current() {
    let kept = std::fs::read_to_string(document_path()).unwrap_or_default();
    let found = document(&COMPARED);
    assert!(kept == found, "run `cargo run -p fusebox-conformance -- --write`; the suite now finds:\n{found}");
}

#[test]
fn two_runs_find_the_same() {
    assert_eq!(*COMPARED, compare());
}

/// The document says so. When this fails, H9 can demand more and the document say less.
#[test]
fn a_booking_that_is_cancelled_before_others_gives_back_nothing() {
    let policy = BucketPolicy::new(Rate::per_second(1), Tokens::whole(10))
        .and_then(|policy| policy.with_debt(Tokens::whole(10)));
    let policy = policy.expect("in range");
    let bucket = TokenBucket::new();
    let now = Instant::from_nanos(DAY);
    bucket.try_acquire(&policy, now, Tokens::whole(10)).expect("full");
    let book = || bucket.reserve(&policy, now, Tokens::whole(5), Duration::MAX).expect("within the debt");
    let (first, _second) = (book(), book());
    assert_eq!(bucket.cancel(&policy, now, first), Tokens::ZERO);
    assert_eq!(bucket.peek(&policy, Instant::from_nanos(DAY + 15 * SECOND)), Tokens::whole(5), "10 were not taken");
}
