//! `Arguments`: the command line.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroUsize;
use std::path::PathBuf;

/// Runs named tools, subprocesses and HTTP endpoints, each under its own timeout, retries, circuit breaker, rate limit
/// and bulkhead.
#[derive(Debug, Parser)]
#[command(name = "fusebox", version, max_term_width = 100)]
pub(crate) struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Runs calls from stdin and writes their results to stdout, both one JSON object a line
    #[command(after_long_help = RUN_HELP)]
    Run(RunArguments),
    /// Checks a TOOLS.toml and prints what it comes to with every default filled in, as TOML
    ///
    /// Exit codes: 0 it is right, 2 it is not; stderr then has a line for each fault, FILE:LINE:COLUMN: what is wrong, or
    /// VARIABLE: what is wrong.
    #[command(after_long_help = TOOLS_HELP)]
    Check {
        /// The file to check
        tools: PathBuf,
    },
    /// Prints the JSON Schema of a TOOLS.toml, for editors
    Schema,
    /// Serves HTTP answers that fail by the count of the requests, for examples and tests
    #[command(after_long_help = FLAKY_HELP)]
    Flaky {
        /// The port to listen at; 0 is any that is free. The URL is the first line on stdout.
        #[arg(long, default_value_t = 0)]
        port: u16,
        /// The address to listen at
        #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
        host: IpAddr,
    },
}

/// How to run.
#[derive(Args, Debug)]
pub(crate) struct RunArguments {
    /// The tools, their policies and the services they need
    pub(crate) tools: PathBuf,
    /// How many calls run at the same time
    #[arg(long, short, default_value = "16")]
    pub(crate) jobs: NonZeroUsize,
    /// What to write at the end: a table or one JSON object, to stderr, or nothing
    #[arg(long, value_enum, default_value_t = SummaryFormat::Table)]
    pub(crate) summary: SummaryFormat,
    /// Write the summary to this file, not to stderr
    #[arg(long, value_name = "FILE")]
    pub(crate) summary_file: Option<PathBuf>,
    /// Put changes to TOOLS in force while the calls run; one that is wrong changes nothing and is told on stderr
    #[arg(long)]
    pub(crate) watch: bool,
    /// Go on from the state in this file, if it is there, and save it every few seconds and at the end
    #[arg(long, value_name = "FILE")]
    pub(crate) state: Option<PathBuf>,
}

/// How to write the summary.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum SummaryFormat {
    /// For people.
    Table,
    /// For programs.
    Json,
    /// Not at all.
    None,
}

const RUN_HELP: &str = "\
A call is a line such as
  {\"id\":1,\"tool\":\"search\",\"args\":{\"query\":\"x\"},\"priority\":\"high\",\"deadline\":\"3s\"}
id, a string or a number, and tool are required. idempotency_key, circuit_key (whose circuit, where circuits are
keyed), role and approved (for the rules) may be given. Each line that is not blank gets one result,
  {\"line\":1,\"id\":1,\"tool\":\"search\",\"success\":true,\"attempts\":1,\"output\":...,\"error\":null,\"elapsed_ms\":4.2}
as soon as it is there, so results are not in the order of the calls. An error has a kind (rejected,
timed_out, stalled, deadline_exceeded, failed, panicked, cancelled, unknown_tool, invalid_args, denied,
needs_approval, invalid_call), a category, a message, retry_after_ms, and, if the call was refused, by: breaker,
bucket, bulkhead, adaptive_rate or throttle. An output that is the fallback's has fallback_for, the error of the
tool itself. A line that is no call, or is longer than 16 MiB, is an invalid_call; the rest go on.

With --watch a change to TOOLS.toml is put in force as a whole: tools that keep their names keep their state, and
calls under way end with the tool that they began with. The summary says how many changes were applied and refused.

With --state an open circuit stays open across a restart, for what is left of its wait, and a rate limit does not
start anew. A FILE that is damaged or of another kind is left alone and ends the run. One run at a time has a FILE.

Ctrl-C (SIGINT, SIGTERM, SIGHUP) stops reading, cancels what runs, kills its processes and reports
each call that was read as cancelled. A second Ctrl-C, or SIGQUIT, kills and exits at once.

Exit codes:
  0    every call has a result, whether it succeeded or not; or the reader of stdout has gone away
  1    input or output failed, or a service did not start
  2    TOOLS.toml or the command line is wrong
  130  interrupted";

const TOOLS_HELP: &str = include_str!("arguments/tools_file.txt");

const FLAKY_HELP: &str = "\
Paths, for any method, with their parameters and defaults:
  /ok                             answers
  /flaky?every=3                  every third request is answered with 503
  /limited?every=3&retry_after=1  every third with 429 and Retry-After in seconds
  /outage?from=10&for=8           requests 10 to 17 with 503, all others are answered
  /slow?ms=200                    answers after 200 ms
  /hang                           never answers
  /status/418                     answers with this status
  /echo                           answers with the request
Requests are counted per path, or per path and key=NAME. Other parameters are ignored.";
