//! An hour of load in paused time, with everything switched on and everything going wrong: nothing leaks, and every call,
//! attempt, token and slot is accounted for.
//!
//! Each call is watched: what is reported while it is polled or dropped is its own, and must tell what its caller and its
//! tools have seen. So the sums are exact, also for calls that were dropped.
//!
//! The seed is printed; `SOAK_SEED` repeats a run, `SOAK_HOURS` makes the ignored test longer or shorter than a day.

mod accounts;
mod books;
mod cast;
mod clients;
mod closing;
mod configs;
mod gauges;
mod operator;
mod stage;
mod watched;

use core::time::Duration;
use fastrand::Rng;
use stage::Stage;
use std::sync::Arc;
use tokio::runtime::Builder;

const HOUR: Duration = Duration::from_secs(3_600);

#[test]
fn an_hour_of_load_with_faults_leaks_nothing_and_accounts_for_every_call() {
    soak(1);
}

#[test]
#[ignore = "a day takes minutes"]
fn a_day_of_load_with_faults_leaks_nothing_and_accounts_for_every_call() {
    soak(number_from("SOAK_HOURS").unwrap_or(24));
}

fn soak(hours: u64) {
    let seed = number_from("SOAK_SEED").unwrap_or_else(|| fastrand::u64(..));
    println!("SOAK_SEED={seed}");
    fastrand::seed(seed); // what the adapter itself draws
    keep_planned_panics_quiet();
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
    runtime.block_on(run(seed, HOUR * u32::try_from(hours).expect("a few hours")));
    assert_eq!(runtime.metrics().num_alive_tasks(), 0, "tasks that nobody ended");
}

async fn run(seed: u64, length: Duration) {
    let mut rng = Rng::with_seed(seed);
    let stage = Stage::new(&mut rng);
    let until = tokio::time::Instant::now() + length;
    let crew = [
        tokio::spawn(clients::arrive(Arc::clone(&stage), rng.fork(), until)),
        tokio::spawn(operator::operate(Arc::clone(&stage), rng.fork(), until)),
        tokio::spawn(operator::break_things(Arc::clone(&stage), rng.fork(), until)),
        tokio::spawn(operator::listen_now_and_then(Arc::clone(&stage), rng.fork(), until)),
    ];
    while crew.iter().any(|member| !member.is_finished()) {
        tokio::time::sleep(Duration::from_secs(1)).await;
        stage.inspect();
    }
    for member in crew {
        member.await.expect("nobody of the crew panics");
    }
    closing::close(stage, &mut rng).await;
}

/// Hundreds of them would hide what matters.
fn keep_planned_panics_quiet() {
    let loud = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if !info.payload_as_str().is_some_and(|message| message.starts_with("planned for call")) {
            loud(info);
        }
    }));
}

fn number_from(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is {text:?}, and not a number")))
}
