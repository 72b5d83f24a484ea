//! All states x events x {early, at, late}: what every step does, written to `docs/STATES.md` and compared with it.

mod adaptive;
mod breaker;
mod bucket;
mod bulkhead;
mod retry_budget;
mod table;
mod throttle;
mod window;

use self::table::Table;
use fusebox_core::Instant;
use std::collections::HashSet;
use std::path::Path;
use std::{env, fs};

const MS: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MS;

/// When the start states begin: 16384 s lie on a boundary of every tick and half window, so that no time is rounded.
const START: u64 = 16_384 * SECOND;

const fn at(nanos: u64) -> Instant {
    Instant::from_nanos(nanos)
}

const UPDATE: &str = "UPDATE_STATES=1 cargo test -p fusebox-core --test golden";

const HEAD: &str = "\
# States

What every state machine of the core does: each state, each event, before, at and after the moment that matters.
Generated from the code by a test in `core/tests/golden`, which fails when this file differs, so that a change of
behaviour shows in review. Do not edit it; run `UPDATE_STATES=1 cargo test -p fusebox-core --test golden`.

## How to read it

A row says: in this *state*, at this time (*when*), this *event* has this *verdict* and leaves this *next* state.

| notation | meaning |
|---|---|
| `S` | when the state began: the opening, the latest probe, the moment for which a level is given |
| *early*, *at*, *late* | 1 ns before the moment that each table names, at it, and long after it |
| *back* | before `S`: the clock went back |
| *always* | at all of these times alike |
| unchanged | the word is the same: nothing is written |
| → | a transition: the next generation begins, and the caller is told, with the cause that the verdict names |
| since now | from the time of the event on; without it, since `S` |
| streak | re-openings since the breaker last closed; none where it is not named |
| a; b | the same for `a` and for `b` |
| any, any other | each state of the table, each that the event's other rows do not name |
";

fn rendered() -> String {
    let tables = [
        breaker::table(),
        breaker::other_policies(),
        window::by_count(),
        window::by_time(),
        bucket::table(),
        bucket::bookings(),
        bucket::policies(),
        bulkhead::fixed(),
        bulkhead::adaptive(),
        retry_budget::table(),
        throttle::table(),
        adaptive::table(),
    ];
    let mut text = String::from(HEAD);
    tables.iter().for_each(|table: &Table| text.push_str(&table.rendered()));
    text
}

/// The lines that only one of two texts has: rows are whole sentences, so these tell what differs.
fn differences(documented: &str, actual: &str) -> String {
    let lines = |text: &str| text.lines().map(String::from).collect::<HashSet<_>>();
    let (old, new) = (lines(documented), lines(actual));
    let gone = documented.lines().filter(|line| !new.contains(*line)).map(|line| format!("- {line}"));
    let come = actual.lines().filter(|line| !old.contains(*line)).map(|line| format!("+ {line}"));
    gone.chain(come).collect::<Vec<_>>().join("\n")
}

#[test]
fn docs_states_md_says_what_the_steps_do() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/STATES.md");
    let actual = rendered();
    if env::var_os("UPDATE_STATES").is_some() {
        fs::write(&path, actual).expect("docs/ can be written");
        return;
    }
    let documented = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        documented == actual,
        "the steps do (+) what docs/STATES.md does not say (-):\n{}\nIf that is meant, run\n  {UPDATE}",
        differences(&documented, &actual)
    );
}
