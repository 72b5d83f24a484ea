//! Editors: many threads register, replace and remove the same names. A registration lasts until its name is removed, and no
//! edit is lost.

use crate::crew::crew;
use crate::tally::Tally;
use fastrand::Rng;
use fusebox::{CallError, Handle, PolicyConfig, Registry};
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
    let registrations = registrations(&handles);
    assert_eq!(
        registrations.len(),
        removed + usize::from(present.is_some()),
        "{removed} times a registration was removed, and the name is {}",
        if present.is_some() { "taken" } else { "free" },
    );
    for handle in &registrations {
        let is_present = present.as_ref() == Some(*handle);
        let before = handle.snapshot().counters.calls;
        assert_eq!(call(handle), is_present, "what has the name can be called, and nothing else");
        assert_eq!(handle.snapshot().counters.calls, before + u64::from(is_present), "a call counts where it was made");
    }
    Tally::from([("edits", (threads * EDITS) as u64), ("states", registrations.len() as u64)])
}

/// One handle of each registration.
fn registrations(handles: &[Handle]) -> Vec<&Handle> {
    let mut registrations: Vec<&Handle> = Vec::new();
    for handle in handles {
        if !registrations.contains(&handle) {
            registrations.push(handle);
        }
    }
    registrations
}

/// Makes a call, and says whether there was a tool to make it.
fn call(handle: &Handle) -> bool {
    let args = Value::Null;
    let mut context = Context::from_waker(Waker::noop());
    match pin!(handle.call(&args)).poll(&mut context) {
        Poll::Ready(Ok(_)) => true,
        Poll::Ready(Err(CallError::UnknownTool(_))) => false,
        ended => panic!("it is ready: {ended:?}"),
    }
}
