//! `Record`: what a registry was told, by the program and by its configuration, and the limits that its tools share.

use super::entry::{Entry, Past};
use super::plan::Plan;
use super::slot::Slot;
use super::state::{RegistryState, Restored};
use super::{Applied, RegistryError};
use crate::config::{
    ConfigErrors, LimitPolicy, MOST_GROUPS, OF_THE_REGISTRY, RegistryConfig, SharedLimitsConfig, ToolConfig, member,
};
use crate::executor::{Limiter, MOST_LIMITERS};
use crate::telemetry::{EventKind, Hub};
use crate::tool::Tool;
use crate::{ConfigError, PolicyConfig, Rules, Scope, Sleep};
use core::time::Duration;
use foldhash::fast::RandomState;
use fusebox_core::Instant;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

// those of the registry, of a tool's groups, of a tool with keyed circuits, and of a key
const _: () = assert!(MOST_GROUPS + 3 <= MOST_LIMITERS, "a call can pass all limiters that it may have");

/// The names and aliases of tools.
pub(super) type Names<C> = HashMap<Arc<str>, Arc<Slot<C>>, RandomState>;

/// What a registry was told.
pub(super) struct Record<C: Sleep> {
    /// The defaults that the program gave.
    defaults: PolicyConfig,
    /// The configuration that was applied last; it goes before what the program gave.
    config: RegistryConfig,
    tools: BTreeMap<Arc<str>, Registered<C>>,
    /// The limits of all tools together.
    all: Arc<Limiter>,
    groups: BTreeMap<String, Arc<Limiter>>,
    rules: Arc<Rules>,
    /// Where tools report to.
    hub: Hub,
    /// What tools and groups that there are not yet remember from before a restart.
    restored: Restored,
}

/// A tool as the program registered it.
struct Registered<C: Sleep> {
    tool: Arc<dyn Tool>,
    config: ToolConfig,
    slot: Arc<Slot<C>>,
}

impl<C: Sleep + Clone> Record<C> {
    pub(super) fn new(defaults: PolicyConfig) -> Result<Self, ConfigError> {
        crate::Policy::new(&defaults)?;
        let config = RegistryConfig::default();
        let unlimited = config.limits.policy()?.limits;
        Ok(Self {
            defaults,
            config,
            tools: BTreeMap::new(),
            all: Arc::new(Limiter::new(Scope::Shared(OF_THE_REGISTRY.into()), Arc::new(unlimited))),
            groups: BTreeMap::new(),
            rules: Arc::default(),
            hub: Hub::default(),
            restored: Restored::default(),
        })
    }

    /// Adds a tool, or puts it in the place of the one with this name where that is allowed.
    pub(super) fn put(
        &mut self,
        name: &str,
        tool: Arc<dyn Tool>,
        config: ToolConfig,
        may_replace: bool,
        clock: &C,
    ) -> Result<Arc<Slot<C>>, RegistryError> {
        if name.is_empty() {
            return Err(RegistryError::EmptyName);
        }
        let before = self.tools.get(name).map(|registered| Arc::clone(&registered.slot));
        if before.is_some() && !may_replace {
            return Err(RegistryError::NameTaken(name.to_owned()));
        }
        let whole = self.whole(name, &config);
        self.has_free_names(name, &whole)?;
        self.falls_back_somewhere(name, &whole)?;
        let merged = self.merged(&self.config, []);
        let plan = Plan::new(name, whole, &merged, |groups| {
            above(self.all.limits().then_some(&self.all), &self.groups, groups)
        });
        let plan = plan.map_err(RegistryError::Config)?;

        let kind = if before.is_some() { EventKind::ToolReplaced } else { EventKind::ToolRegistered };
        let old = before.as_ref().map(|slot| slot.entry());
        let rules = Arc::clone(&self.rules);
        let key: Arc<str> = name.into();
        let past = match &old {
            Some(old) => Past::Entry(old),
            None => self.restored.past_of(name, clock.now()),
        };
        let entry = Entry::new(Arc::clone(&key), Arc::clone(&tool), plan, rules, past, &self.hub, clock);
        let slot = match before {
            Some(slot) => {
                slot.put(entry);
                slot
            }
            None => Arc::new(Slot::new(Arc::clone(&key), entry)),
        };
        self.hub.changed(Some(&key), kind, clock.now());
        self.tools.insert(key, Registered { tool, config, slot: Arc::clone(&slot) });
        Ok(slot)
    }

    /// Removes a tool with its state, and says whether there was one.
    pub(super) fn remove(&mut self, name: &str, clock: &C) -> bool {
        let removed = self.tools.remove(name);
        if let Some(Registered { slot, .. }) = &removed {
            slot.remove();
            self.hub.changed(Some(&slot.name), EventKind::ToolRemoved, clock.now());
        }
        removed.is_some()
    }

    /// Puts a configuration in force, all of it or, where anything in it is not allowed, nothing.
    pub(super) fn apply(&mut self, config: &RegistryConfig, clock: &C) -> Result<Applied, ConfigErrors> {
        let applied = self.put_in_force(config, clock);
        let kind = match &applied {
            Ok(_) => EventKind::ConfigApplied,
            Err(errors) => EventKind::ConfigRefused { why: errors.to_string().into() },
        };
        self.hub.changed(None, kind, clock.now());
        applied
    }

    fn put_in_force(&mut self, config: &RegistryConfig, clock: &C) -> Result<Applied, ConfigErrors> {
        config.check()?;
        let registered = self.tools.iter().map(|(name, tool)| (&**name, &tool.config));
        let merged = self.merged(config, registered);
        merged.check()?;
        // checked just now, as are the policies of limits and groups below
        let rules = Arc::new(Rules::new(config.rules.iter().cloned()).map_err(ConfigErrors::one)?);
        let policy = |limits: &SharedLimitsConfig| match limits.policy() {
            Ok(policy) => Ok(Arc::new(policy.limits)),
            Err(error) => Err(ConfigErrors::one(error)),
        };
        let limits = policy(&config.limits)?;
        let mut groups = BTreeMap::new();
        let mut changes = Vec::new();
        for (name, limits) in &config.groups {
            let policy = policy(limits)?;
            let group = match self.groups.get(name) {
                Some(group) => {
                    changes.push((Arc::clone(group), policy));
                    Arc::clone(group)
                }
                None => Arc::new(self.restored.group(name, policy, clock.now())),
            };
            groups.insert(name.clone(), group);
        }
        let mut plans = Vec::with_capacity(self.tools.len());
        let mut faults = Vec::new();
        for name in self.tools.keys() {
            let Some(tool) = merged.tools.get(&**name).cloned() else { continue };
            let all = limits.limits().then_some(&self.all);
            match Plan::new(name, tool, &merged, |names| above(all, &groups, names)) {
                Ok(plan) => plans.push((Arc::clone(name), plan)),
                Err(errors) => faults.extend(errors),
            }
        }
        ConfigErrors::unless_empty(faults)?;

        // from here on nothing can fail
        let now = clock.now();
        self.all.change_policy(limits, now);
        for (group, policy) in changes {
            group.change_policy(policy, now);
        }
        for (name, group) in core::mem::replace(&mut self.groups, groups) {
            if !self.groups.contains_key(&name) {
                // who waits for it waits in vain
                group.change_policy(Arc::new(LimitPolicy::UNLIMITED), now);
                group.releases().announce_to_all();
            }
        }
        self.rules = rules;
        self.config = config.clone();
        for (name, plan) in plans {
            let Some(Registered { tool, slot, .. }) = self.tools.get(&name) else { continue };
            let before = slot.entry();
            let rules = Arc::clone(&self.rules);
            let past = Past::Entry(&before);
            let entry = Entry::new(Arc::clone(&name), Arc::clone(tool), plan, rules, past, &self.hub, clock);
            if entry.executor().policy() != before.executor().policy() {
                self.hub.changed(Some(&name), EventKind::PolicyChanged, now);
            }
            slot.put(entry);
        }
        let unregistered = config.tools.keys().filter(|name| !self.tools.contains_key(name.as_str()));
        Ok(Applied { unregistered: unregistered.cloned().collect() })
    }

    /// Goes on from a state that was taken `age` ago.
    pub(super) fn restore(&mut self, state: &RegistryState, age: Duration, clock: &C) {
        let now = clock.now();
        self.restored = Restored { state: state.clone(), age, given: now };
        self.all = Arc::new(self.restored.all(&self.all, now));
        for (name, group) in &mut self.groups {
            *group = Arc::new(self.restored.group(name, Arc::clone(&group.policy()), now));
        }
        let merged = self.config();
        for (name, Registered { tool, slot, .. }) in &self.tools {
            let Some(config) = merged.tools.get(&**name).cloned() else { continue };
            let all = self.all.limits().then_some(&self.all);
            // what is in force was checked before
            let Ok(plan) = Plan::new(name, config, &merged, |names| above(all, &self.groups, names)) else { continue };
            let past = self.restored.past_of(name, now);
            let rules = Arc::clone(&self.rules);
            slot.put(Entry::new(Arc::clone(name), Arc::clone(tool), plan, rules, past, &self.hub, clock));
        }
    }

    /// What the circuits of all tools and groups remember across a restart.
    pub(super) fn state(&self, now: Instant) -> RegistryState {
        let tools = self.tools.iter().map(|(name, tool)| (name.to_string(), tool.slot.entry().state()));
        RegistryState {
            limits: self.all.state(now),
            groups: self.groups.iter().map(|(name, group)| (name.clone(), group.state(now))).collect(),
            tools: tools.collect(),
        }
    }

    /// Every name and alias.
    pub(super) fn names(&self) -> Names<C> {
        let mut names = Names::default();
        for (name, tool) in &self.tools {
            names.insert(Arc::clone(name), Arc::clone(&tool.slot));
            for alias in self.whole(name, &tool.config).aliases {
                names.insert(alias.into(), Arc::clone(&tool.slot));
            }
        }
        names
    }

    /// Where tools report to.
    pub(super) const fn hub(&self) -> &Hub {
        &self.hub
    }

    /// The configuration in force: what was applied, on top of what the program gave.
    pub(super) fn config(&self) -> RegistryConfig {
        self.merged(&self.config, self.tools.iter().map(|(name, tool)| (&**name, &tool.config)))
    }

    /// `config` on top of what the program gave.
    fn merged<'a>(
        &self,
        config: &RegistryConfig,
        tools: impl IntoIterator<Item = (&'a str, &'a ToolConfig)>,
    ) -> RegistryConfig {
        let mut merged = config.clone();
        merged.defaults = merged.defaults.or(&self.defaults);
        for (name, given) in tools {
            let configured = merged.tools.remove(name).unwrap_or_default();
            merged.tools.insert(name.to_owned(), configured.or(given));
        }
        merged
    }

    /// What the configuration says of a tool, on top of what the program gave.
    fn whole(&self, name: &str, given: &ToolConfig) -> ToolConfig {
        self.config.tools.get(name).cloned().unwrap_or_default().or(given)
    }

    /// That no other tool has one of a tool's names.
    fn has_free_names(&self, name: &str, tool: &ToolConfig) -> Result<(), RegistryError> {
        let names = self.names();
        for wanted in tool.aliases.iter().map(String::as_str).chain([name]) {
            if names.get(wanted).is_some_and(|slot| &*slot.name != name) {
                return Err(RegistryError::NameTaken(wanted.to_owned()));
            }
        }
        Ok(())
    }

    /// That the fallbacks of a tool do not lead back to it.
    fn falls_back_somewhere(&self, name: &str, tool: &ToolConfig) -> Result<(), RegistryError> {
        let names = self.names();
        let is_it = |wanted: &str| wanted == name || tool.aliases.iter().any(|alias| alias == wanted);
        let mut way = vec![name.to_owned()];
        let mut next = tool.fallback.clone();
        while let Some(fallback) = next {
            if is_it(&fallback) {
                let error = ConfigError {
                    field: member(&member("tools", name), "fallback"),
                    value: format!("{} -> {name}", way.join(" -> ")),
                    allowed: "a tool whose fallbacks do not lead back".to_owned(),
                };
                return Err(RegistryError::Config(ConfigErrors::one(error)));
            }
            let Some((name, registered)) = names.get(&*fallback).and_then(|slot| self.tools.get_key_value(&slot.name))
            else {
                break;
            };
            way.push(fallback);
            next = self.whole(name, &registered.config).fallback;
        }
        Ok(())
    }
}

/// The limiters above a tool's own, the outermost first.
fn above<'a>(
    all: impl IntoIterator<Item = &'a Arc<Limiter>>,
    groups: &'a BTreeMap<String, Arc<Limiter>>,
    names: &[String],
) -> Arc<[Arc<Limiter>]> {
    all.into_iter().chain(names.iter().filter_map(|name| groups.get(name))).map(Arc::clone).collect()
}
