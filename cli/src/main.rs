//! The `fusebox` command: runs named tools, subprocesses and HTTP endpoints, each under its own policy.

#![allow(
    clippy::std_instead_of_core,
    reason = "a program of the standard library, with nothing to gain from core's paths"
)]

mod arguments;
mod breaker_word;
mod call;
mod capture;
mod check;
mod clients;
mod ending;
mod endpoint;
mod exit_rules;
mod flaky;
mod interrupt;
mod keeper;
mod lines;
mod live;
mod outcome;
mod output_format;
mod process_group;
mod reloads;
mod results;
mod run;
mod service;
mod subprocess;
mod summary;
mod toolbox;
mod tools_file;

use arguments::{Arguments, Command};
use clap::Parser;
use ending::Ending;
use interrupt::Interrupt;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

fn main() -> ExitCode {
    let command = Arguments::parse().command;
    // fails only if there is a provider already
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return Ending::failed(&error).into(),
    };
    let ending = runtime.block_on(execute(command));
    // drops every task that is left, and with it the processes that it runs
    runtime.shutdown_timeout(Duration::from_secs(1));
    ending.into()
}

async fn execute(command: Command) -> Ending {
    match command {
        Command::Run(arguments) => {
            let interrupt = match Interrupt::listen() {
                Ok(interrupt) => interrupt,
                Err(error) => return Ending::failed(&error),
            };
            tokio::select! {
                ending = run::run(arguments, interrupt.clone()) => ending,
                () = interrupt.second.cancelled() => Ending::Interrupted,
            }
        }
        Command::Check { tools } => match check::check(&tools) {
            Ok(policies) => print(&policies),
            Err(faults) => Ending::misconfigured(&faults),
        },
        Command::Schema => print(&format!("{:#}\n", tools_file::json_schema())),
        Command::Flaky { port, host } => match flaky::serve(host, port).await {
            Ok(()) => Ending::Complete,
            Err(error) => Ending::failed(&error),
        },
    }
}

/// Writes to stdout; a reader who has seen enough is no error.
fn print(text: &str) -> Ending {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Ending::failed(&error),
        _ => Ending::Complete,
    }
}
