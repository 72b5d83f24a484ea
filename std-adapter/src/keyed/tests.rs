//! The table step by step: what it keeps, what it takes out, and what happens in between.

mod model;
mod threads;

use super::*;
use core::cell::Cell;
use core::panic::AssertUnwindSafe;
use core::sync::atomic::AtomicBool;
use std::collections::BTreeSet;
use std::panic::catch_unwind;
use std::sync::Mutex;
use std::thread;

const START: Instant = Instant::from_nanos(0);

/// Values that are busy until a time in nanoseconds, with a number of their own.
#[derive(Debug, Default)]
struct Numbered {
    made: AtomicU64,
}

#[derive(Debug)]
struct Value {
    number: u64,
    busy_until: AtomicU64,
}

impl Value {
    fn work_until(&self, nanos: u64) {
        self.busy_until.store(nanos, Ordering::Relaxed);
    }
}

impl Keeper for Numbered {
    type Value = Value;

    fn fresh(&self, _: Option<&str>) -> Value {
        Value { number: self.made.fetch_add(1, Ordering::Relaxed), busy_until: AtomicU64::new(0) }
    }

    fn is_fresh(&self, value: &Value, now: Instant) -> bool {
        value.busy_until.load(Ordering::Relaxed) <= now.as_nanos()
    }
}

fn table(max: usize) -> KeyedTable<Numbered> {
    KeyedTable::new(Numbered::default(), max)
}

fn keys<K: Keeper>(table: &KeyedTable<K>) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    table.for_each(|key, _| {
        keys.insert(key.to_owned());
    });
    keys
}

fn set(keys: &[&str]) -> BTreeSet<String> {
    keys.iter().map(|&key| key.to_owned()).collect()
}

fn at(nanos: u64) -> Instant {
    Instant::from_nanos(nanos)
}

#[test]
fn a_key_keeps_its_value() {
    let table = table(4);
    let number = table.get("a", START).number;
    assert_ne!(table.get("b", START).number, number);
    assert_eq!(table.get("a", START).number, number);
    assert_eq!(table.get("a", START).key(), Some("a"));
    assert_eq!((table.len(), table.max(), table.shared()), (2, 4, 0));
}

#[test]
fn a_full_table_takes_out_what_is_fresh_and_only_that() {
    let table = table(2);
    table.get("busy", START).work_until(10);
    let busy = table.get("busy", START).number;
    table.get("idle", START);
    assert_eq!(table.get("new", START).key(), Some("new"));
    assert_eq!(keys(&table), set(&["busy", "new"]));
    assert_eq!(table.get("busy", START).number, busy);
    table.get("new", START).work_until(10);
    assert_eq!(table.get("newer", at(9)).key(), None);
    assert_eq!(table.get("newer", at(10)).key(), Some("newer"));
    assert_eq!((table.len(), table.shared()), (2, 1));
}

#[test]
fn a_held_entry_stays() {
    let table = table(1);
    let held = table.get("held", START);
    assert_eq!(table.get("new", START).key(), None);
    assert_eq!((table.clear(), keys(&table)), (0, set(&["held"])));
    drop(held);
    assert_eq!(table.get("new", START).key(), Some("new"));
    assert_eq!(keys(&table), set(&["new"]));
}

#[test]
fn keys_without_room_share_one_value_and_are_counted() {
    let table = table(1);
    table.get("busy", START).work_until(u64::MAX);
    let (a, b) = (table.get("a", START), table.get("b", START));
    assert_eq!(a.number, b.number);
    a.work_until(7);
    assert_eq!(table.overflow().busy_until.load(Ordering::Relaxed), 7);
    assert_eq!((table.len(), table.shared()), (1, 2));
}

#[test]
fn a_table_of_no_entries_shares_one() {
    let table = table(0);
    assert_eq!(table.get("a", START).key(), None);
    assert_eq!((table.len(), table.shared()), (0, 1));
}

#[test]
fn a_key_too_long_to_be_kept_shares() {
    let table = table(4);
    let longest = "k".repeat(MAX_KEY);
    assert_eq!(table.get(&longest, START).key(), Some(longest.as_str()));
    assert_eq!(table.get(&format!("{longest}k"), START).key(), None);
    assert_eq!((table.len(), table.shared()), (1, 1));
}

#[test]
fn retain_takes_out_what_is_not_wanted_fresh_or_not() {
    let table = table(4);
    for key in ["a", "b", "c"] {
        table.get(key, START).work_until(u64::MAX);
    }
    assert_eq!(table.retain(|key, _| key == "b"), 2);
    assert_eq!(keys(&table), set(&["b"]));
    assert_eq!(table.len(), 1);
}

#[test]
fn a_lower_maximum_lets_entries_go_as_they_become_fresh() {
    let table = table(4);
    for (key, until) in [("a", 0), ("b", 10), ("c", 20), ("d", 30)] {
        table.get(key, START).work_until(until);
    }
    table.set_max(1, START);
    assert_eq!(keys(&table), set(&["b", "c", "d"]));
    assert_eq!(table.get("e", at(10)).key(), None, "there are too many still");
    assert_eq!(keys(&table), set(&["c", "d"]));
    table.get("e", at(20));
    assert_eq!(keys(&table), set(&["d"]));
    assert_eq!(table.get("e", at(30)).key(), Some("e"));
    assert_eq!(table.len(), 1);
    table.set_max(2, at(30));
    table.get("f", at(30));
    assert_eq!(keys(&table), set(&["e", "f"]));
}

#[test]
fn a_lower_maximum_takes_out_no_more_than_it_must() {
    let table = table(4);
    for key in ["a", "b", "c", "d"] {
        table.get(key, START);
    }
    table.set_max(3, START);
    assert_eq!(table.len(), 3);
}

#[test]
fn a_large_table_finds_the_one_that_may_go_in_as_many_calls_as_it_has_parts() {
    let table = table(10 * SEARCHED);
    for number in 0..10 * SEARCHED {
        table.get(&number.to_string(), START).work_until(u64::MAX);
    }
    table.get("300", START).work_until(0);
    let calls = (1..=11).find(|_| table.get("new", START).key().is_some());
    assert!(calls.is_some(), "a round is ten searches");
    assert_eq!(table.len(), 10 * SEARCHED);
}

#[test]
fn a_new_entry_is_the_last_to_be_looked_at() {
    let table = table(3);
    for (key, left) in [("a", 1), ("b", 2), ("c", 3), ("d", 3), ("e", 3), ("f", 3)] {
        table.get(key, START);
        assert_eq!(table.len(), left);
    }
    assert_eq!(keys(&table), set(&["d", "e", "f"]));
}

#[test]
fn a_known_key_takes_no_lock_and_allocates_nothing_and_so_does_one_that_shares_in_a_pause() {
    let table = table(2 * SEARCHED);
    for number in 0..2 * SEARCHED {
        table.get(&number.to_string(), START).work_until(u64::MAX);
    }
    (0..2).for_each(|_| drop(table.get("new", START)));
    let others = table.lock();
    let allocations = allocation_counter::measure(|| {
        assert!(table.get("7", START).key().is_some());
        assert!(table.get("new", START).key().is_none());
    });
    drop(others);
    assert_eq!(allocations.count_total, 0, "{allocations:?}");
}

/// Counts how often it is asked.
#[derive(Default)]
struct Asked {
    times: AtomicU64,
}

impl Keeper for Asked {
    type Value = AtomicBool;

    fn fresh(&self, _: Option<&str>) -> AtomicBool {
        AtomicBool::new(false)
    }

    fn is_fresh(&self, value: &AtomicBool, _: Instant) -> bool {
        self.times.fetch_add(1, Ordering::Relaxed);
        !value.load(Ordering::Relaxed)
    }
}

#[test]
fn made_up_keys_find_a_bounded_search_and_then_a_pause() {
    const ENTRIES: usize = 1_000;
    const PAUSE: u64 = 1_000 * ENTRIES as u64;
    let table = KeyedTable::new(Asked::default(), ENTRIES);
    for number in 0..ENTRIES {
        table.get(&number.to_string(), START).store(true, Ordering::Relaxed);
    }
    let asked_by = |calls: usize, now: Instant| {
        let before = table.keeper().times.load(Ordering::Relaxed);
        (0..calls).for_each(|call| assert_eq!(table.get(&format!("made up {call}"), now).key(), None));
        table.keeper().times.load(Ordering::Relaxed) - before
    };
    let searches = ENTRIES.div_ceil(SEARCHED);
    assert_eq!(asked_by(1, at(5)), SEARCHED as u64);
    assert_eq!(asked_by(10_000, at(5)), ((searches - 1) * SEARCHED) as u64, "one round, and no more");
    assert_eq!(asked_by(10_000, at(4 + PAUSE)), 0);
    assert_eq!(asked_by(1, at(5 + PAUSE)), SEARCHED as u64);
    assert_eq!(asked_by(10_000, at(5 + PAUSE)), ((searches - 1) * SEARCHED) as u64, "another round");
    assert_eq!(asked_by(1, at(4)), SEARCHED as u64, "a clock that goes back does not make the pause longer");
    assert_eq!(asked_by(1, at(6 + PAUSE)), 0);
    table.set_max(ENTRIES, at(6 + PAUSE));
    assert_eq!(asked_by(1, at(6 + PAUSE)), SEARCHED as u64, "a new maximum ends the pause");
}

/// Runs something when it is asked for the n-th time, before it answers.
struct Interrupted<F> {
    questions: Cell<u32>,
    at_question: u32,
    interrupt: F,
}

/// `take_out_if` with an interruption at a question. The value is an `AtomicBool`: whether it may go.
fn take_out_interrupted(slot: &Slot<AtomicBool>, at_question: u32, interrupt: impl Fn()) -> bool {
    let interrupted = Interrupted { questions: Cell::new(0), at_question, interrupt };
    slot.take_out_if(|may_go| {
        interrupted.questions.set(interrupted.questions.get() + 1);
        if interrupted.questions.get() == interrupted.at_question {
            (interrupted.interrupt)();
        }
        may_go.load(Ordering::Relaxed)
    })
}

fn slot() -> Arc<Slot<AtomicBool>> {
    Arc::new(Slot::new(None, AtomicBool::new(true)))
}

#[test]
fn a_slot_that_nobody_holds_goes_and_is_held_no_more() {
    let slot = slot();
    assert!(slot.take_out_if(|_| true));
    assert!(slot.hold().is_none());
    assert!(slot.hold().is_none(), "looking has changed nothing");
}

#[test]
fn a_slot_that_is_held_after_the_first_question_stays() {
    let slot = slot();
    let held = Cell::new(None);
    assert!(!take_out_interrupted(&slot, 1, || held.set(slot.hold())));
    assert!(held.take().is_some());
    assert!(slot.take_out_if(|_| true), "nobody holds it any more");
}

#[test]
fn a_slot_that_was_used_after_the_first_question_stays() {
    let slot = slot();
    let use_it = || slot.hold().expect("it is not out yet").store(false, Ordering::Relaxed);
    // the answer of the first question is from before the use
    let answers = Cell::new(0);
    let went = slot.take_out_if(|may_go| {
        answers.set(answers.get() + 1);
        let answer = may_go.load(Ordering::Relaxed);
        if answers.get() == 1 {
            use_it();
        }
        answer
    });
    assert!(!went, "its state would be lost");
    assert!(slot.hold().is_some());
}

#[test]
fn a_slot_cannot_be_held_while_it_is_being_taken_out() {
    let slot = slot();
    let met = Cell::new(false);
    assert!(take_out_interrupted(&slot, 2, || met.set(slot.hold().is_none())));
    assert!(met.get());
}

#[test]
fn a_reader_that_was_turned_away_does_not_count_when_the_slot_stays() {
    let slot = slot();
    let went = take_out_interrupted(&slot, 2, || {
        assert!(slot.hold().is_none());
        slot.value().store(false, Ordering::Relaxed);
    });
    assert!(!went);
    drop(slot.hold().expect("it stays"));
    assert!(slot.take_out_if(|_| true), "nobody holds it any more");
}

#[test]
fn a_reader_in_the_midst_of_being_turned_away_is_not_forgotten_when_the_slot_stays() {
    let slot = slot();
    let added = Cell::new(None);
    let went = take_out_interrupted(&slot, 2, || {
        // it has added its one, and not yet taken it back
        added.set(Some(slot.first_hold()));
        slot.value().store(false, Ordering::Relaxed);
    });
    assert!(!went);
    assert!(!slot.take_out_if(|_| true), "the one is still there");
    drop(added.take());
    assert!(slot.take_out_if(|_| true));
}

#[test]
fn a_question_that_panics_leaves_the_slot_in_place() {
    let slot = slot();
    let question = || take_out_interrupted(&slot, 2, || panic!("on purpose"));
    catch_unwind(AssertUnwindSafe(question)).expect_err("it panics");
    assert!(slot.hold().is_some());
}

/// Does something when it is asked the second time, about an entry that is out by then.
#[derive(Default)]
struct Watched {
    questions: Mutex<u32>,
    then: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl Keeper for Watched {
    type Value = AtomicBool;

    fn fresh(&self, _: Option<&str>) -> AtomicBool {
        AtomicBool::new(true)
    }

    fn is_fresh(&self, value: &AtomicBool, _: Instant) -> bool {
        let mut questions = self.questions.lock().unwrap();
        *questions += 1;
        if *questions == 2
            && let Some(then) = self.then.lock().unwrap().take()
        {
            then();
        }
        value.load(Ordering::Relaxed)
    }
}

/// A table of one, full, whose entry `a` is taken out for `b`. Meanwhile another thread gets `a`, and `change` is called
/// with the value of `a` before the question is answered. Returns the keys of the entries that both got.
fn meet_on_the_way_out(change: fn(&AtomicBool)) -> [Option<String>; 2] {
    let table = Arc::new(KeyedTable::new(Watched::default(), 1));
    drop(table.get("a", START));
    let slot = Arc::clone(table.map.pin().get("a").expect("it was made just now"));
    let (send, receive) = std::sync::mpsc::channel();
    let (begin, begun) = std::sync::mpsc::channel();
    let reader = Arc::clone(&table);
    let then = move || {
        let reader = thread::spawn(move || {
            begin.send(()).unwrap();
            reader.get("a", START).key().map(str::to_owned)
        });
        begun.recv().unwrap();
        // most likely it waits for the lock by now; if it has not come so far, it sees the end only
        (0..1_000).for_each(|_| thread::yield_now());
        change(slot.value());
        send.send(reader).unwrap();
    };
    *table.keeper().then.lock().unwrap() = Some(Box::new(then));
    let new = table.get("b", START);
    let reader = receive.try_recv().expect("the entry was on its way out");
    let read = reader.join().unwrap();
    [new.key().map(str::to_owned), read]
}

#[test]
fn who_meets_an_entry_that_stays_after_all_gets_it() {
    let used = |value: &AtomicBool| value.store(false, Ordering::Relaxed);
    assert_eq!(meet_on_the_way_out(used), [None, Some("a".to_owned())]);
}

#[test]
fn who_meets_an_entry_on_its_way_out_does_not_get_it() {
    // the only place is taken by `b`, which is held
    assert_eq!(meet_on_the_way_out(|_| ()), [Some("b".to_owned()), None]);
}
