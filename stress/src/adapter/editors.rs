//! Editors: many threads register, replace and remove the same names. A name keeps its state until it is removed, and no
//! edit is lost.

use crate::crew::crew;
use crate::tally::Tally;
use fastrand::Rng;
use fusebox::{Handle, PolicyConfig, Registry};
use serde_json::{Value, json};
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

const EDITS: usize = 12;

/// One round, on one name.
pub(crate) fn run(rng: &mut Rng, threads: usize) -> Tally {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let _inside = runtime.enter();
    let registry = Registry::new();
    let policy: PolicyConfig =
        serde_json::from_value(json!({ "rate": { "enabled": false } })).expect("a policy that can be read");
    let tool = async |args: Value| Ok(args);
    let removes = rng.bool();
    let crew = crew(rng, threads, |_, rng| {
        let (mut handles, mut removed) = (Vec::new(), 0);
        for _ in 0..EDITS {
            match rng.u8(..4) {
                0 if removes => removed += usize::from(registry.remove("one")),
                1 => handles.extend(registry.register_with("one", tool, &policy).ok()),
                _ => handles.push(registry.replace("one", tool, &policy).expect("in range")),
            }
        }
        (handles, removed)
    });
    let (mut handles, mut removed) = (Vec::new(), 0);
    for (more, count) in crew {
        handles.extend(more);
        removed += count;
    }
    let present = registry.handle("one");
    let states = states(&handles);
    assert_eq!(
        states.len(),
        removed + usize::from(present.is_some()),
        "{removed} times a state was removed with its name, and the name is {}",
        if present.is_some() { "taken" } else { "free" },
    );
    if let Some(present) = present {
        let before = present.snapshot().counters.calls;
        for (state, calls) in &states {
            assert_eq!(state.snapshot().counters.calls, *calls, "a state has been called by somebody else");
        }
        call(&present);
        let called = states.iter().filter(|(state, calls)| state.snapshot().counters.calls > *calls).count();
        assert_eq!((called, before > 0), (1, true), "the name stands for one of the states");
    }
    Tally::from([("edits", (threads * EDITS) as u64), ("states", states.len() as u64)])
}

/// A handle of each state, and its calls: handles that count each other's calls share one.
fn states(handles: &[Handle]) -> Vec<(&Handle, u64)> {
    let (mut states, mut rest): (Vec<(&Handle, u64)>, Vec<&Handle>) = (Vec::new(), handles.iter().collect());
    while let Some(handle) = rest.first().copied() {
        let before: Vec<_> = rest.iter().map(|other| other.snapshot().counters.calls).collect();
        call(handle);
        let mut places = before.iter();
        rest.retain(|other| places.next() == Some(&other.snapshot().counters.calls));
        states.push((handle, handle.snapshot().counters.calls));
    }
    states
}

fn call(handle: &Handle) {
    let args = Value::Null;
    let mut context = Context::from_waker(Waker::noop());
    let Poll::Ready(Ok(_)) = pin!(handle.call(&args)).poll(&mut context) else { panic!("it is ready and succeeds") };
}
