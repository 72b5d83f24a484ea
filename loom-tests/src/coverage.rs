//! How much the suite has covered, and that it is never less than `COVERAGE.md` says, or `COVERAGE-long.md` of long runs.

use crate::checker::CHECKER;
use crate::programs::scope;
use core::ops::AddAssign;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::{env, fs};

/// What was covered.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Covered {
    /// Programs run.
    pub programs: u64,
    /// Orders in which they were run.
    pub executions: u64,
    /// Different outcomes, added up over the programs.
    pub outcomes: u64,
}

impl AddAssign for Covered {
    fn add_assign(&mut self, more: Self) {
        self.programs += more.programs;
        self.executions += more.executions;
        self.outcomes += more.outcomes;
    }
}

/// The file of a run, its title, and what writes it.
const FILES: [(&str, &str, &str); 2] = [
    ("COVERAGE.md", "What model checking covers, at least", ".ci/loom"),
    ("COVERAGE-long.md", "What a long run of model checking covers, at least", ".ci/loom --long"),
];

const HEAD: &str = "\
A run that covers less than this fails. How the parts read is in `src/lib.rs`.

| part | programs | executions | outcomes |
|---|---:|---:|---:|
";

/// Prints what `part` has covered, and compares it with its line in the file of this run, or writes that line.
///
/// # Panics
/// When less was covered, or when there is no such line.
pub fn hold(part: &str, covered: Covered) {
    static FILE: Mutex<()> = Mutex::new(());
    let _one_at_a_time = FILE.lock();
    let part = format!("{CHECKER}: {part}");
    let Covered { programs, executions, outcomes } = covered;
    println!("covered {part}: {programs} programs, {executions} executions, {outcomes} outcomes");
    let mut lines = read();
    if env::var_os("UPDATE_COVERAGE").is_some() {
        lines.insert(part, covered);
        return write(&lines);
    }
    let Some(least) = lines.get(&part) else { panic!("{} has no line for {part}", FILES[mode()].0) };
    assert!(
        programs >= least.programs && executions >= least.executions && outcomes >= least.outcomes,
        "{part} has covered less than {least:?}"
    );
}

fn mode() -> usize {
    scope(0, 1)
}

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(FILES[mode()].0)
}

fn read() -> BTreeMap<String, Covered> {
    let text = fs::read_to_string(file()).unwrap_or_default();
    text.lines().filter_map(line).collect()
}

/// `| part | 1 | 2 | 3 |`
fn line(text: &str) -> Option<(String, Covered)> {
    let mut cells = text.strip_prefix("| ")?.strip_suffix(" |")?.split(" | ");
    let part = cells.next()?.to_owned();
    let mut number = || cells.next()?.parse().ok();
    Some((part, Covered { programs: number()?, executions: number()?, outcomes: number()? }))
}

fn write(lines: &BTreeMap<String, Covered>) {
    let (_, title, command) = FILES[mode()];
    let mut text = format!("# {title}\n\nWritten by the suite: `UPDATE_COVERAGE=1 {command}`.\n{HEAD}");
    for (part, Covered { programs, executions, outcomes }) in lines {
        text += &format!("| {part} | {programs} | {executions} | {outcomes} |\n");
    }
    fs::write(file(), text).expect("loom-tests can be written");
}
