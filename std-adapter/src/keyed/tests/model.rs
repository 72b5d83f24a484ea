//! Any sequence of operations against a naive model: a map, a count of holders, and a search through all of it.

use super::{Numbered, Value, at, keys};
use crate::keyed::{Entry, KeyedTable};
use core::sync::atomic::Ordering;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Debug)]
enum Op {
    /// Gets a key and holds it if asked to.
    Get {
        key: u8,
        hold: bool,
    },
    /// Gets a key and works with it for so long.
    Work {
        key: u8,
        nanos: u64,
    },
    /// Lets go of the n-th entry that is held.
    Release(usize),
    Advance(u64),
    SetMax(usize),
    /// Takes out what is not held, of keys up to this one.
    RetainAbove(u8),
}

fn any_op() -> impl Strategy<Value = Op> {
    let key = 0..12_u8;
    prop_oneof![
        6 => (key.clone(), any::<bool>()).prop_map(|(key, hold)| Op::Get { key, hold }),
        4 => (key.clone(), 0..50_u64).prop_map(|(key, nanos)| Op::Work { key, nanos }),
        4 => any::<usize>().prop_map(Op::Release),
        2 => (0..30_u64).prop_map(Op::Advance),
        1 => (0..8_usize).prop_map(Op::SetMax),
        1 => key.prop_map(Op::RetainAbove),
    ]
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Known {
    number: u64,
    busy_until: u64,
}

/// What a table of that history must be like.
struct Model {
    known: BTreeMap<String, Known>,
    held: Vec<Entry<Value>>,
    now: u64,
    max: usize,
    shared: u64,
}

impl Model {
    fn is_held(&self, key: &str) -> bool {
        self.held.iter().any(|entry| entry.key() == Some(key))
    }

    fn may_go(&self) -> BTreeSet<String> {
        let may_go = |(key, known): &(&String, &Known)| known.busy_until <= self.now && !self.is_held(key);
        self.known.iter().filter(may_go).map(|(key, _)| key.clone()).collect()
    }

    /// The entry that the table gives, checked.
    fn get(&mut self, table: &KeyedTable<Numbered>, key: u8) -> Result<Entry<Value>, TestCaseError> {
        let key = key.to_string();
        let may_go = self.may_go();
        let entry = table.get(&key, at(self.now));
        if let Some(known) = self.known.get(&key) {
            prop_assert_eq!(entry.number, known.number, "a known key keeps its value");
            return Ok(entry);
        }
        let over = (self.known.len() + 1).saturating_sub(self.max);
        let gone: Vec<_> = self.known.keys().filter(|key| !keys(table).contains(*key)).cloned().collect();
        prop_assert!(gone.iter().all(|key| may_go.contains(key)), "{:?} of {:?} are gone", gone, may_go);
        // one at most for one that comes
        prop_assert_eq!(gone.len(), over.min(1).min(may_go.len()));
        self.known.retain(|key, _| !gone.contains(key));
        if self.known.len() < self.max {
            prop_assert_eq!(entry.key(), Some(key.as_str()));
            prop_assert_eq!(entry.busy_until.load(Ordering::Relaxed), 0);
            self.known.insert(key, Known { number: entry.number, busy_until: 0 });
        } else {
            prop_assert_eq!(entry.key(), None);
            self.shared += 1;
        }
        Ok(entry)
    }

    fn step(&mut self, table: &KeyedTable<Numbered>, op: Op) -> Result<(), TestCaseError> {
        match op {
            Op::Get { key, hold } => {
                let entry = self.get(table, key)?;
                if hold {
                    self.held.push(entry);
                }
            }
            Op::Work { key, nanos } => {
                let entry = self.get(table, key)?;
                if let Some(known) = entry.key().and_then(|key| self.known.get_mut(key)) {
                    known.busy_until = self.now + nanos;
                    entry.work_until(known.busy_until);
                }
            }
            Op::Release(number) if !self.held.is_empty() => drop(self.held.swap_remove(number % self.held.len())),
            Op::Release(_) => {}
            Op::Advance(nanos) => self.now += nanos,
            Op::SetMax(max) => {
                let may_go = self.may_go();
                table.set_max(max, at(self.now));
                self.max = max;
                let gone: Vec<_> = self.known.keys().filter(|key| !keys(table).contains(*key)).cloned().collect();
                prop_assert!(gone.iter().all(|key| may_go.contains(key)));
                prop_assert_eq!(gone.len(), self.known.len().saturating_sub(max).min(may_go.len()));
                self.known.retain(|key, _| !gone.contains(key));
            }
            Op::RetainAbove(least) => {
                let unwanted = |key: &str| key.parse::<u8>().unwrap() <= least;
                let stays: BTreeMap<_, _> = self
                    .known
                    .iter()
                    .filter(|(key, _)| !unwanted(key) || self.is_held(key))
                    .map(|(key, known)| (key.clone(), *known))
                    .collect();
                let gone = table.retain(|key, _| !unwanted(key));
                prop_assert_eq!(gone, self.known.len() - stays.len());
                self.known = stays;
            }
        }
        Ok(())
    }

    fn agrees_with(&self, table: &KeyedTable<Numbered>) -> Result<(), TestCaseError> {
        let mut shown = BTreeMap::new();
        table.for_each(|key, value| {
            let busy_until = value.busy_until.load(Ordering::Relaxed);
            shown.insert(key.to_owned(), Known { number: value.number, busy_until });
        });
        prop_assert_eq!(&shown, &self.known);
        prop_assert_eq!((table.len(), table.max(), table.shared()), (self.known.len(), self.max, self.shared));
        Ok(())
    }
}

proptest! {
    #[test]
    fn any_sequence_agrees_with_a_naive_model(max in 0..8_usize, ops in proptest::collection::vec(any_op(), 1..120)) {
        let table = KeyedTable::new(Numbered::default(), max);
        let mut model = Model { known: BTreeMap::new(), held: Vec::new(), now: 0, max, shared: 0 };
        for op in ops {
            model.step(&table, op)?;
            model.agrees_with(&table)?;
        }
    }
}
