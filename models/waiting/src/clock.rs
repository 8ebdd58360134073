//! What time it is: as late as the alarm says.

use std::cell::Cell;

// One model's threads all run on one OS thread.
std::thread_local! {
    static NOW: Cell<u64> = const { Cell::new(0) };
}

pub fn now() -> u64 {
    NOW.get()
}

pub fn boot_time() -> u64 {
    0
}

pub fn set(nanoseconds: u64) {
    NOW.set(nanoseconds);
}
