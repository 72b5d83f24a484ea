//! `Family` and `Durations`: one metric under the few values of a label, each handle made when it is first used.

use core::time::Duration;
use metrics::{Counter, Histogram, IntoLabels, Label, SharedString, counter, histogram};
use std::sync::{Arc, OnceLock};

/// The labels that all metrics of a family have.
#[derive(Clone, Debug)]
pub(super) struct Labels(Vec<Label>);

impl Labels {
    pub(super) fn of(tool: &Arc<str>) -> Self {
        Self(vec![Label::new("tool", SharedString::from_shared(Arc::clone(tool)))])
    }

    pub(super) fn with(mut self, label: &'static str, value: &'static str) -> Self {
        self.0.push(Label::from_static_parts(label, value));
        self
    }
}

impl IntoLabels for Labels {
    fn into_labels(self) -> Vec<Label> {
        self.0
    }
}

/// A counter for each value of a label, at most `N` values.
#[derive(Debug)]
pub(super) struct Family<const N: usize> {
    name: &'static str,
    labels: Labels,
    label: &'static str,
    /// In the order in which values were first met.
    counters: [OnceLock<(&'static str, Counter)>; N],
}

impl<const N: usize> Family<N> {
    pub(super) fn new(name: &'static str, labels: Labels, label: &'static str) -> Self {
        Self { name, labels, label, counters: [const { OnceLock::new() }; N] }
    }

    /// The family with these values at zero from its begin: a series that appears with its first increase hides it from
    /// those who look for increases.
    pub(super) fn at_zero(self, values: impl IntoIterator<Item = &'static str>) -> Self {
        for (place, value) in self.counters.iter().zip(values) {
            place.get_or_init(|| (value, self.counter(value)));
        }
        self
    }

    pub(super) fn add_one(&self, value: &'static str) {
        for place in &self.counters {
            let (its_value, counter) = place.get_or_init(|| (value, self.counter(value)));
            if *its_value == value {
                counter.increment(1);
                return;
            }
        }
        debug_assert!(false, "{} has more than {N} values of {}", self.name, self.label);
    }

    #[cold]
    fn counter(&self, value: &'static str) -> Counter {
        counter!(self.name, self.labels.clone().with(self.label, value))
    }
}

/// How long something takes, apart for successes and errors: errors tend to be faster, or much slower.
#[derive(Debug)]
pub(super) struct Durations {
    success: Histogram,
    error: Histogram,
}

impl Durations {
    pub(super) fn new(name: &'static str, labels: Labels) -> Self {
        Self {
            success: histogram!(name, labels.clone().with("result", "success")),
            error: histogram!(name, labels.with("result", "error")),
        }
    }

    pub(super) fn record(&self, duration: Duration, success: bool) {
        if success { &self.success } else { &self.error }.record(duration.as_secs_f64());
    }
}
