//! `ServiceCircuit`: what admits the calls of a service and its clones, and the policy that they are under.

use super::layer_policy::LayerPolicy;
use super::reservation::Reservation;
use crate::clock::TokioClock;
use crate::executor::Limiter;
#[cfg(feature = "metrics")]
use crate::telemetry::Levels;
use crate::telemetry::{Hub, Telemetry};
use crate::{
    ConfigError, CounterSnapshot, EventKind, EventStream, PartsSnapshot, Policy, PolicyConfig, Refusal, Scope,
};
use arc_swap::{ArcSwap, Guard};
#[cfg(feature = "metrics")]
use fusebox_core::Tokens;
use fusebox_core::{Clock, Forced, Instant, Part, Priority, Rejection, Transition};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;

/// What admits the calls of a service and its clones: breaker, bulkhead, rate limit, throttle. A clone of this is the
/// same circuit.
///
/// It shows a circuit, tells what happens to it, changes its policy, and lets a person take it out of service; calls go
/// through [`CircuitService`](super::CircuitService).
///
/// ```
/// use fusebox::PolicyConfig;
/// use fusebox::tower::CircuitLayer;
///
/// let config = |text| toml::from_str::<PolicyConfig>(text);
/// let layer = CircuitLayer::new(&config("rate = { limit = '1/day', burst = 10 }")?)?.named("pages").shared();
/// let circuit = layer.circuit().expect("it is shared");
/// circuit.change_policy(&config("rate = { limit = '100/s', burst = 50 }")?)?;
/// assert_eq!(circuit.snapshot().tokens, Some(fusebox_core::Tokens::whole(50)));
/// assert_eq!(circuit.counters().calls, 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct ServiceCircuit {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    limiter: Limiter,
    policy: ArcSwap<LayerPolicy>,
    /// Held while the policy changes.
    changing: Mutex<()>,
    /// Tells all services that wait, for a time too, that a person has changed the circuit.
    changed: Arc<Notify>,
    telemetry: Telemetry,
    clock: TokioClock,
}

impl ServiceCircuit {
    /// A fresh one; `name` is how telemetry names it, and refusals where several services share it.
    pub(super) fn new(policy: Arc<LayerPolicy>, name: Option<&Arc<str>>, is_shared: bool) -> Self {
        let scope = match name {
            Some(name) if is_shared => Scope::Shared(Arc::clone(name)),
            _ => Scope::Own,
        };
        let name = name.map_or_else(|| "unnamed".into(), Arc::clone);
        Self {
            shared: Arc::new(Shared {
                limiter: Limiter::new(scope, Arc::new(policy.policy.limits)),
                policy: ArcSwap::new(policy),
                changing: Mutex::default(),
                changed: Arc::default(),
                telemetry: Telemetry::of_service(name, Hub::default()),
                clock: TokioClock::new(),
            }),
        }
    }

    /// The name, see [`CircuitLayer::named`](super::CircuitLayer::named).
    pub fn name(&self) -> &str {
        self.telemetry().tool()
    }

    /// The policy in force.
    pub fn policy(&self) -> Arc<Policy> {
        Arc::clone(&self.layer_policy().policy)
    }

    /// Puts another policy in force, for every service that has this circuit, and keeps the state: an open breaker stays
    /// open, a bucket keeps its fill level, calls in flight still count. Services that wait look again at once.
    ///
    /// Calls under way are settled under the new one, and those of a [`PolicyLayer`](super::PolicyLayer) are retried by
    /// it; a timeout or a deadline that runs already stays. Fields that are absent have their defaults, and not what
    /// they were before. A layer of one part, such as [`BreakerLayer`](super::BreakerLayer), gets no other unless the
    /// configuration speaks of it. What was set on the layer in code, such as its `max_wait`, stays.
    ///
    /// # Errors
    /// The first field that is not allowed. Nothing was changed.
    pub fn change_policy(&self, config: &PolicyConfig) -> Result<(), ConfigError> {
        let Shared { limiter, policy, changing, changed, telemetry, clock } = &*self.shared;
        let one_at_a_time = changing.lock().unwrap_or_else(PoisonError::into_inner);
        let new = policy.load().changed(config)?;
        let now = clock.now();
        limiter.change_policy(Arc::new(new.policy.limits), now);
        policy.store(Arc::new(new));
        drop(one_at_a_time);
        changed.notify_waiters();
        telemetry.hub().changed(Some(telemetry.tool()), EventKind::PolicyChanged, now);
        Ok(())
    }

    /// The state of the parts that the policy has. Only reads.
    pub fn snapshot(&self) -> PartsSnapshot {
        self.limiter().snapshot(self.now())
    }

    /// What has happened so far, as numbers. What a call is, the [module documentation](super) says.
    pub fn counters(&self) -> CounterSnapshot {
        self.telemetry().counters().snapshot()
    }

    /// What happens from now on, for a subscriber who may be slow: `capacity` events wait for it, at least 1, and of those
    /// that are missed it learns how many. Calls never wait for it.
    pub fn subscribe(&self, capacity: usize) -> EventStream {
        self.telemetry().hub().subscribers.subscribe(capacity)
    }

    /// Records metrics from now on, through the recorder that is installed; see [`telemetry`](crate::telemetry) for their
    /// names. Install it before.
    #[cfg(feature = "metrics")]
    pub fn record_metrics(&self) {
        self.telemetry().hub().recording.start(1);
    }

    /// Brings the gauges of the metrics up to date, such as before they are scraped; everything else is recorded as it
    /// happens. Without [`ServiceCircuit::record_metrics`] it does nothing.
    #[cfg(feature = "metrics")]
    pub fn record_gauges(&self) {
        let tokens = |tokens: Tokens| tokens.as_milli() as f64 / 1_000.0;
        let snapshot = self.snapshot();
        self.telemetry().show(&Levels {
            breaker: snapshot.breaker.map(|breaker| breaker.state),
            in_flight: snapshot.in_flight,
            tokens: snapshot.tokens.map(tokens),
            retries: snapshot.retry_budget.map(|budget| tokens(budget.balance)),
        });
    }

    /// Forces the breaker open or closed until [`ServiceCircuit::reset`]. Services that wait look again at once.
    pub fn force(&self, forced: Forced) {
        self.intervened(self.limiter().parts().force(forced));
    }

    /// Closes the breaker, forced or not, and forgets what it has counted. Services that wait look again at once.
    pub fn reset(&self) {
        self.intervened(self.limiter().parts().reset());
    }

    fn intervened(&self, transition: Option<Transition>) {
        self.report(transition, self.now());
        self.limiter().releases().announce();
        self.shared.changed.notify_waiters();
    }

    /// Takes a permit at `now`, or says who refuses.
    pub(super) fn reserve(&self, now: Instant, priority: Priority) -> Result<Reservation, Rejection> {
        match self.limiter().admit(now, priority, None) {
            Ok((held, transition)) => {
                self.report(transition, now);
                Ok(Reservation::new(self.clone(), held, now))
            }
            Err(rejection) => {
                // the part that refused late has made a slot look taken meanwhile
                if rejection.by != Part::Bulkhead {
                    self.limiter().announce_room(now);
                }
                Err(rejection)
            }
        }
    }

    /// Tells that a call is refused, and returns who refuses it.
    pub(super) fn refuse(&self, rejection: Rejection, now: Instant) -> Refusal {
        let refusal = self.limiter().refusal(rejection);
        self.telemetry().refused(None, &refusal, now);
        refusal
    }

    /// The next time that a person changes the circuit, from now on.
    pub(super) fn next_change(&self) -> OwnedNotified {
        Arc::clone(&self.shared.changed).notified_owned()
    }

    pub(super) fn report(&self, transition: Option<Transition>, now: Instant) {
        self.telemetry().transition(None, transition, now);
    }

    pub(super) fn layer_policy(&self) -> Guard<Arc<LayerPolicy>> {
        self.shared.policy.load()
    }

    pub(super) fn limiter(&self) -> &Limiter {
        &self.shared.limiter
    }

    pub(super) fn telemetry(&self) -> &Telemetry {
        &self.shared.telemetry
    }

    pub(super) fn now(&self) -> Instant {
        self.shared.clock.now()
    }
}
