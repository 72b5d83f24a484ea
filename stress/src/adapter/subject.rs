//! `Subject`: a tool under stress, in a registry or behind a bare executor, and its books when all is quiet.

use super::accounts::{Account, Ending, Sum};
use super::chaos::Chaos;
use super::policies::{any_policy, calm_policy, patient_policy};
use arc_swap::ArcSwap;
use fastrand::Rng;
use fusebox::{
    Attempt, CallError, CallOptions, CounterSnapshot, Executor, Forced, Handle, Policy, PolicyConfig, Priority,
    Registry,
};
use serde_json::Value;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What every policy of a subject has in common, so that it can be judged at the end.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    /// Whether no policy leaves out a part. Otherwise slots and tokens are given back as far as there is a part.
    pub(super) pinned: bool,
    pub(super) slots: u32,
    pub(super) per_day: u64,
    pub(super) burst: u32,
}

impl Limits {
    pub(super) fn any(rng: &mut Rng) -> Self {
        let (slots, pinned) = (rng.u32(1..8), rng.u8(..4) > 0);
        if rng.u8(..3) == 0 {
            // one token in half a second; a reading would have to be late by ten seconds to look like a clock gone back
            return Self { pinned, slots, per_day: 2 * 86_400, burst: 20 };
        }
        Self { pinned, slots, per_day: 1, burst: rng.u32(20..2_000) }
    }
}

/// How calls come to the tool.
enum Door {
    /// By name or by handle. The handles of all that had the name, where the name was given to another state.
    Registry(Arc<Registry>, Mutex<Vec<Handle>>),
    /// The newest executor of the circuit.
    Bare(ArcSwap<Executor>),
}

/// A tool under stress.
pub(super) struct Subject {
    name: String,
    limits: Limits,
    /// Of all its calls, so that an attempt costs the same however it came about.
    priority: Priority,
    chaos: Chaos,
    door: Door,
    next: AtomicUsize,
    calls: usize,
}

impl Subject {
    pub(super) fn named(name: String, registry: Arc<Registry>, calls: usize, rng: &mut Rng) -> Self {
        let (limits, chaos) = (Limits::any(rng), chaos(calls, rng));
        let handle = registry.register_with(&name, chaos.clone(), any_policy(&limits, rng)).expect("the name is free");
        Self::new(name, limits, chaos, Door::Registry(registry, Mutex::new(vec![handle])), rng)
    }

    pub(super) fn bare(calls: usize, rng: &mut Rng) -> Self {
        let (limits, chaos) = (Limits::any(rng), chaos(calls, rng));
        let executor = Executor::new(policy(&any_policy(&limits, rng)));
        Self::new("bare".to_owned(), limits, chaos, Door::Bare(ArcSwap::from_pointee(executor)), rng)
    }

    fn new(name: String, limits: Limits, chaos: Chaos, door: Door, rng: &mut Rng) -> Self {
        let priority = [Priority::Low, Priority::Normal, Priority::High, Priority::Critical][rng.usize(..4)];
        let calls = chaos.accounts.len() - 1;
        Self { name, limits, priority, chaos, door, next: AtomicUsize::new(0), calls }
    }

    /// The number of the next call, as long as there is one.
    pub(super) fn next(&self) -> Option<usize> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        (number < self.calls).then_some(number)
    }

    pub(super) fn account(&self, number: usize) -> &Account {
        &self.chaos.accounts[number]
    }

    /// Makes the call with this number; `None` where no tool has the name.
    pub(super) async fn call(&self, number: usize, by_name: bool, options: CallOptions) -> Option<Ending> {
        let (args, options) = (Value::from(number), CallOptions { priority: self.priority, ..options });
        match &self.door {
            Door::Registry(registry, _) if by_name => {
                Ending::of_named(&registry.run(&self.name, &args, &options).await)
            }
            Door::Registry(registry, _) => {
                let handle = registry.handle(&self.name)?;
                let execution = handle.execute(&args, &options).await;
                // removed between the lookup and the call
                let is_gone = matches!(execution.result, Err(CallError::UnknownTool(_)));
                (!is_gone).then(|| Ending::from(&execution))
            }
            Door::Bare(newest) => {
                let executor = newest.load_full();
                let tool = |attempt: Attempt| self.chaos.attempt(number as u64, attempt);
                Some(Ending::from(&executor.run(&options, tool).await))
            }
        }
    }

    /// Puts the tool under another policy; the state lives on.
    pub(super) fn replace(&self, rng: &mut Rng) {
        self.put_under(&any_policy(&self.limits, rng));
    }

    fn put_under(&self, config: &PolicyConfig) {
        match &self.door {
            Door::Registry(registry, _) => {
                registry.replace(&self.name, self.chaos.clone(), config).expect("in range");
            }
            Door::Bare(newest) => {
                newest.store(Arc::new(newest.load().with_policy(policy(config))));
            }
        }
    }

    /// Takes the name away and gives it to a tool with a state of its own.
    pub(super) fn begin_anew(&self, rng: &mut Rng) {
        if let Door::Registry(registry, handles) = &self.door {
            assert!(registry.remove(&self.name), "nobody else removes it");
            std::thread::yield_now();
            let policy = any_policy(&self.limits, rng);
            let handle = registry.register_with(&self.name, self.chaos.clone(), &policy).expect("the name is free");
            handles.lock().unwrap_or_else(PoisonError::into_inner).push(handle);
        }
    }

    /// Forces the breaker open or closed for a while.
    pub(super) fn force(&self, forced: Forced, pause: Duration) {
        match &self.door {
            Door::Registry(registry, _) => {
                let handle = registry.handle(&self.name).expect("only this thread removes it");
                handle.force(forced);
                std::thread::sleep(pause);
                handle.reset();
            }
            Door::Bare(newest) => {
                let executor = newest.load_full();
                executor.force(forced);
                std::thread::sleep(pause);
                executor.reset();
            }
        }
    }

    /// Compares what the adapter has counted with what callers and tools have seen. All calls have ended; the round
    /// has `begun` then.
    pub(super) fn settle_accounts(&self, begun: Instant) -> Sum {
        let (name, mut sum) = (&self.name, Sum::default());
        self.chaos.accounts.iter().for_each(|account| sum.add(account));
        assert_eq!(self.chaos.log.begun.load(Ordering::Relaxed), sum.begun, "{name}: attempts");
        assert_eq!(self.chaos.log.inside(), 0, "{name}: attempts that still run");
        let most = self.chaos.log.most_inside();
        if self.limits.pinned && self.states() == 1 {
            assert!(most <= u64::from(self.limits.slots), "{name}: {most} at a time in {} slots", self.limits.slots);
        }

        self.put_under(&calm_policy(&self.limits));
        let counted = self.counted();
        assert_eq!(counted.calls, sum.calls, "{name}: calls");
        assert_eq!(counted.succeeded, sum.succeeded, "{name}: succeeded");
        assert_eq!(counted.failed, sum.failed, "{name}: failed");
        assert_eq!(counted.cancelled, sum.cancelled, "{name}: cancelled or dropped");
        assert_eq!(counted.rejected_by_breaker, sum.by_breaker, "{name}: rejected by the breaker");
        assert_eq!(counted.rejected_by_bulkhead, sum.by_bulkhead, "{name}: rejected by the bulkhead");
        assert_eq!(counted.rejected_by_bucket, sum.by_bucket, "{name}: rejected by the bucket");
        assert_eq!(counted.attempts, sum.begun + sum.admitted_in_vain, "{name}: attempts");
        assert_eq!(counted.timeouts, sum.timeouts, "{name}: timeouts");
        self.check_limits(&sum, begun);
        sum
    }

    fn check_limits(&self, sum: &Sum, begun: Instant) {
        let (name, burst) = (&self.name, u64::from(self.limits.burst) * 1_000);
        let mut gone = 0;
        for (in_flight, tokens) in self.levels() {
            assert_eq!(in_flight, 0, "{name}: slots that were never given back");
            gone += burst - tokens;
        }
        if self.limits.pinned {
            let spent = sum.spent * self.priority.cost().as_milli();
            let day = Duration::from_secs(86_400).as_nanos();
            let flowed = begun.elapsed().as_nanos() * u128::from(self.limits.per_day) * 1_000 / day + 1;
            let flowed = u64::try_from(flowed).unwrap_or(u64::MAX) * self.states() as u64;
            assert!(gone <= spent + self.states() as u64, "{name}: {gone} thousandths gone, {spent} spent");
            assert!(spent <= gone + flowed, "{name}: T1: {spent} spent, {gone} gone, {flowed} flowed in");
        }
        if let Door::Bare(newest) = &self.door {
            let executor = newest.load();
            let (counted, breaker) = (executor.counters(), executor.snapshot().breaker.expect("the policy has one"));
            let transitions = counted.opened + counted.half_opened + counted.closed + counted.probes_lost;
            assert_eq!(transitions % 256, u64::from(breaker.generation), "B6: transitions counted and made");
        }
    }

    /// How often the name was given to a new state.
    pub(super) fn states(&self) -> usize {
        match &self.door {
            Door::Registry(_, handles) => handles.lock().unwrap_or_else(PoisonError::into_inner).len(),
            Door::Bare(_) => 1,
        }
    }

    /// Slots taken and thousandths of tokens left, in each state.
    fn levels(&self) -> Vec<(u64, u64)> {
        match &self.door {
            Door::Registry(_, handles) => {
                let handles = handles.lock().unwrap_or_else(PoisonError::into_inner);
                let (newest, older) = handles.split_last().expect("there is one");
                let level = |handle: &Handle| {
                    let tool = handle.snapshot();
                    let full = f64::from(self.limits.burst);
                    (tool.in_flight, milli(tool.tokens.unwrap_or(full)))
                };
                older.iter().map(level).chain([level(newest)]).collect()
            }
            Door::Bare(newest) => {
                let circuit = newest.load().snapshot();
                vec![(circuit.in_flight, circuit.tokens.expect("the policy has a bucket").as_milli())]
            }
        }
    }

    fn counted(&self) -> CounterSnapshot {
        match &self.door {
            Door::Registry(_, handles) => {
                let mut sum = CounterSnapshot::default();
                for handle in handles.lock().unwrap_or_else(PoisonError::into_inner).iter() {
                    let one = handle.snapshot().counters;
                    sum.calls += one.calls;
                    sum.succeeded += one.succeeded;
                    sum.failed += one.failed;
                    sum.cancelled += one.cancelled;
                    sum.rejected_by_breaker += one.rejected_by_breaker;
                    sum.rejected_by_bulkhead += one.rejected_by_bulkhead;
                    sum.rejected_by_bucket += one.rejected_by_bucket;
                    sum.attempts += one.attempts;
                    sum.timeouts += one.timeouts;
                }
                sum
            }
            Door::Bare(newest) => newest.load().counters(),
        }
    }

    /// A call of a tool that is well again succeeds, however it was left.
    pub(super) async fn goes_on(&self) {
        self.put_under(&patient_policy());
        let ending = self.call(self.calls, true, CallOptions::default()).await.expect("the name is taken");
        assert_eq!(ending.result, super::accounts::EndedAs::Succeeded, "{}: it is well again", self.name);
    }
}

/// A tool with so many accounts, and one for a call that succeeds.
fn chaos(calls: usize, rng: &mut Rng) -> Chaos {
    let seeds = (0..calls).map(|_| Some(rng.u64(..))).chain([None]);
    Chaos { accounts: Arc::new(seeds.map(Account::new).collect()), log: Arc::default() }
}

fn policy(config: &PolicyConfig) -> Policy {
    Policy::new(config).expect("in range")
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "tokens in thousandths, none negative")]
fn milli(tokens: f64) -> u64 {
    (tokens * 1_000.0).round() as u64
}
