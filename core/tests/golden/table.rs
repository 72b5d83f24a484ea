//! `Table`: what one state machine does, as Markdown; what is alike stands in one row.

/// Every event in every state of one state machine.
pub(crate) struct Table {
    title: &'static str,
    note: &'static str,
    events: Vec<Event>,
}

/// What one event does in each state.
struct Event {
    name: String,
    cases: Vec<Case>,
}

/// What an event does in one state, or in each of several.
#[derive(PartialEq)]
struct Case {
    states: Vec<String>,
    results: Vec<Cell>,
}

/// What an event does at one time.
#[derive(PartialEq)]
pub(crate) struct Cell {
    pub(crate) when: &'static str,
    pub(crate) verdict: String,
    pub(crate) next: String,
}

impl Table {
    pub(crate) const fn new(title: &'static str, note: &'static str) -> Self {
        Self { title, note, events: Vec::new() }
    }

    /// Enters what `event` does in `state`.
    pub(crate) fn enter(&mut self, state: &str, event: &str, results: Vec<Cell>) {
        let index = self.events.iter().position(|known| known.name == event).unwrap_or_else(|| {
            self.events.push(Event { name: event.into(), cases: Vec::new() });
            self.events.len() - 1
        });
        let cases = &mut self.events[index].cases;
        match cases.iter_mut().find(|case| case.results == results) {
            Some(alike) => alike.states.push(state.into()),
            None => cases.push(Case { states: vec![state.into()], results }),
        }
    }

    pub(crate) fn rendered(&self) -> String {
        let mut text = format!("\n## {}\n\n{}\n", self.title, self.note);
        let mut known: Vec<&Event> = Vec::new();
        for event in &self.events {
            if known.iter().any(|other| other.cases == event.cases) {
                continue; // stands there already
            }
            known.push(event);
            let alike = self.events.iter().filter(|other| other.cases == event.cases);
            let names: Vec<_> = alike.map(|event| event.name.as_str()).collect();
            text.push_str("\n| event | state | when | verdict | next |\n|---|---|---|---|---|\n");
            event.render(&names.join("; "), &mut text);
        }
        text
    }
}

impl Event {
    fn render(&self, name: &str, text: &mut String) {
        let states: usize = self.cases.iter().map(|case| case.states.len()).sum();
        for case in &self.cases {
            let joined = match case.states.len() {
                all if all == states && states > 1 => "any".into(),
                most if most > states / 2 && most > 4 => "any other".into(),
                _ => case.states.join("; "),
            };
            case.render(name, &joined, text);
        }
    }
}

impl Case {
    fn render(&self, event: &str, states: &str, text: &mut String) {
        let alike = |a: &Cell, b: &Cell| (&a.verdict, &a.next) == (&b.verdict, &b.next);
        for cells in self.results.chunk_by(alike) {
            let times: Vec<_> = cells.iter().map(|cell| cell.when).collect();
            let when = if cells.len() == self.results.len() { "always".into() } else { times.join(", ") };
            let Cell { verdict, next, .. } = &cells[0];
            text.push_str(&format!("| {event} | {states} | {when} | {verdict} | {next} |\n"));
        }
    }
}

/// A span of time, exactly: `1.5 s`, or `1 ns` where it is shorter than a microsecond.
pub(crate) fn span(nanos: u64) -> String {
    let (seconds, rest) = (nanos / super::SECOND, nanos % super::SECOND);
    match (seconds, rest) {
        (0, 1..1_000) => format!("{rest} ns"),
        (_, 0) => format!("{seconds} s"),
        _ => format!("{seconds}.{}", format!("{rest:09}").trim_end_matches('0')) + " s",
    }
}

pub(crate) fn wait(wait: fusebox_core::Wait) -> String {
    match wait {
        fusebox_core::Wait::Nanos(nanos) => format!("refused for {}", span(nanos)),
        fusebox_core::Wait::Release => "refused until another call ends".into(),
        fusebox_core::Wait::Never => "refused, waiting does not help".into(),
    }
}
