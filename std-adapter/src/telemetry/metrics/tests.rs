use super::super::ending::Failure;
use super::*;
use crate::ErrorKind;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use fusebox_core::{Part, Wait};
use metrics::{Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit, with_local_recorder};
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use std::collections::BTreeMap;

/// What a recorder was told: metric and labels as text, and the value.
fn recorded(snapshotter: &Snapshotter) -> BTreeMap<String, DebugValue> {
    let metrics = snapshotter.snapshot().into_vec().into_iter();
    let told = metrics.map(|(key, _, _, value)| {
        let labels: Vec<_> = key.key().labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
        (format!("{}{{{}}}", key.key().name(), labels.join(",")), value)
    });
    told.collect()
}

/// What is recorded while `record` runs with the metrics of `search`.
fn recording(record: impl FnOnce(&ToolMetrics)) -> BTreeMap<String, DebugValue> {
    let recorder = DebuggingRecorder::new();
    with_local_recorder(&recorder, || record(&ToolMetrics::new(&"search".into(), true)));
    recorded(&recorder.snapshotter())
}

fn counter(count: u64) -> DebugValue {
    DebugValue::Counter(count)
}

fn gauge(level: f64) -> DebugValue {
    DebugValue::Gauge(level.into())
}

fn histogram(seconds: &[f64]) -> DebugValue {
    DebugValue::Histogram(seconds.iter().map(|&second| second.into()).collect())
}

fn ending(attempts: u32, failure: Option<Failure>) -> Ending {
    Ending { attempts, elapsed: Duration::from_millis(250), failure }
}

#[test]
fn calls_are_counted_by_result_and_timed_in_seconds() {
    let timed_out = Failure { kind: ErrorKind::TimedOut, category: ErrorCategory::Timeout, refused_by: None };
    let rejected = Failure { kind: ErrorKind::Rejected, category: ErrorCategory::CircuitOpen, refused_by: None };
    let told = recording(|metrics| {
        metrics.call_ended(&ending(1, None));
        metrics.call_ended(&ending(2, None));
        metrics.call_ended(&ending(1, Some(timed_out)));
        metrics.call_ended(&ending(0, Some(rejected)));
    });
    assert_eq!(told["fusebox.calls{tool=search,result=success}"], counter(2));
    assert_eq!(told["fusebox.calls{tool=search,result=timed_out}"], counter(1));
    assert_eq!(told["fusebox.calls{tool=search,result=rejected}"], counter(1));
    assert_eq!(told["fusebox.call.duration{tool=search,result=success}"], histogram(&[0.25, 0.25]));
    assert_eq!(
        told["fusebox.call.duration{tool=search,result=error}"],
        histogram(&[0.25]),
        "refused calls take no time"
    );
}

#[test]
fn attempts_are_counted_by_category_and_there_is_room_for_all() {
    let told = recording(|metrics| {
        let elapsed = Duration::from_secs(2);
        for error in ErrorCategory::ALL.map(Some).into_iter().chain([None]) {
            metrics.attempt_ended(&AttemptEnding { number: 1, elapsed, error, too_long: false });
        }
    });
    assert_eq!(told["fusebox.attempts{tool=search,result=success}"], counter(1));
    for category in ErrorCategory::ALL {
        assert_eq!(told[&format!("fusebox.attempts{{tool=search,result={category}}}")], counter(1));
    }
    assert_eq!(told["fusebox.attempt.duration{tool=search,result=success}"], histogram(&[2.0]));
}

#[test]
fn refusals_are_counted_by_part_and_scope() {
    let refusal = |by, scope| Refusal { by, wait: Wait::Never, scope };
    let told = recording(|metrics| {
        metrics.refused(&refusal(Part::Breaker, Scope::Own));
        metrics.refused(&refusal(Part::Bucket, Scope::Own));
        metrics.refused(&refusal(Part::Bucket, Scope::Shared("web".into())));
        metrics.refused(&refusal(Part::Bucket, Scope::Shared("registry".into())));
    });
    assert_eq!(told["fusebox.refusals{tool=search,scope=own,part=breaker}"], counter(1));
    assert_eq!(told["fusebox.refusals{tool=search,scope=own,part=bucket}"], counter(1));
    assert_eq!(told["fusebox.refusals{tool=search,scope=shared,part=bucket}"], counter(2), "a group is no label");
}

#[test]
fn retries_hedges_and_fallbacks_are_counted() {
    let told = recording(|metrics| {
        [Reason::First, Reason::Retry, Reason::Retry, Reason::Hedge]
            .into_iter()
            .for_each(|reason| metrics.attempt_started(reason));
        metrics.retry_given_up(GivenUp::Budget);
        metrics.retry_given_up(GivenUp::Nested);
        metrics.fell_back();
    });
    assert_eq!(told["fusebox.retries{tool=search}"], counter(2));
    assert_eq!(told["fusebox.hedges{tool=search}"], counter(1));
    assert_eq!(told["fusebox.fallbacks{tool=search}"], counter(1));
    assert_eq!(told["fusebox.retries.given_up{tool=search,why=budget}"], counter(1));
    assert_eq!(told["fusebox.retries.given_up{tool=search,why=nested}"], counter(1));
}

#[test]
fn transitions_are_counted_and_shown_and_lost_probes_are_no_transition() {
    let opened = Transition { from: State::Closed, to: State::Open, cause: Cause::Tripped };
    let half_opened = Transition { from: State::Open, to: State::HalfOpen, cause: Cause::WaitOver };
    let lost = Transition { from: State::HalfOpen, to: State::HalfOpen, cause: Cause::ProbesLost };
    let told = recording(|metrics| {
        metrics.transition(opened, false);
        metrics.transition(half_opened, false);
        metrics.transition(lost, false);
        metrics.transition(opened, true);
    });
    assert_eq!(told["fusebox.breaker.transitions{tool=search,to=open}"], counter(2));
    assert_eq!(told["fusebox.breaker.transitions{tool=search,to=half_open}"], counter(1));
    assert_eq!(told["fusebox.breaker.probes_lost{tool=search}"], counter(1));
    assert_eq!(told["fusebox.breaker.state{tool=search}"], gauge(1.0), "a sub-circuit's state is not the tool's");
}

#[test]
fn gauges_show_the_levels_they_are_given() {
    let told = recording(|metrics| {
        metrics.show(&Levels { breaker: Some(State::Open), in_flight: 3, tokens: Some(1.5), retries: Some(9.0) });
    });
    assert_eq!(told["fusebox.breaker.state{tool=search}"], gauge(2.0));
    assert_eq!(told["fusebox.calls.in_flight{tool=search}"], gauge(3.0));
    assert_eq!(told["fusebox.tokens{tool=search}"], gauge(1.5));
    assert_eq!(told["fusebox.retries.left{tool=search}"], gauge(9.0));
}

#[test]
fn names_beyond_the_cap_share_a_label_and_have_no_gauges() {
    let (recorder, recording) = (DebuggingRecorder::new(), Recording::default());
    with_local_recorder(&recorder, || {
        recording.start(2);
        for tool in ["a", "b", "c", "d", "a"] {
            let metrics = recording.metrics_of(&tool.into());
            metrics.call_ended(&ending(1, None));
            metrics.show(&Levels { in_flight: 1, ..Levels::default() });
        }
    });
    let told = recorded(&recorder.snapshotter());
    let calls = |tool: &str| &told[&format!("fusebox.calls{{tool={tool},result=success}}")];
    assert_eq!((calls("a"), calls("b"), calls("other")), (&counter(2), &counter(1), &counter(2)));
    let gauges: Vec<_> = told.keys().filter_map(|name| name.strip_prefix("fusebox.calls.in_flight")).collect();
    assert_eq!(gauges, ["{tool=a}", "{tool=b}"]);
}

#[test]
fn every_metric_is_described_and_listed_in_the_documentation() {
    let (recorder, recording) = (DebuggingRecorder::new(), Recording::default());
    with_local_recorder(&recorder, || {
        recording.start(1);
        let metrics = recording.metrics_of(&"search".into());
        metrics.call_ended(&ending(1, None));
        metrics.attempt_ended(&AttemptEnding { number: 1, elapsed: Duration::ZERO, error: None, too_long: false });
        metrics.refused(&Refusal { by: Part::Breaker, wait: Wait::Never, scope: Scope::Own });
        metrics.retry_given_up(GivenUp::Budget);
        metrics.transition(Transition { from: State::Closed, to: State::Open, cause: Cause::Tripped }, false);
    });
    let told = recorder.snapshotter().snapshot().into_vec();
    let names: std::collections::BTreeSet<_> = told.iter().map(|(key, ..)| key.key().name()).collect();
    assert_eq!(names.len(), 15, "{names:?}");
    for (key, unit, description, _) in &told {
        let name = key.key().name();
        assert!(description.is_some(), "{name} is not described");
        assert_eq!(*unit == Some(Unit::Seconds), name.ends_with("duration"), "{name}");
        assert!(include_str!("../../telemetry.rs").contains(&format!("//! | `{name}` |")), "{name} is not listed");
    }
}

/// Counts how often a handle is made.
#[derive(Debug, Default)]
struct Makes(AtomicUsize);

impl Recorder for Makes {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
        self.0.fetch_add(1, Ordering::Relaxed);
        Counter::noop()
    }
    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        self.0.fetch_add(1, Ordering::Relaxed);
        Gauge::noop()
    }
    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        self.0.fetch_add(1, Ordering::Relaxed);
        Histogram::noop()
    }
}

#[test]
fn a_handle_is_made_once_and_recording_allocates_nothing() {
    let recorder = Makes::default();
    with_local_recorder(&recorder, || {
        let metrics = ToolMetrics::new(&"search".into(), true);
        let record = || {
            metrics.attempt_started(Reason::Retry);
            metrics.attempt_ended(&AttemptEnding { number: 2, elapsed: Duration::ZERO, error: None, too_long: false });
            metrics.refused(&Refusal { by: Part::Bucket, wait: Wait::Never, scope: Scope::Own });
            metrics.call_ended(&ending(2, Some(Failure::CANCELLED)));
            metrics.show(&Levels::default());
        };
        record();
        let made = recorder.0.load(Ordering::Relaxed);
        let allocations = allocation_counter::measure(|| (0..100).for_each(|_| record()));
        assert_eq!(allocations.count_total, 0, "{allocations:?}");
        assert_eq!(recorder.0.load(Ordering::Relaxed), made);
    });
}
