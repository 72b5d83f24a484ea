//! Two mistakes that the sanitizers must find, or .ci/sanitizers shows nothing: `race` publishes a value with a relaxed
//! store, `freed` reads what was freed.

use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// A value that is there once `ready` is true; wrongly, since a relaxed store publishes nothing before it.
struct Published {
    value: UnsafeCell<u64>,
    ready: AtomicBool,
}

// SAFETY: none, and that is the point: two threads reach `value` without an order between them.
unsafe impl Sync for Published {}

static PUBLISHED: Published = Published { value: UnsafeCell::new(0), ready: AtomicBool::new(false) };

fn race() {
    let writer = thread::spawn(|| {
        // SAFETY: none, see `Published`.
        unsafe { *PUBLISHED.value.get() = 1 };
        PUBLISHED.ready.store(true, Ordering::Relaxed);
    });
    while !PUBLISHED.ready.load(Ordering::Relaxed) {
        thread::yield_now();
    }
    // SAFETY: none, see `Published`.
    println!("{}", unsafe { *PUBLISHED.value.get() });
    writer.join().unwrap();
}

fn freed() {
    let value = Box::into_raw(Box::new(std::env::args().count()));
    // SAFETY: none: the second access comes after the box is gone.
    unsafe {
        drop(Box::from_raw(value));
        println!("{}", std::ptr::read_volatile(value));
    }
}

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("race") => race(),
        _ => freed(),
    }
}
