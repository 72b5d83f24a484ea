//! `Panel`: a fixed number of named circuits, for runtimes without an allocator.
//!
//! Build it once with `&mut`, then share it: from then on every operation takes `&self`.
//!
//! ```
//! use fusebox_core::*;
//!
//! static POLICY: CircuitPolicy =
//!     CircuitPolicy { breaker: Some(BreakerPolicy::DEFAULT), ..CircuitPolicy::UNLIMITED };
//!
//! let mut panel = Panel::<2>::new();
//! let radio = panel.add("radio", &POLICY)?;
//! panel.add("gps", &POLICY)?;
//! assert_eq!(panel.add("lora", &POLICY), Err(PanelError::Full { capacity: 2 }));
//!
//! let now = Instant::from_nanos(0);
//! let by_index = panel.get(radio).expect("added above");
//! let (permit, _) = by_index.admit(now, Tokens::ONE)?;
//! panel.find("radio").expect("the same circuit").settle(now, permit, Outcome::Success);
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
//!
//! **Cost.** By index: one bounds check. By name: a comparison with each name until it is found. 56 bytes per circuit
//! and a reference to its policy, which any number of circuits share.

use crate::breaker::Transition;
use crate::bucket::Demand;
use crate::circuit::{Circuit, CircuitPolicy, CircuitSnapshot, Guard, Permit, Rejection};
use crate::clock::Clock;
use crate::outcome::Outcome;
use crate::time::Instant;
use core::fmt;
use heapless::Vec;

/// At most `N` named circuits. See the [module documentation](self).
#[derive(Debug, Default)]
pub struct Panel<const N: usize> {
    slots: Vec<Slot, N>,
}

/// A circuit with its name and its policy.
#[derive(Debug)]
pub struct Slot {
    name: &'static str,
    policy: &'static CircuitPolicy,
    circuit: Circuit,
}

/// Where a circuit stands in its panel.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Index(usize);

/// Why a circuit was not added. The panel is as it was.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum PanelError {
    /// A name has at least one character.
    EmptyName,
    /// Another circuit has this name.
    NameTaken(&'static str),
    /// The panel holds as many circuits as it can.
    Full {
        /// How many that are.
        capacity: usize,
    },
}

impl<const N: usize> Panel<N> {
    /// A panel without circuits.
    pub const fn new() -> Self {
        Self { slots: Vec::new() }
    }

    /// Adds a fresh circuit.
    ///
    /// # Errors
    /// When the name is empty or taken, or the panel is full.
    pub fn add(&mut self, name: &'static str, policy: &'static CircuitPolicy) -> Result<Index, PanelError> {
        if name.is_empty() {
            return Err(PanelError::EmptyName);
        }
        if self.find(name).is_some() {
            return Err(PanelError::NameTaken(name));
        }
        let index = Index(self.slots.len());
        match self.slots.push(Slot { name, policy, circuit: Circuit::new() }) {
            Ok(()) => Ok(index),
            Err(_) => Err(PanelError::Full { capacity: N }),
        }
    }

    /// The circuit at `index`; `None` for an index of a larger panel.
    pub fn get(&self, index: Index) -> Option<&Slot> {
        self.slots.get(index.0)
    }

    /// The circuit named `name`.
    pub fn find(&self, name: &str) -> Option<&Slot> {
        self.slots.iter().find(|slot| slot.name == name)
    }

    /// All circuits, in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = &Slot> {
        self.slots.iter()
    }
}

impl Slot {
    /// The circuit's name.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// See [`Circuit::admit`].
    ///
    /// # Errors
    /// The part that refused and when to return; nothing was taken from any part.
    pub fn admit(&self, now: Instant, demand: impl Into<Demand>) -> Result<(Permit, Option<Transition>), Rejection> {
        self.circuit.admit(self.policy, now, demand)
    }

    /// See [`Circuit::enter`].
    ///
    /// # Errors
    /// As [`Slot::admit`].
    pub fn enter<C: Clock>(
        &self,
        clock: C,
        demand: impl Into<Demand>,
    ) -> Result<(Guard<'_, C>, Option<Transition>), Rejection> {
        self.circuit.enter(self.policy, clock, demand)
    }

    /// See [`Circuit::settle`].
    pub fn settle(&self, now: Instant, permit: Permit, outcome: Outcome) -> Option<Transition> {
        self.circuit.settle(self.policy, now, permit, outcome)
    }

    /// See [`Circuit::snapshot`].
    pub fn snapshot(&self, now: Instant) -> CircuitSnapshot {
        self.circuit.snapshot(self.policy, now)
    }

    /// The state, for `force` and `reset`.
    pub const fn circuit(&self) -> &Circuit {
        &self.circuit
    }
}

impl fmt::Display for PanelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EmptyName => f.write_str("the name of a circuit is empty: allowed is any other text"),
            Self::NameTaken(name) => write!(f, "a circuit named {name:?} is in the panel already"),
            Self::Full { capacity } => write!(f, "the panel is full: its capacity is {capacity}"),
        }
    }
}

impl core::error::Error for PanelError {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::breaker::BreakerPolicy;
    use crate::tokens::Tokens;
    use std::string::ToString;

    static POLICY: CircuitPolicy = CircuitPolicy { breaker: Some(BreakerPolicy::DEFAULT), ..CircuitPolicy::UNLIMITED };

    #[test]
    fn a_name_is_checked_and_a_full_panel_says_so() {
        let mut panel = Panel::<2>::new();
        assert_eq!(panel.add("", &POLICY), Err(PanelError::EmptyName));
        assert_eq!(panel.add("a", &POLICY), Ok(Index(0)));
        assert_eq!(panel.add("a", &POLICY), Err(PanelError::NameTaken("a")));
        assert_eq!(panel.add("b", &POLICY), Ok(Index(1)));
        let full = panel.add("c", &POLICY).unwrap_err();
        assert_eq!(full.to_string(), "the panel is full: its capacity is 2");
        assert!(panel.iter().map(Slot::name).eq(["a", "b"]));
    }

    #[test]
    fn lookup_by_name_and_by_index_find_the_same_circuit_and_no_other() {
        let mut panel = Panel::<2>::new();
        let (a, b) = (panel.add("a", &POLICY).unwrap(), panel.add("b", &POLICY).unwrap());
        let now = Instant::ORIGIN;
        for _ in 0..7 {
            let (permit, _) = panel.get(a).unwrap().admit(now, Tokens::ONE).unwrap();
            panel.find("a").unwrap().settle(now, permit, Outcome::Failure);
        }
        assert!(panel.find("a").unwrap().admit(now, Tokens::ONE).is_err());
        assert!(panel.get(b).unwrap().admit(now, Tokens::ONE).is_ok());
        assert!(panel.find("c").is_none() && Panel::<1>::new().get(b).is_none());
    }

    #[test]
    fn a_panel_is_built_once_and_shared_as_a_static() {
        static PANEL: std::sync::OnceLock<Panel<1>> = std::sync::OnceLock::new();
        let panel: &'static Panel<1> = PANEL.get_or_init(|| {
            let mut panel = Panel::new();
            panel.add("radio", &POLICY).unwrap();
            panel
        });
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    let slot = panel.find("radio").unwrap();
                    let (permit, _) = slot.admit(Instant::ORIGIN, Tokens::ONE).unwrap();
                    slot.settle(Instant::ORIGIN, permit, Outcome::Success);
                });
            }
        });
    }
}
