//! What everything costs, in bytes and in accesses to words, measured and written to `docs/COSTS.md`.

mod breakers;
mod facade;
mod leaves;
mod sheet;
mod sizes;

use self::sheet::Sheet;
use crate::Instant;
use std::path::Path;
use std::string::String;
use std::vec::Vec;
use std::{env, format, fs};

/// Late enough that a clock can go back.
const NOW: Instant = Instant::from_nanos(1_000_000_000_000);

/// This many milliseconds after `now`, or before it.
const fn after(now: Instant, millis: i64) -> Instant {
    Instant::from_nanos(now.as_nanos().saturating_add_signed(millis.saturating_mul(1_000_000)))
}

const UPDATE: &str = "UPDATE_COSTS=1 cargo test -p fusebox-core --lib costs";

const HEAD: &str = "\
# Costs

Generated from the code by a test in `core/src/costs.rs`, which fails when this file differs. Do not edit it; run
`UPDATE_COSTS=1 cargo test -p fusebox-core --lib costs`.

## Bytes

On a 64-bit target, all in place: nothing is allocated.
";

const ACCESSES: &str = "
## Reads and writes

What one operation does to the words of its state while no other thread interferes. A *load* reads a word; an *exchange*
is a compare-exchange, and there is no other write. One that loses against another thread's is repeated with what that
one left, without another load of its word. An operation without an exchange has written nothing, so any number of
threads can do it at once without disturbing each other.

Policies are only read and not counted. No operation blocks, and none reads a clock.
";

fn sheets() -> Vec<Sheet> {
    let mut sheets = std::vec![breakers::without_a_window()];
    sheets.push(breakers::with_a_count_window());
    sheets.push(breakers::with_a_time_window());
    sheets.push(leaves::bucket());
    sheets.push(leaves::bulkhead());
    sheets.push(leaves::adaptive_bulkhead());
    sheets.push(leaves::retry_budget());
    sheets.push(leaves::throttle());
    sheets.push(leaves::adaptive_rate());
    sheets.push(facade::circuit());
    sheets.push(facade::smaller_circuit());
    sheets.push(facade::gates());
    sheets
}

fn rendered() -> String {
    let mut text = String::from(HEAD);
    sizes::render(&mut text);
    text.push_str(ACCESSES);
    sheets().iter().for_each(|sheet| sheet.render(&mut text));
    text
}

/// The first line in which two texts differ, as each has it.
fn first_difference(old: &str, new: &str) -> String {
    let (mut old, mut new) = (old.lines(), new.lines());
    for number in 1.. {
        match (old.next(), new.next()) {
            (None, None) => break,
            (old, new) if old == new => {}
            (old, new) => {
                let line = |line: Option<&str>| String::from(line.unwrap_or("(nothing)"));
                return format!("line {number} is\n  {}\nand should be\n  {}", line(old), line(new));
            }
        }
    }
    String::from("only the ends of lines differ")
}

#[test]
#[cfg_attr(
    any(not(target_arch = "x86_64"), not(target_pointer_width = "64"), miri),
    ignore = "the table is that of x86-64: elsewhere sizes differ, and a compare-exchange may fail without a reason \
              and be counted twice"
)]
fn docs_costs_md_says_what_is_measured() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/COSTS.md");
    let measured = rendered();
    if env::var_os("UPDATE_COSTS").is_some() {
        fs::write(&path, measured).expect("docs/ can be written");
        return;
    }
    let documented = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        documented == measured,
        "docs/COSTS.md is not what the code costs: {}\nIf that is meant, run\n  {UPDATE}",
        first_difference(&documented, &measured)
    );
}

#[test]
fn a_breaker_and_a_bucket_together_take_at_most_40_bytes() {
    const { assert!(sizes::BREAKER_AND_BUCKET <= 40) };
}

#[test]
fn a_healthy_closed_breaker_admits_and_settles_with_loads_only() {
    let sheet = breakers::without_a_window();
    assert_eq!(sheet.cost_of("admit", "closed, no failures"), (1, 0));
    assert_eq!(sheet.cost_of("settle", "a success, closed, no failures"), (1, 0));
}

#[test]
fn a_breaker_refuses_with_one_load_whatever_its_window() {
    for sheet in [breakers::without_a_window(), breakers::with_a_count_window(), breakers::with_a_time_window()] {
        for situation in ["open", "half-open, all probes are out", "forced open"] {
            assert_eq!(sheet.cost_of("admit", situation), (1, 0), "{}: {situation}", sheet.title);
        }
    }
}

#[test]
#[cfg_attr(
    any(not(target_arch = "x86_64"), miri),
    ignore = "elsewhere a compare-exchange may fail without a reason and be counted twice"
)]
fn a_bucket_admits_with_one_exchange_and_denies_with_one_load() {
    let sheet = leaves::bucket();
    assert_eq!(sheet.cost_of("try_acquire", "there are tokens"), (1, 1));
    assert_eq!(sheet.cost_of("try_acquire", "empty"), (1, 0));
    assert_eq!(sheet.cost_of("try_acquire", "a cost above the burst"), (1, 0));
}

#[test]
fn no_refusal_writes_but_for_those_that_must() {
    let sheets = sheets();
    let refusals = sheets.iter().flat_map(|sheet| sheet.rows.iter().map(|row| (sheet.title, row)));
    let writing: Vec<_> = refusals
        .filter(|(_, row)| row.refused && row.exchanges > 0 && !row.situation.contains("after the clock went back"))
        .map(|(title, row)| (title, row.situation))
        .collect();
    let expected = [
        // counts the refusal, as its formula has it
        ("Throttle", "some calls were not accepted, an unlucky draw"),
        // takes a slot of the bulkhead and leaves it again
        ("Circuit", "by the bucket"),
        ("Gates", "by the adaptive rate"),
        ("Gates", "by the throttle"),
    ];
    assert_eq!(writing, expected);
}
