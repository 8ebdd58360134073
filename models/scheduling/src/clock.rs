//! A clock that goes on by a microsecond whenever it is asked.

use std::cell::Cell;

// One model's threads all run on one OS thread.
std::thread_local! {
    static NOW: Cell<u64> = const { Cell::new(0) };
}

pub fn now() -> u64 {
    NOW.set(NOW.get() + 1_000);
    NOW.get()
}

pub fn set(nanoseconds: u64) {
    NOW.set(nanoseconds);
}
