//! The `fusebox` command as its users see it: files and lines in, lines and exit codes out.

#![allow(clippy::std_instead_of_core, reason = "as in the command itself")]

mod support;

mod check;
mod endpoint;
mod example;
mod interrupt;
mod lines;
mod policy;
mod service;
mod subprocess;
