//! `Tally`: counts results as they come.

use super::Totals;
use crate::outcome::{Failure, Outcome};
use fusebox::ErrorKind;
use hdrhistogram::Histogram;
use std::collections::BTreeMap;

/// What has come so far.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// The lines by how they ended.
    pub(crate) totals: Totals,
    /// By tool, how long the calls took that were attempted, in microseconds.
    times: BTreeMap<String, Histogram<u64>>,
}

/// How long calls took.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
}

impl Tally {
    /// Counts one result, of the tool of this name.
    pub(crate) fn count(&mut self, outcome: &Outcome, tool: Option<&str>) {
        let totals = &mut self.totals;
        totals.lines += 1;
        *match &outcome.error {
            None => &mut totals.ok,
            Some(Failure::Line(_)) => &mut totals.invalid,
            Some(Failure::Call(report)) => match report.kind {
                ErrorKind::Rejected => &mut totals.refused,
                ErrorKind::Cancelled => &mut totals.cancelled,
                ErrorKind::UnknownTool => &mut totals.unknown_tool,
                ErrorKind::InvalidArgs => &mut totals.invalid_args,
                ErrorKind::Denied | ErrorKind::NeedsApproval => &mut totals.denied,
                _ => &mut totals.failed,
            },
        } += 1;
        if let Some(tool) = tool
            && outcome.attempts > 0
        {
            self.time(tool, outcome.elapsed_ms);
        }
    }

    /// How long the calls of a tool took, if any was attempted.
    pub(super) fn times(&self, tool: &str) -> Option<Times> {
        let histogram = self.times.get(tool)?;
        #[allow(clippy::cast_precision_loss, reason = "exact for 285 years of microseconds")]
        let ms = |quantile| histogram.value_at_quantile(quantile) as f64 / 1e3;
        Some(Times { p50_ms: ms(0.5), p99_ms: ms(0.99) })
    }

    fn time(&mut self, tool: &str, elapsed_ms: f64) {
        const DIGITS: u8 = 3;
        if !self.times.contains_key(tool)
            && let Ok(histogram) = Histogram::new(DIGITS)
        {
            self.times.insert(tool.to_owned(), histogram);
        }
        if let Some(histogram) = self.times.get_mut(tool) {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "float to int saturates")]
            let micros = (elapsed_ms * 1e3) as u64;
            let _ = histogram.record(micros); // grows by itself
        }
    }
}
