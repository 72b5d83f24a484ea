//! `Stage`: the registry under load, with the books, the gauges of its limiters, and every registration there was.

use super::accounts::Seen;
use super::books::Books;
use super::cast::{Actor, NAMES, groups_of};
use super::configs;
use super::gauges::{Bounds, Gauge};
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use fastrand::Rng;
use fusebox::testing::Faults;
use fusebox::{
    BreakerStateName, CounterSnapshot, Event, EventKind, Handle, Policy, Registry, RegistryConfig, ToolConfig,
};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The registry under load and all that is known of it.
pub(crate) struct Stage {
    pub(crate) books: Books,
    /// Gone at the end: a tool that calls others would keep its registry alive.
    registry: Mutex<Option<Registry>>,
    faults: BTreeMap<&'static str, [Faults; 2]>,
    /// Every registration of each name; the last one is in force.
    registrations: Mutex<BTreeMap<&'static str, Vec<Handle>>>,
    gauges: Mutex<BTreeMap<String, Gauge>>,
    /// Tools whose bucket may owe tokens that nobody waits for.
    owing: Mutex<BTreeSet<String>>,
    calls: AtomicU64,
    /// Held by every tool.
    token: Arc<()>,
}

/// Where a tool stands: its name, and which registration of it this is.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) name: &'static str,
    number: usize,
}

impl Stage {
    pub(crate) fn new(rng: &mut Rng) -> Arc<Self> {
        let registry = Registry::new();
        let stage = Arc::new(Self {
            books: Books::new(registry.subscribe(100_000)),
            registry: Mutex::new(Some(registry)),
            faults: NAMES.iter().map(|name| (*name, configs::faults(name, rng))).collect(),
            registrations: Mutex::default(),
            gauges: Mutex::default(),
            owing: Mutex::default(),
            calls: AtomicU64::new(0),
            token: Arc::default(),
        });
        stage.change(|registry| registry.apply(&configs::good(rng)).expect("it is good"));
        for name in NAMES {
            stage.register(name);
        }
        stage
    }

    /// The registry, until it is dropped.
    pub(crate) fn registry(&self) -> Registry {
        held(&self.registry).clone().expect("it is there until the end")
    }

    pub(crate) fn next_call(&self) -> u64 {
        self.calls.fetch_add(1, Ordering::Relaxed)
    }

    /// What goes wrong in a tool: always a little, and in an outage.
    pub(crate) fn faults(&self, name: &str) -> &[Faults; 2] {
        &self.faults[name]
    }

    /// The newest registration of a tool, which may have been removed.
    pub(crate) fn handle(&self, name: &str) -> Handle {
        held(&self.registrations)[name].last().expect("every tool was registered").clone()
    }

    pub(crate) fn register(self: &Arc<Self>, name: &'static str) {
        let number = held(&self.registrations).get(name).map_or(0, Vec::len);
        let actor = Actor::new(self, Place { name, number });
        self.change(|registry| {
            let handle = registry.register(name, actor).expect("the name is free");
            held(&self.registrations).entry(name).or_default().push(handle);
        });
    }

    pub(crate) fn replace(self: &Arc<Self>, name: &'static str, config: ToolConfig) {
        let number = held(&self.registrations)[name].len() - 1;
        let actor = Actor::new(self, Place { name, number });
        self.change(|registry| registry.replace(name, actor, config).expect("it may be replaced"));
    }

    /// Changes the registry, and the gauges with it.
    pub(crate) fn change<R>(&self, change: impl FnOnce(&Registry) -> R) -> R {
        let registry = self.registry();
        let booked = self.booked();
        let result = change(&registry);
        held(&self.owing).extend(NAMES.map(str::to_owned));
        let registrations: Vec<_> =
            held(&self.registrations).iter().map(|(name, handles)| (*name, handles.len() - 1)).collect();
        let mut gauges = held(&self.gauges);
        for (gauge, bounds) in bounds(&registry.config(), &registrations) {
            let booked = booked.get(&gauge).copied().unwrap_or_default();
            gauges.entry(gauge).or_insert_with(|| Gauge::new(bounds)).change(bounds, booked);
        }
        result
    }

    /// An attempt begins at a tool. Nobody else has run since it was admitted.
    pub(crate) fn begin(&self, place: &Place, call: u64, cost: f64) {
        let registrations = held(&self.registrations);
        let Some(handle) = registrations.get(place.name).and_then(|handles| handles.get(place.number)) else { return };
        let tool = handle.snapshot();
        if tool.breaker.is_some_and(|own| matches!(own.state, BreakerStateName::Open | BreakerStateName::ForcedOpen)) {
            self.books.complain(format!("{place:?}: an open breaker has admitted an attempt"));
        }
        drop(registrations);
        let mut gauges = held(&self.gauges);
        // only a tool's own bucket is booked ahead: by each call that waits, and by this one, at most what the dearest costs
        let waiting = waiting(&tool.counters, gauges.get(&own_gauge_of(place))) as f64;
        let own = if configs::WITHOUT_WAIT.contains(&place.name) { 0.0 } else { 2.0 * waiting };
        for name in gauges_of(place) {
            let Some(gauge) = gauges.get_mut(&name) else { continue };
            let booked = if name == own_gauge_of(place) { own } else { 0.0 };
            if let Err(problem) = gauge.begin(call, cost, booked) {
                self.books.complain(format!("{name}: {problem}"));
            }
        }
    }

    /// An attempt is over, or was cut.
    pub(crate) fn end(&self, place: &Place, call: u64, cost: f64, cut: bool) {
        let mut gauges = held(&self.gauges);
        for name in gauges_of(place) {
            if let Some(gauge) = gauges.get_mut(&name) {
                gauge.end(call, cost, cut);
            }
        }
    }

    /// A call is over.
    pub(crate) fn settle(&self, call: u64, seen: Seen, events: Vec<Event>, deadline: Option<Duration>) {
        let failed = |event: &Event| matches!(event.kind, EventKind::CallEnded { error: Some(_), .. });
        for tool in events.iter().filter(|event| failed(event)).filter_map(|event| event.tool.as_deref()) {
            let newest = self.newest(tool);
            if newest.is_some_and(|place| self.waiting(&place) > 0) {
                held(&self.owing).insert(tool.to_owned());
            }
        }
        self.books.settle(call, seen, events, deadline);
    }

    /// What must hold at any moment.
    pub(crate) fn inspect(&self) {
        self.books.check();
        for tool in self.registry().snapshot() {
            if let Some(retries) = tool.retries {
                assert!((0.0..=configs::RETRIES).contains(&retries), "the retry budget's range: {tool:#?}");
            }
            if let Some(tokens) = tool.tokens {
                assert!(tokens >= 0.0, "{tool:#?}");
            }
            assert!(tool.counters.ended() <= tool.counters.calls, "more calls have ended than begun: {tool:#?}");
        }
        self.inspect_bookings();
        let keys = self.handle("fetch").keys().len();
        assert!(keys <= configs::MAX_KEYS, "{keys} keys");
    }

    /// Where no call waits nothing is booked; unless somebody gave up a place in the line before others, whose tokens are
    /// lost, or the limits have changed meanwhile.
    fn inspect_bookings(&self) {
        for (name, [_, booked, _]) in self.levels() {
            let Some(place) = name.split_once(' ').and_then(|(tool, _)| self.newest(tool)) else { continue };
            if booked == 0.0 {
                held(&self.owing).remove(place.name);
            } else if self.waiting(&place) == 0 && !held(&self.owing).contains(place.name) {
                panic!("{booked} tokens of {name} are booked, and nobody waits for them");
            }
        }
    }

    /// Calls to a tool of which no attempt runs.
    fn waiting(&self, place: &Place) -> u64 {
        let registrations = held(&self.registrations);
        let Some(handle) = registrations.get(place.name).and_then(|handles| handles.get(place.number)) else {
            return 0;
        };
        waiting(&handle.snapshot().counters, held(&self.gauges).get(&own_gauge_of(place)))
    }

    fn newest(&self, tool: &str) -> Option<Place> {
        let registrations = held(&self.registrations);
        let (name, handles) = registrations.get_key_value(tool)?;
        Some(Place { name, number: handles.len().checked_sub(1)? })
    }

    /// The counters of every registration of each name.
    pub(crate) fn counters(&self) -> BTreeMap<String, CounterSnapshot> {
        let mut sums = BTreeMap::new();
        for (name, handles) in held(&self.registrations).iter() {
            let sum: &mut CounterSnapshot = sums.entry((*name).to_owned()).or_default();
            for handle in handles {
                *sum += handle.snapshot().counters;
            }
        }
        sums
    }

    /// How full each limiter is, and what is booked there ahead, in tokens; with its burst.
    pub(crate) fn levels(&self) -> BTreeMap<String, [f64; 3]> {
        let state = self.state();
        let gauges = held(&self.gauges);
        let of = |name: &str, parts: &Value| {
            let bucket = &parts["bucket"];
            let tokens = |field: &str| bucket[field].as_f64().expect("every limiter has a bucket") / 1_000.0;
            (name.to_owned(), [tokens("level"), tokens("debt"), gauges[name].bounds().burst])
        };
        let mut levels = BTreeMap::from([of("registry", &state["limits"])]);
        for (name, group) in state["groups"].as_object().into_iter().flatten() {
            levels.extend([of(&format!("group {name}"), group)]);
        }
        for (name, tool) in state["tools"].as_object().into_iter().flatten() {
            let number = held(&self.registrations)[name.as_str()].len() - 1;
            levels.extend([of(&format!("{name} {number}"), &tool["own"])]);
        }
        levels
    }

    /// The state as data.
    pub(crate) fn state(&self) -> Value {
        serde_json::to_value(self.registry().state()).expect("it is data")
    }

    /// Whether tools run anywhere.
    pub(crate) fn inside(&self) -> u32 {
        held(&self.gauges)["registry"].inside()
    }

    pub(crate) fn token(&self) -> Arc<()> {
        Arc::clone(&self.token)
    }

    /// How many tools there are anywhere.
    pub(crate) fn tools_alive(&self) -> usize {
        Arc::strong_count(&self.token) - 1
    }

    /// Lets go of the registry and of every handle.
    pub(crate) fn drop_registry(&self) {
        held(&self.registrations).clear();
        *held(&self.registry) = None;
    }

    fn booked(&self) -> BTreeMap<String, f64> {
        if held(&self.gauges).is_empty() {
            return BTreeMap::new(); // nothing was configured yet
        }
        self.levels().into_iter().map(|(name, [_, booked, _])| (name, booked)).collect()
    }
}

/// The limits of every limiter in force.
fn bounds(config: &RegistryConfig, registrations: &[(&'static str, usize)]) -> Vec<(String, Bounds)> {
    let mut bounds = vec![("registry".to_owned(), Bounds::of(config.limits.policy().expect("in force").effective()))];
    for (name, limits) in &config.groups {
        bounds.push((format!("group {name}"), Bounds::of(limits.policy().expect("in force").effective())));
    }
    for (name, number) in registrations {
        if let Some(tool) = config.tools.get(*name) {
            let policy = Policy::new(&tool.policy.clone().or(&config.defaults)).expect("in force");
            bounds.push((format!("{name} {number}"), Bounds::of(policy.effective())));
        }
    }
    bounds
}

/// Calls under way of which no attempt runs.
fn waiting(counters: &CounterSnapshot, gauge: Option<&Gauge>) -> u64 {
    let under_way = counters.calls.saturating_sub(counters.ended());
    under_way.saturating_sub(gauge.map_or(0, Gauge::calls) as u64)
}

/// The limiters that an attempt has passed.
fn gauges_of(place: &Place) -> impl Iterator<Item = String> {
    let groups = groups_of(place.name).iter().map(|group| format!("group {group}"));
    ["registry".to_owned(), own_gauge_of(place)].into_iter().chain(groups)
}

fn own_gauge_of(place: &Place) -> String {
    format!("{} {}", place.name, place.number)
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
