//! The `fusebox` command as its users see it: files and lines in, lines and exit codes out.

#![allow(clippy::std_instead_of_core, reason = "as in the command itself")]

mod support;

mod check;
mod endpoint;
mod example;
mod format;
mod interrupt;
mod lines;
mod policy;
mod reload;
mod service;
mod state;
mod subprocess;
