//! `KeyedExecutor`: one dependency with a circuit for each host, tenant or other key that its calls name.
//!
//! ```
//! use fusebox::config::KeyedConfig;
//! use fusebox::{CallOptions, ErrorCategory, KeyedExecutor, PolicyConfig, ToolError};
//!
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
//! # runtime.block_on(async {
//! let keyed: KeyedConfig = serde_json::from_str(r#"{ "breaker": { "consecutive_failures": 1 } }"#)?;
//! let policy: PolicyConfig = serde_json::from_str(r#"{ "max_retries": 0 }"#)?;
//! let fetch = KeyedExecutor::new(&policy, &keyed)?;
//!
//! let down = async |_| Err::<(), _>(ToolError::new(ErrorCategory::Network, "no route"));
//! fetch.call("down.example", down).await.unwrap_err();
//! assert!(fetch.call("down.example", down).await.unwrap_err().refusal().is_some());
//! assert_eq!(fetch.call("up.example", async |_| Ok::<_, ToolError>(200)).await?, 200);
//! # Ok::<(), Box<dyn std::error::Error>>(()) })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::limiter::Limiter;
use super::{Executor, PartsSnapshot, PartsState};
use crate::clock::TokioClock;
use crate::config::{KeyedConfig, LimitPolicy};
use crate::keyed::{Keeper, KeyedTable};
use crate::{
    Attempt, CallError, CallOptions, Classify, ConfigError, CounterSnapshot, Execution, Policy, PolicyConfig, Scope,
    Sleep,
};
use arc_swap::ArcSwap;
use core::time::Duration;
use fusebox_core::{Clock, Instant};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// One dependency with a circuit for each host, tenant or other key that its calls name: a key that fails opens its own
/// breaker only.
///
/// The rate limit, the bulkhead and the retry budget of the policy are those of all keys together; its breaker is what
/// each key's breaker has where its own configuration says nothing. Circuits are remembered for a bounded number of keys.
/// One is forgotten only when a new one would decide the same; keys for which there is no room share one circuit.
#[derive(Clone, Debug)]
pub struct KeyedExecutor<C: Clock = TokioClock> {
    /// What all keys share, on top of the circuit of each. Its own limiter is not among those above it.
    whole: Executor<C>,
    /// The limiters above a key's own.
    above: Arc<[Arc<Limiter>]>,
    keys: Arc<KeyedTable<KeyLimiters>>,
}

/// A checked policy for the circuit of each key.
#[derive(Clone, Debug)]
pub(crate) struct KeyedPolicy {
    /// The policy of the dependency as a whole, without a breaker.
    pub(crate) whole: Policy,
    key: Arc<LimitPolicy>,
    max_keys: usize,
}

impl KeyedPolicy {
    pub(crate) fn new(policy: &PolicyConfig, keyed: &KeyedConfig) -> Result<Self, ConfigError> {
        let mut whole = policy.clone();
        whole.breaker.enabled = Some(false);
        let whole = Policy::new(&whole)?;
        let max_keys = keyed.max_keys().map_err(|error| error.within("keyed"))?;
        let key = Arc::new(keyed.policy(policy).map_err(|error| error.within("keyed"))?.limits);
        Ok(Self { whole, key, max_keys: usize::try_from(max_keys).unwrap_or(usize::MAX) })
    }
}

/// The limiters of keys, which are under one policy.
#[derive(Debug)]
struct KeyLimiters {
    policy: ArcSwap<LimitPolicy>,
    /// What keys remember from before a restart, while their limiters are made.
    remembered: Mutex<Option<Remembered>>,
}

/// What keys remember from before a restart.
#[derive(Clone, Debug)]
pub(crate) struct Remembered {
    pub(crate) keys: BTreeMap<String, PartsState>,
    pub(crate) passed: Duration,
    pub(crate) now: Instant,
}

impl Keeper for KeyLimiters {
    type Value = Arc<Limiter>;

    fn fresh(&self, key: Option<&str>) -> Arc<Limiter> {
        let policy = self.policy.load_full();
        let remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::new(match remembered.as_ref().zip(key) {
            Some((Remembered { keys, passed, now }, key)) if keys.contains_key(key) => {
                Limiter::restored(Scope::Own, policy, *now, &keys[key], *passed)
            }
            _ => Limiter::new(Scope::Own, policy),
        })
    }

    fn is_fresh(&self, limiter: &Arc<Limiter>, now: Instant) -> bool {
        limiter.is_fresh(now)
    }
}

impl KeyedExecutor {
    /// Fresh circuits, on tokio's clock.
    ///
    /// # Errors
    /// The first field that is not allowed.
    pub fn new(policy: &PolicyConfig, keyed: &KeyedConfig) -> Result<Self, ConfigError> {
        Self::with_clock(policy, keyed, TokioClock::new())
    }
}

impl<C: Sleep + Clone> KeyedExecutor<C> {
    /// Fresh circuits, on a clock of your own.
    ///
    /// # Errors
    /// The first field that is not allowed.
    pub fn with_clock(policy: &PolicyConfig, keyed: &KeyedConfig, clock: C) -> Result<Self, ConfigError> {
        let policy = KeyedPolicy::new(policy, keyed)?;
        let whole = Executor::with_clock(policy.whole.clone(), clock);
        Ok(Self::below(whole, &policy, None, None))
    }

    /// Circuits below `whole`. Those of `before` live on; without it, those that are `remembered`.
    pub(crate) fn below(
        whole: Executor<C>,
        policy: &KeyedPolicy,
        before: Option<&Self>,
        remembered: Option<Remembered>,
    ) -> Self {
        let keys = match before {
            Some(Self { keys, .. }) => {
                keys.keeper().policy.store(Arc::clone(&policy.key));
                let now = whole.clock.now();
                keys.set_max(policy.max_keys, now);
                // also for calls that wait; keys that are made at the same time are put right at their next call
                keys.for_each(|_, limiter| limiter.change_policy(Arc::clone(&policy.key), now));
                Arc::clone(keys)
            }
            None => {
                let policy_of_keys = ArcSwap::new(Arc::clone(&policy.key));
                let limiters = KeyLimiters { policy: policy_of_keys, remembered: Mutex::new(remembered.clone()) };
                let keys = KeyedTable::new(limiters, policy.max_keys);
                for (key, now) in remembered.iter().flat_map(|all| all.keys.keys().map(|key| (key, all.now))) {
                    keys.get(key, now);
                }
                *keys.keeper().remembered.lock().unwrap_or_else(PoisonError::into_inner) = None;
                Arc::new(keys)
            }
        };
        let above = whole.above.iter().chain([&whole.own]).map(Arc::clone).collect();
        Self { whole, above, keys }
    }

    /// Runs one call that names `key`, with the default options. `tool` is called once per attempt.
    ///
    /// # Errors
    /// Why the call did not succeed.
    pub async fn call<T, E, F, Fut>(&self, key: &str, tool: F) -> Result<T, CallError<E>>
    where
        E: Classify,
        F: FnMut(Attempt) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        self.run(key, &CallOptions::default(), tool).await.result
    }

    /// Runs one call that names `key` and tells how it went. `tool` is called once per attempt.
    pub async fn run<T, E, F, Fut>(&self, key: &str, options: &CallOptions, tool: F) -> Execution<T, E>
    where
        E: Classify,
        F: FnMut(Attempt) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        // held until the call has ended, so that its circuit is not forgotten meanwhile
        let entry = self.keys.get(key, self.whole.clock.now());
        self.executor(&entry, entry.shared_key()).run(options, tool).await
    }

    /// The executor of one key, or of those that share a circuit.
    fn executor(&self, limiter: &Arc<Limiter>, key: Option<&Arc<str>>) -> Executor<C> {
        let newest = self.keys.keeper().policy.load();
        if !Arc::ptr_eq(&limiter.policy(), &newest) {
            limiter.change_policy(Arc::clone(&newest), self.whole.clock.now());
        }
        let own = Arc::clone(limiter);
        Executor { own, above: Arc::clone(&self.above), key: key.map(Arc::clone), ..self.whole.clone() }
    }

    /// What all keys share.
    pub(crate) const fn whole(&self) -> &Executor<C> {
        &self.whole
    }

    /// What has happened so far, as numbers, of all keys together.
    pub fn counters(&self) -> CounterSnapshot {
        self.whole.counters()
    }

    /// The keys that have a circuit of their own, with its state, in no order.
    pub fn snapshot(&self) -> Vec<(String, PartsSnapshot)> {
        let now = self.whole.clock.now();
        let mut keys = Vec::with_capacity(self.keys.len());
        self.keys.for_each(|key, limiter| keys.push((key.to_owned(), limiter.snapshot(now))));
        keys
    }

    /// What the keys remember across a restart.
    pub(crate) fn state(&self) -> BTreeMap<String, PartsState> {
        let now = self.whole.clock.now();
        let mut keys = BTreeMap::new();
        self.keys.for_each(|key, limiter| _ = keys.insert(key.to_owned(), limiter.state(now)));
        keys
    }

    /// The state of the circuit that keys share for which there was no room.
    pub fn shared_snapshot(&self) -> PartsSnapshot {
        self.keys.overflow().snapshot(self.whole.clock.now())
    }

    /// Forgets the circuit of a key, open or not, and says whether there was one. One with calls under way is kept.
    ///
    /// Cost: looks at all keys.
    pub fn forget(&self, key: &str) -> bool {
        self.keys.retain(|known, _| known != key) > 0
    }

    /// Forgets the circuits of all keys without calls under way, and says how many those were.
    pub fn forget_all(&self) -> usize {
        self.keys.clear()
    }

    /// How many calls have shared the circuit of those keys for which there was no room.
    pub fn shared_calls(&self) -> u64 {
        self.keys.shared()
    }
}
