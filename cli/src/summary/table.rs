//! The summary as a table for people.

use super::{Summary, ToolSummary};
use crate::reloads::ReloadCounts;
use comfy_table::{CellAlignment, ContentLineStyle, LineStyle, Table, TableStyle};
use std::fmt;

/// Columns that stand apart, and one line below the header.
const STYLE: TableStyle = TableStyle::new()
    .header_lines(ContentLineStyle::none())
    .header_separator(LineStyle::none().fill('-').junction('-'))
    .content_lines(ContentLineStyle::none());

const HEADER: [&str; 14] = [
    "tool",
    "calls",
    "ok",
    "failed",
    "refused by\nbreaker",
    "\nrate",
    "\nbulkhead",
    "\nthrottle",
    "retries",
    "timeouts",
    "p50 ms",
    "p99 ms",
    "opened/\nhalf/closed",
    "breaker",
];

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new();
        table.load_style(STYLE).set_header(HEADER);
        table.add_rows(self.tools.iter().map(|(name, tool)| row(name, tool)));
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        writeln!(f, "{}", table.trim_fmt())?;
        let totals = &self.totals;
        write!(f, "{} lines in {:.1} s: {} ok", totals.lines, self.elapsed_ms / 1e3, totals.ok)?;
        for (count, what) in [
            (totals.failed, "failed"),
            (totals.refused, "refused"),
            (totals.denied, "denied"),
            (totals.invalid_args, "with invalid arguments"),
            (totals.cancelled, "cancelled"),
            (totals.unknown_tool, "of unknown tools"),
            (totals.invalid, "invalid"),
        ] {
            if count > 0 {
                write!(f, ", {count} {what}")?;
            }
        }
        if let Some(ReloadCounts { applied, refused }) = self.reloads
            && applied + refused > 0
        {
            write!(f, "; {applied} reloads, {refused} refused")?;
        }
        if self.interrupted { f.write_str("; interrupted") } else { Ok(()) }
    }
}

fn row(name: &str, tool: &ToolSummary) -> [String; 14] {
    let ms = |time: Option<f64>| time.map_or_else(String::new, |time| format!("{time:.1}"));
    let transitions = &tool.transitions;
    [
        name.to_owned(),
        tool.calls.to_string(),
        tool.ok.to_string(),
        tool.failed.to_string(),
        tool.refused.breaker.to_string(),
        (tool.refused.rate + tool.refused.adaptive_rate).to_string(),
        tool.refused.bulkhead.to_string(),
        tool.refused.throttle.to_string(),
        tool.retries.to_string(),
        tool.timeouts.to_string(),
        ms(tool.p50_ms),
        ms(tool.p99_ms),
        format!("{}/{}/{}", transitions.opened, transitions.half_opened, transitions.closed),
        tool.breaker.map_or("none", crate::breaker_word::word).to_owned(),
    ]
}
