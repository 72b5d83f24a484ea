//! `Sheet`: what was measured, as Markdown.

use crate::sync::counted::cost;
use core::fmt::Write;
use std::string::String;
use std::vec::Vec;

/// The operations of one primitive.
#[derive(Debug)]
pub(super) struct Sheet {
    pub(super) title: &'static str,
    note: &'static str,
    pub(super) rows: Vec<Row>,
}

/// What one operation costs in one situation.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) operation: &'static str,
    pub(super) situation: &'static str,
    pub(super) refused: bool,
    pub(super) loads: u32,
    pub(super) exchanges: u32,
}

impl Sheet {
    pub(super) const fn new(title: &'static str, note: &'static str) -> Self {
        Self { title, note, rows: Vec::new() }
    }

    /// Runs an operation that is not refused and enters its cost.
    pub(super) fn costs<T>(&mut self, operation: &'static str, situation: &'static str, run: impl FnOnce() -> T) -> T {
        let (result, cost) = cost(run);
        self.enter(operation, situation, cost);
        result
    }

    /// Enters what was measured.
    pub(super) fn enter(&mut self, operation: &'static str, situation: &'static str, (loads, exchanges): (u32, u32)) {
        self.rows.push(Row { operation, situation, refused: false, loads, exchanges });
    }

    /// Runs an operation that must be refused and enters its cost.
    pub(super) fn refuses<T, E>(
        &mut self,
        operation: &'static str,
        situation: &'static str,
        run: impl FnOnce() -> Result<T, E>,
    ) -> E {
        let (result, (loads, exchanges)) = cost(run);
        self.rows.push(Row { operation, situation, refused: true, loads, exchanges });
        match result {
            Ok(_) => panic!("{}, {operation}, {situation}: was to be refused", self.title),
            Err(error) => error,
        }
    }

    pub(super) fn cost_of(&self, operation: &str, situation: &str) -> (u32, u32) {
        let wanted = |row: &&Row| row.operation == operation && row.situation == situation;
        let row = self.rows.iter().find(wanted).unwrap_or_else(|| panic!("no row: {operation}, {situation}"));
        (row.loads, row.exchanges)
    }

    pub(super) fn render(&self, text: &mut String) {
        let Self { title, note, rows } = self;
        writeln!(text, "\n### {title}\n\n{note}\n").expect("a string takes all");
        text.push_str("| operation | when | loads | exchanges |\n|---|---|---:|---:|\n");
        for Row { operation, situation, refused, loads, exchanges } in rows {
            let verdict = if *refused { ": refused" } else { "" };
            writeln!(text, "| `{operation}` | {situation}{verdict} | {loads} | {exchanges} |")
                .expect("a string takes all");
        }
    }
}
