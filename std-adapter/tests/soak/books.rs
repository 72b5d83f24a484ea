//! `Books`: all that was reported, each event with the call that it belongs to, and what does not add up.

use super::accounts::{Account, Seen, Sums, Work};
use core::time::Duration;
use fusebox::{BreakerStateName, Cause, Event, EventKind, EventStream};
use futures_util::FutureExt;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// All that was reported. There is one thread, so what is reported while a call is polled is of that call.
pub(crate) struct Books {
    pages: Mutex<Pages>,
}

struct Pages {
    stream: EventStream,
    /// The events of calls that are being polled, the innermost last.
    polled: Vec<Vec<Event>>,
    /// What tools did for calls that are not over.
    work: HashMap<u64, BTreeMap<&'static str, Work>>,
    sums: Sums,
    events: u64,
    calls: u64,
    complaints: Vec<String>,
}

impl Books {
    pub(crate) fn new(stream: EventStream) -> Self {
        Self {
            pages: Mutex::new(Pages {
                stream,
                polled: Vec::new(),
                work: HashMap::new(),
                sums: Sums::new(),
                events: 0,
                calls: 0,
                complaints: Vec::new(),
            }),
        }
    }

    /// A call is about to be polled or dropped.
    pub(crate) fn enter(&self) {
        let mut pages = self.pages();
        pages.sort_in();
        pages.polled.push(Vec::new());
    }

    /// It was; what was reported meanwhile goes to `events`.
    pub(crate) fn leave(&self, events: &mut Vec<Event>) {
        let mut pages = self.pages();
        pages.sort_in();
        events.extend(pages.polled.pop().unwrap_or_default());
    }

    pub(crate) fn begun(&self, call: u64, tool: &'static str) {
        self.pages().work.entry(call).or_default().entry(tool).or_default().begun += 1;
    }

    pub(crate) fn answered(&self, call: u64, tool: &'static str) {
        self.pages().work.entry(call).or_default().entry(tool).or_default().answered += 1;
    }

    /// A call is over.
    pub(crate) fn settle(&self, call: u64, seen: Seen, events: Vec<Event>, deadline: Option<Duration>) {
        let mut pages = self.pages();
        let work = pages.work.remove(&call).unwrap_or_default();
        let account = Account { seen, events, work, deadline };
        pages.calls += 1;
        if let Err(problem) = account.add_to(&mut pages.sums) {
            pages.complaints.push(format!("call {call}: {problem}: {account:#?}"));
        }
    }

    /// Something is not as it must be. It is told later, because a panic within a call would be the call's.
    pub(crate) fn complain(&self, problem: String) {
        self.pages().complaints.push(problem);
    }

    /// The number of events so far.
    pub(crate) fn events(&self) -> u64 {
        let mut pages = self.pages();
        pages.sort_in();
        pages.events
    }

    pub(crate) fn calls(&self) -> u64 {
        self.pages().calls
    }

    pub(crate) fn sums(&self) -> Sums {
        let mut pages = self.pages();
        pages.sort_in();
        pages.sums.clone()
    }

    /// Fails where something does not add up.
    pub(crate) fn check(&self) {
        let mut pages = self.pages();
        pages.sort_in();
        let complaints = core::mem::take(&mut pages.complaints);
        drop(pages);
        assert!(complaints.is_empty(), "{} problems, the first: {}", complaints.len(), complaints[0]);
    }

    /// No attempt was begun after the end of its call.
    pub(crate) fn check_that_nobody_works(&self) {
        let pages = self.pages();
        assert!(pages.work.is_empty(), "work for calls that are over: {:?}", pages.work);
    }

    /// Whether nobody is left who could report anything.
    pub(crate) fn are_closed(&self) -> bool {
        let mut pages = self.pages();
        pages.sort_in();
        matches!(tokio::task::unconstrained(pages.stream.next()).now_or_never(), Some(None))
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pages {
    /// Gives what was just reported to the call that is being polled.
    fn sort_in(&mut self) {
        // unconstrained, so that looking changes nothing for the task
        while let Some(Some(event)) = tokio::task::unconstrained(self.stream.next()).now_or_never() {
            match event {
                Ok(event) => self.add(event),
                Err(missed) => self.complaints.push(format!("the large stream: {missed}")),
            }
        }
    }

    fn add(&mut self, event: Event) {
        self.events += 1;
        if let (EventKind::BreakerChanged { to, cause, .. }, Some(tool)) = (&event.kind, &event.tool) {
            let sum = self.sums.entry(tool.to_string()).or_default();
            *match (cause, to) {
                (Cause::ProbesLost, _) => &mut sum.probes_lost,
                (_, BreakerStateName::Open | BreakerStateName::ForcedOpen) => &mut sum.opened,
                (_, BreakerStateName::HalfOpen) => &mut sum.half_opened,
                _ => &mut sum.closed,
            } += 1;
        }
        match self.polled.last_mut() {
            Some(events) => events.push(event),
            None if matches!(event.kind, EventKind::CallEnded { .. } | EventKind::AttemptEnded { .. }) => {
                self.complaints.push(format!("an end that belongs to no call: {event:?}"));
            }
            None => {}
        }
    }
}
