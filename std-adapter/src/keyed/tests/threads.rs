//! Many threads at one table: a key never has two entries at once, no state is lost, and the bound holds.

use crate::keyed::{Keeper, KeyedTable};
use core::sync::atomic::{AtomicU64, Ordering};
use fusebox_core::Instant;
use std::sync::{Mutex, PoisonError};
use std::thread;

/// Values that owe something; fresh is who owes nothing.
#[derive(Default)]
struct Debts {
    made: AtomicU64,
}

struct Debt {
    number: u64,
    owed: AtomicU64,
}

impl Keeper for Debts {
    type Value = Debt;

    fn fresh(&self, _: Option<&str>) -> Debt {
        Debt { number: self.made.fetch_add(1, Ordering::Relaxed), owed: AtomicU64::new(0) }
    }

    fn is_fresh(&self, debt: &Debt, _: Instant) -> bool {
        let fresh = debt.owed.load(Ordering::Relaxed) == 0;
        // the answer gets old before it is used
        if fastrand::u8(..) < 16 {
            thread::yield_now();
        }
        fresh
    }
}

/// What the test itself knows of a key, one thread at a time.
#[derive(Default)]
struct Account {
    owed: u64,
    holders: u64,
    number: u64,
}

/// Threads that get, work and let go, each with its own sequence of keys.
fn hammer(threads: u64, keys: usize, max: usize, rounds: u64) {
    let table = KeyedTable::new(Debts::default(), max);
    let accounts: Vec<Mutex<Account>> = (0..keys).map(|_| Mutex::default()).collect();
    let account = |key: usize| accounts[key].lock().unwrap_or_else(PoisonError::into_inner);
    let work = |thread: u64| {
        let mut random = fastrand::Rng::with_seed(thread);
        for _ in 0..rounds {
            let key = random.usize(..keys);
            let entry = table.get(&key.to_string(), Instant::ORIGIN);
            assert!(table.len() <= max);
            if entry.key().is_none() {
                continue;
            }
            {
                let mut account = account(key);
                assert!(account.holders == 0 || account.number == entry.number, "two entries of {key} at once");
                assert_eq!(entry.owed.load(Ordering::Relaxed), account.owed, "{key} has lost its state");
                account.number = entry.number;
                account.holders += 1;
            }
            if random.u8(..) < 32 {
                thread::yield_now();
            }
            let mut account = account(key);
            // pays off more often than it borrows, so that many are fresh at any time
            let owed = if account.owed == 0 && random.bool() { 1 } else { 0 };
            entry.owed.store(owed, Ordering::Relaxed);
            account.owed = owed;
            account.holders -= 1;
            // still under the account's lock, so that the next holder is after this one
            drop(entry);
        }
    };
    thread::scope(|scope| {
        for thread in 0..threads {
            let work = &work;
            scope.spawn(move || work(thread));
        }
    });
    let owed: u64 = accounts.iter().map(|account| account.lock().unwrap().owed).sum();
    let mut kept = 0;
    table.for_each(|_, debt| kept += debt.owed.load(Ordering::Relaxed));
    assert_eq!(kept, owed);
    assert!(table.keeper().made.load(Ordering::Relaxed) > max as u64 + 1, "nothing was ever taken out");
}

#[test]
fn few_keys_in_a_table_of_one() {
    hammer(4, 3, 1, 20_000);
}

#[test]
fn some_keys_in_a_table_of_a_few() {
    hammer(4, 12, 4, 20_000);
}

#[test]
fn many_keys_in_a_table_of_many() {
    hammer(4, 2_000, 500, 20_000);
}

#[test]
fn a_key_made_by_many_at_once_has_one_entry() {
    for _ in 0..200 {
        let table = KeyedTable::new(Debts::default(), 1_000);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for key in 0..20 {
                        table.get(&key.to_string(), Instant::ORIGIN).owed.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        table.for_each(|key, debt| assert_eq!(debt.owed.load(Ordering::Relaxed), 4, "of {key}"));
        assert_eq!(table.len(), 20);
    }
}
