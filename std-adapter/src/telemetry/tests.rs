mod captured;

use super::*;
use crate::counters::CounterSnapshot;
use crate::{CallError, ToolError};
use captured::{Captured, Line};
use fusebox_core::{Cause, Part, Rejection, State, Wait};
use futures_util::FutureExt;
use tracing::Level;

const NOW: Instant = Instant::from_nanos(7_000_000);
const LONG: Duration = Duration::from_millis(40);
const OPENED: Transition = Transition { from: State::Closed, to: State::Open, cause: Cause::Tripped };

fn telemetry() -> Telemetry {
    Telemetry::new("search".into(), Hub::default())
}

fn attempt(number: u32, error: Option<ErrorCategory>) -> AttemptEnding {
    AttemptEnding { number, elapsed: LONG, error, too_long: false }
}

fn ending(attempts: u32, error: Option<&CallError<ToolError>>) -> Ending {
    Ending { attempts, elapsed: LONG, failure: error.map(Failure::from) }
}

fn refusal(by: Part) -> Refusal {
    Refusal { by, wait: Wait::Nanos(5), scope: Scope::Own }
}

fn failed() -> CallError<ToolError> {
    CallError::Failed(ToolError::new(ErrorCategory::Network, "reset"))
}

/// A call whose first attempt fails and whose second one does not.
fn retried_call(telemetry: &Telemetry) {
    let call = telemetry.call_started();
    call.span().in_scope(|| {
        let first = telemetry.attempt_started(1, Reason::First, NOW);
        telemetry.attempt_ended(&first, &attempt(1, Some(ErrorCategory::Network)), NOW);
        telemetry.retry_scheduled(2, LONG, NOW);
        let second = telemetry.attempt_started(2, Reason::Retry, NOW);
        telemetry.attempt_ended(&second, &attempt(2, None), NOW);
    });
    telemetry.call_ended(&call, &ending(2, None), NOW);
}

/// Everything that can happen to a tool, once.
fn everything(telemetry: &Telemetry) {
    retried_call(telemetry);
    let call = telemetry.call_started();
    drop(telemetry.attempt_started(2, Reason::Hedge, NOW));
    telemetry.retry_given_up(GivenUp::Budget, 1, NOW);
    telemetry.fell_back(ErrorKind::Failed, NOW);
    telemetry.transition(None, Some(OPENED), NOW);
    telemetry.refused(None, &refusal(Part::Bucket), NOW);
    telemetry.call_cancelled(&call, 1, LONG, NOW);
}

fn kinds(stream: &mut EventStream) -> Vec<EventKind> {
    let mut kinds = Vec::new();
    while let Some(Some(next)) = stream.next().now_or_never() {
        let event = next.expect("the queue is long enough");
        assert_eq!((event.at, event.tool.as_deref()), (NOW, Some("search")));
        kinds.push(event.kind);
    }
    kinds
}

#[track_caller]
fn assert_fields(line: &Line, expected: &[(&str, &str)]) {
    for (field, value) in expected {
        assert_eq!(line.fields.get(field).map(String::as_str), Some(*value), "{field} of {line:?}");
    }
}

#[test]
fn each_ending_of_a_call_counts_in_one_counter() {
    let rejected = |by| CallError::Rejected(Refusal::own(Rejection { by, wait: Wait::Never }));
    let count = |error: Option<CallError<ToolError>>| {
        let telemetry = telemetry();
        let call = telemetry.call_started();
        telemetry.call_ended(&call, &ending(0, error.as_ref()), NOW);
        telemetry.counters().snapshot()
    };
    let one = |change: fn(&mut CounterSnapshot)| {
        let mut expected = CounterSnapshot { calls: 1, ..CounterSnapshot::default() };
        change(&mut expected);
        expected
    };
    assert_eq!(count(None), one(|counters| counters.succeeded = 1));
    assert_eq!(count(Some(failed())), one(|counters| counters.failed = 1));
    assert_eq!(count(Some(CallError::TimedOut { after: LONG })), one(|counters| counters.failed = 1));
    assert_eq!(count(Some(CallError::Panicked(String::new()))), one(|counters| counters.failed = 1));
    assert_eq!(count(Some(CallError::Cancelled)), one(|counters| counters.cancelled = 1));
    assert_eq!(count(Some(rejected(Part::Breaker))), one(|counters| counters.rejected_by_breaker = 1));
    assert_eq!(count(Some(rejected(Part::Bulkhead))), one(|counters| counters.rejected_by_bulkhead = 1));
    assert_eq!(count(Some(rejected(Part::Bucket))), one(|counters| counters.rejected_by_bucket = 1));
}

#[test]
fn what_happens_within_a_call_is_counted() {
    let telemetry = telemetry();
    everything(&telemetry);
    let cut = telemetry.attempt_started(1, Reason::First, NOW);
    let too_long = AttemptEnding { too_long: true, ..attempt(1, Some(ErrorCategory::Timeout)) };
    telemetry.attempt_ended(&cut, &too_long, NOW);
    telemetry.retry_given_up(GivenUp::Nested, 1, NOW);
    let mut expected = CounterSnapshot { calls: 2, succeeded: 1, cancelled: 1, ..CounterSnapshot::default() };
    expected.attempts = 4;
    expected.retries = 1;
    (expected.hedges, expected.fallbacks) = (1, 1);
    expected.retries_over_budget = 1;
    expected.retries_nested = 1;
    expected.timeouts = 1;
    expected.opened = 1;
    assert_eq!(telemetry.counters().snapshot(), expected, "a refusal counts when its call ends");
}

#[test]
fn the_latest_refusal_and_error_are_kept_but_no_cancellation() {
    let telemetry = telemetry();
    everything(&telemetry);
    let dropped = telemetry.attempt_started(1, Reason::First, NOW);
    telemetry.attempt_ended(&dropped, &attempt(1, Some(ErrorCategory::Cancelled)), NOW);
    assert_eq!(telemetry.latest().refused_at(), Some(NOW));
    assert_eq!(telemetry.latest().error(), Some(ErrorCategory::Network));
}

#[test]
fn subscribers_are_told_of_all_that_happens_in_order() {
    let telemetry = telemetry();
    let mut stream = telemetry.hub().subscribers.subscribe(64);
    everything(&telemetry);
    let network = Some(ErrorCategory::Network);
    let expected = [
        EventKind::AttemptEnded { attempt: 1, error: network, elapsed: LONG },
        EventKind::RetryScheduled { attempt: 2, delay: LONG },
        EventKind::AttemptEnded { attempt: 2, error: None, elapsed: LONG },
        EventKind::CallEnded { attempts: 2, elapsed: LONG, error: None, category: None },
        EventKind::HedgeStarted { attempt: 2 },
        EventKind::RetryGivenUp { why: GivenUp::Budget, attempts: 1 },
        EventKind::FellBack { error: ErrorKind::Failed },
        EventKind::BreakerChanged { from: State::Closed.into(), to: State::Open.into(), cause: Cause::Tripped },
        EventKind::Refused { by: Part::Bucket.into(), group: None, wait: Wait::Nanos(5) },
        EventKind::CallEnded {
            attempts: 1,
            elapsed: LONG,
            error: Some(ErrorKind::Cancelled),
            category: Some(ErrorCategory::Cancelled),
        },
    ];
    assert_eq!(kinds(&mut stream), expected);
}

#[test]
fn an_event_of_a_sub_circuit_bears_its_key_and_one_of_a_group_its_name() {
    let telemetry = telemetry();
    let mut stream = telemetry.hub().subscribers.subscribe(64);
    let key: Arc<str> = "example.com".into();
    telemetry.transition(Some(&key), Some(OPENED), NOW);
    telemetry.refused(Some(&key), &Refusal { scope: Scope::Shared("web".into()), ..refusal(Part::Bucket) }, NOW);
    let mut next = || stream.next().now_or_never().flatten().unwrap().unwrap();
    assert_eq!(next().key.as_deref(), Some("example.com"));
    let refused = next();
    assert_eq!(refused.key.as_deref(), Some("example.com"));
    assert!(matches!(refused.kind, EventKind::Refused { group: Some(group), .. } if &*group == "web"));
}

#[test]
fn no_transition_is_nothing() {
    let telemetry = telemetry();
    let mut stream = telemetry.hub().subscribers.subscribe(1);
    telemetry.transition(None, None, NOW);
    assert_eq!(kinds(&mut stream), []);
    assert_eq!(telemetry.counters().snapshot(), CounterSnapshot::default());
}

#[test]
fn a_call_is_a_span_with_one_span_for_each_attempt_within() {
    let (spans, _) = Captured::while_running(|| retried_call(&telemetry()));
    let [call, first, second] = &spans[..] else { panic!("{spans:?}") };

    assert_eq!((call.name, &*call.target, call.level), ("execute_tool", "fusebox::call", Some(Level::INFO)));
    let named = [("otel.name", "execute_tool search"), ("otel.kind", "internal"), ("gen_ai.tool.name", "search")];
    assert_fields(call, &named);
    assert_fields(call, &[("gen_ai.operation.name", "execute_tool"), ("fusebox.result", "success")]);
    assert_fields(call, &[("fusebox.attempts", "2")]);
    assert!(!call.fields.contains_key("error.type") && !call.fields.contains_key("otel.status_code"));

    assert_eq!((first.name, &*first.target, first.within), ("attempt", "fusebox::attempt", Some("execute_tool")));
    assert_fields(first, &[("otel.name", "attempt search"), ("fusebox.attempt", "1"), ("fusebox.hedge", "false")]);
    assert_fields(first, &[("error.type", "Network"), ("otel.status_code", "ERROR")]);
    assert!(!first.fields.contains_key("fusebox.resend_count"));

    assert_eq!(second.within, Some("execute_tool"));
    assert_fields(second, &[("fusebox.attempt", "2"), ("fusebox.resend_count", "1")]);
    assert!(!second.fields.contains_key("error.type"));
}

#[test]
fn a_cancelled_call_has_an_error_type_and_no_error_status() {
    let (spans, _) = Captured::while_running(|| {
        let telemetry = telemetry();
        telemetry.call_cancelled(&telemetry.call_started(), 0, LONG, NOW);
    });
    assert_fields(&spans[0], &[("error.type", "Cancelled"), ("fusebox.result", "cancelled")]);
    assert!(!spans[0].fields.contains_key("otel.status_code"));
}

#[test]
fn a_hedge_says_so_and_is_no_resend() {
    let (spans, _) = Captured::while_running(|| drop(telemetry().attempt_started(2, Reason::Hedge, NOW)));
    assert_fields(&spans[0], &[("fusebox.hedge", "true")]);
    assert!(!spans[0].fields.contains_key("fusebox.resend_count"));
}

#[test]
fn transitions_are_logged_and_an_opening_is_a_warning() {
    let transition = |from, to, cause| Some(Transition { from, to, cause });
    let (_, lines) = Captured::while_running(|| {
        let telemetry = telemetry();
        telemetry.transition(None, Some(OPENED), NOW);
        telemetry.transition(None, transition(State::Open, State::HalfOpen, Cause::WaitOver), NOW);
        telemetry.transition(None, transition(State::HalfOpen, State::HalfOpen, Cause::ProbesLost), NOW);
        telemetry.transition(None, transition(State::HalfOpen, State::Closed, Cause::ProbesSucceeded), NOW);
    });
    let levels: Vec<_> = lines.iter().filter_map(|line| line.level).collect();
    assert_eq!(levels, [Level::WARN, Level::INFO, Level::WARN, Level::INFO]);
    assert!(lines.iter().all(|line| line.target == "fusebox::breaker"));
    assert_fields(&lines[0], &[("gen_ai.tool.name", "search"), ("message", "breaker opened")]);
    let change =
        [("fusebox.breaker.from", "closed"), ("fusebox.breaker.to", "open"), ("fusebox.breaker.cause", "tripped")];
    assert_fields(&lines[0], &change);
    assert!(!lines[0].fields.contains_key("fusebox.key"));
}

#[test]
fn a_refusal_is_logged_with_its_part_its_group_and_its_wait() {
    let (_, lines) = Captured::while_running(|| {
        let refusal = Refusal { by: Part::Bulkhead, wait: Wait::Release, scope: Scope::Shared("web".into()) };
        telemetry().refused(Some(&"a.example".into()), &refusal, NOW);
    });
    assert_eq!((&*lines[0].target, lines[0].level), ("fusebox::refusal", Some(Level::DEBUG)));
    let told = [("fusebox.refused_by", "bulkhead"), ("fusebox.group", "web"), ("fusebox.key", "a.example")];
    assert_fields(&lines[0], &told);
    assert!(lines[0].fields["message"].starts_with("refused by the bulkhead"), "{:?}", lines[0]);
}

#[test]
fn changes_of_the_registry_are_told_and_logged() {
    let hub = Hub::default();
    let mut stream = hub.subscribers.subscribe(4);
    let (_, lines) = Captured::while_running(|| {
        hub.changed(Some(&"search".into()), EventKind::ToolRegistered, NOW);
        hub.changed(None, EventKind::ConfigRefused { why: "rate.limit is 0".into() }, NOW);
    });
    assert_eq!(lines.iter().filter_map(|line| line.level).collect::<Vec<_>>(), [Level::INFO, Level::WARN]);
    assert_fields(&lines[0], &[("gen_ai.tool.name", "search"), ("message", "tool registered")]);
    assert!(lines[1].fields["message"].ends_with("rate.limit is 0"));
    let mut next = || stream.next().now_or_never().flatten().unwrap().unwrap();
    assert_eq!((next().tool.as_deref(), next().tool), (Some("search"), None));
}

#[test]
fn nothing_is_allocated_while_nobody_looks() {
    let telemetry = telemetry();
    // tracing notes each of its call sites when somebody looks for the first time
    drop(Captured::while_running(|| everything(&telemetry)));
    let allocations = allocation_counter::measure(|| (0..100).for_each(|_| everything(&telemetry)));
    assert_eq!(allocations.count_total, 0, "{allocations:?}");
}

#[cfg(feature = "metrics")]
#[test]
fn metrics_are_recorded_from_when_they_are_switched_on() {
    let recorder = metrics_util::debugging::DebuggingRecorder::new();
    let telemetry = telemetry();
    ::metrics::with_local_recorder(&recorder, || {
        everything(&telemetry);
        telemetry.show(&Levels::default());
        assert!(recorder.snapshotter().snapshot().into_vec().is_empty(), "they are off");
        telemetry.hub().recording.start(10);
        everything(&telemetry);
        telemetry.show(&Levels::default());
    });
    let told = recorder.snapshotter().snapshot().into_vec();
    let mut names: Vec<_> = told.iter().map(|(key, ..)| key.key().name()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 15, "{names:?}");
}
