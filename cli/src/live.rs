//! `Live`: the view of a run on a terminal, while it runs.

use crate::breaker_word::word;
use crate::summary::Totals;
use fusebox::ToolSnapshot;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::collections::BTreeMap;
use std::io::{self, IsTerminal};

/// A line of progress and one per tool on stderr; nothing where stderr is no terminal.
#[derive(Clone, Debug)]
pub(crate) struct Live {
    lines: MultiProgress,
    progress: ProgressBar,
    /// Those that were there when it was last shown.
    tools: BTreeMap<String, ProgressBar>,
}

/// So many tools are shown; more would push the progress off the screen.
const MOST_TOOLS: usize = 20;

impl Live {
    /// A view of nothing yet.
    pub(crate) fn new() -> Self {
        let target =
            if io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let lines = MultiProgress::with_draw_target(target);
        let progress = lines.add(line());
        Self { lines, progress, tools: BTreeMap::new() }
    }

    /// Whether anybody sees it.
    pub(crate) fn is_shown(&self) -> bool {
        !self.lines.is_hidden()
    }

    /// Shows how things are.
    pub(crate) fn show(&mut self, read: u64, totals: &Totals, snapshots: &[ToolSnapshot]) {
        let Totals { lines, ok, failed, refused, .. } = totals;
        self.progress.set_message(format!("{lines} done of {read} read: {ok} ok, {failed} failed, {refused} refused"));
        let shown = &snapshots[..snapshots.len().min(MOST_TOOLS)];
        for (_, gone) in self.tools.extract_if(.., |name, _| shown.iter().all(|snapshot| snapshot.name != *name)) {
            self.lines.remove(&gone);
        }
        let width = shown.iter().map(|snapshot| snapshot.name.chars().count()).max().unwrap_or(0);
        for snapshot in shown {
            let line = self.tools.entry(snapshot.name.clone()).or_insert_with(|| self.lines.add(line()));
            line.set_message(format!("  {:width$}  {}", snapshot.name, state(snapshot)));
        }
    }

    /// Clears the view while something else is written to the terminal.
    pub(crate) fn make_room(&self, write: &mut dyn FnMut()) {
        if self.is_shown() { self.lines.suspend(write) } else { write() }
    }

    /// Takes the view off the screen.
    pub(crate) fn clear(&self) {
        let _ = self.lines.clear(); // a view that cannot be cleared is not worth failing for
    }
}

/// Anything that changes. Under way is what was begun and has not ended, be it an attempt or a wait.
fn state(snapshot: &ToolSnapshot) -> String {
    let breaker = snapshot.breaker.as_ref().map_or("no breaker", |breaker| word(breaker.state));
    let tokens = snapshot.tokens.map_or_else(|| "no limit".to_owned(), |tokens| format!("{tokens:.1} tokens"));
    let count = &snapshot.counters;
    let ended = count.ended();
    let under_way = count.calls.saturating_sub(ended);
    format!(
        "{breaker:9}  {tokens:>12}  {under_way:>4} under way  {:>6} ok  {:>6} not ok",
        count.succeeded,
        ended.saturating_sub(count.succeeded)
    )
}

fn line() -> ProgressBar {
    let style = ProgressStyle::with_template("{wide_msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::no_length().with_style(style)
}
