//! `Shared`: a plain value for the main loop and an interrupt, for what the tests themselves count.
//!
//! It is a critical section on every target, so that the tests do not rest on the atomics that they test.

use core::cell::Cell;
use critical_section::Mutex;

/// A value that is read and changed with interrupts off.
pub struct Shared<T>(Mutex<Cell<T>>);

impl<T> Shared<T> {
    /// A cell that holds `value`.
    pub const fn new(value: T) -> Self {
        Self(Mutex::new(Cell::new(value)))
    }

    /// Puts `value` in, and returns what was there.
    pub fn replace(&self, value: T) -> T {
        critical_section::with(|section| self.0.borrow(section).replace(value))
    }
}

impl<T: Copy> Shared<T> {
    /// The value now.
    pub fn get(&self) -> T {
        critical_section::with(|section| self.0.borrow(section).get())
    }

    /// Changes the value in place, and returns the new one.
    pub fn update(&self, change: impl FnOnce(&mut T)) -> T {
        critical_section::with(|section| {
            let mut value = self.0.borrow(section).get();
            change(&mut value);
            self.0.borrow(section).set(value);
            value
        })
    }
}
