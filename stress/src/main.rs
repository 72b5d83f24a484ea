//! Races the core and the adapter on real threads, round after round, and counts whether anything was lost.
//!
//! A *scenario* builds something small, lets all threads loose on it, joins them, and then compares what is left with
//! what each thread has seen. Each round draws everything from its own seed, so a round that fails names the command
//! that runs it again. The threads' timing is not repeated with it: run some rounds of the same scenario then.
//!
//! Nothing here measures time to judge by it. `--seconds` only says how long to look.

#![allow(
    clippy::std_instead_of_core,
    reason = "a program of the standard library, with nothing to gain from core's paths"
)]

mod adapter;
mod arguments;
mod core;
mod crew;
mod pace;
mod tally;

use arguments::Arguments;
use clap::Parser;
use fastrand::Rng;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::Instant;
use tally::Tally;

/// A scenario's name, and one round of it on so many threads. It panics when an invariant does not hold.
type Scenario = (&'static str, fn(&mut Rng, usize) -> Tally);

const SCENARIOS: &[Scenario] = &[
    ("breaker", core::breaker::run),
    ("count-window", core::window::run_count),
    ("time-window", core::window::run_time),
    ("last-call", core::window::run_last_call),
    ("bucket", core::bucket::run),
    ("rate", core::rate::run),
    ("bulkhead", core::bulkhead::run),
    ("retry-budget", core::retry_budget::run),
    ("circuit", core::circuit::run),
    ("gates", core::gates::run),
    ("hostile", core::hostile::run),
    ("editors", adapter::editors::run),
    ("calls", adapter::run),
];

/// A run that ends by time has at least so many rounds of each scenario.
const LEAST_ROUNDS: u64 = 20;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let chosen: Vec<_> = SCENARIOS.iter().filter(|(name, _)| arguments.includes(name)).collect();
    if chosen.is_empty() {
        let names: Vec<_> = SCENARIOS.iter().map(|(name, _)| *name).collect();
        eprintln!("no scenario has that name: there are {}", names.join(", "));
        return ExitCode::FAILURE;
    }
    let seed = arguments.seed.unwrap_or_else(|| fastrand::u64(..));
    println!("seed {seed}, {} threads", arguments.threads);
    // The first policy draws the seed that the process has once. ThreadSanitizer cannot see into the standard library's
    // lazy cells, so it is drawn before there are threads.
    let _first = fusebox::Policy::default();

    let (begun, mut seen) = (Instant::now(), BTreeMap::<_, (u64, Tally)>::new());
    for round in 0_u64.. {
        let laps = round / chosen.len() as u64;
        let is_over = match arguments.rounds {
            Some(rounds) => laps >= rounds,
            None => laps >= LEAST_ROUNDS && begun.elapsed() >= arguments.time(),
        };
        if is_over {
            break;
        }
        let (name, run) = chosen[usize::try_from(round % chosen.len() as u64).unwrap_or_default()];
        // with one scenario and the seed of a round, the first round is that one
        let seed = seed.wrapping_add(round);
        let Ok(tally) = catch_unwind(AssertUnwindSafe(|| run(&mut Rng::with_seed(seed), arguments.threads))) else {
            eprintln!("{name} failed; once more: --only {name} --threads {} --seed {seed}", arguments.threads);
            return ExitCode::FAILURE;
        };
        let (rounds, sum) = seen.entry(*name).or_default();
        *rounds += 1;
        sum.add(tally);
    }

    let mut idle = Vec::new();
    for (name, (rounds, tally)) in &seen {
        println!("{name:>14}: {rounds:6} rounds, {tally}");
        idle.extend(tally.zeros().map(|what| format!("{name}: {what}")));
    }
    if arguments.rounds.is_none() && !idle.is_empty() {
        eprintln!("never happened, so nothing was shown about it: {}", idle.join(", "));
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
