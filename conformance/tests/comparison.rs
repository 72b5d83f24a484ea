//! Fusebox passes every scenario that applies to it, and the kept document is what the suite finds today.

use fusebox_conformance::{Compared, Role, Row, Verdict, compare, document, document_path};
use std::sync::LazyLock;

static COMPARED: LazyLock<Vec<Compared>> = LazyLock::new(compare);

/// What this version of the core does not have.
const WITHOUT_WINDOWS: [&str; 2] = ["H7", "H8"];

#[test]
fn fusebox_passes_every_scenario_that_applies_to_it() {
    let fusebox = &COMPARED[0];
    assert_eq!(fusebox.name, "Fusebox");
    for row in Row::all() {
        let verdict = fusebox.verdict(row).unwrap_or_else(|| panic!("{row:?} was not run"));
        if WITHOUT_WINDOWS.contains(&row.scenario.id) {
            assert_eq!(*verdict, Verdict::NotApplicable("windows are not part of this breaker".to_owned()));
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
