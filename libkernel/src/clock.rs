//! What time it is.
//!
//! Invariant: `now` never goes back on one CPU; the CPUs' counters were checked against each other at boot.

use machine::clock::{real_time_clock, tsc};
use sync::{Counter, Once};

pub const NANOSECONDS_PER_SECOND: u64 = 1_000_000_000;

/// The counter's value when the kernel was entered.
static START: Once<u64> = Once::new();
/// Nanoseconds from 1970 to the entry of the kernel.
static BOOT_TIME: Counter = Counter::new(0);

/// Starts the clock at `entry_ticks`, and reads the date from the battery's clock.
pub fn initialise(entry_ticks: u64) {
    if START.set(entry_ticks).is_ok() {
        set_wall_clock(real_time_clock::read().saturating_mul(NANOSECONDS_PER_SECOND));
    }
}

/// Nanoseconds since the kernel was entered; 0 until the clock is started.
pub fn now() -> u64 {
    match START.get() {
        Some(start) => tsc::to_nanoseconds(tsc::now().saturating_sub(*start)),
        None => 0,
    }
}

/// The counter's value at `nanoseconds` since boot: what the timer is armed with.
pub fn ticks_at(nanoseconds: u64) -> u64 {
    START.get().copied().unwrap_or(0).saturating_add(tsc::from_nanoseconds(nanoseconds))
}

/// Nanoseconds since 1970.
pub fn wall_clock() -> u64 {
    BOOT_TIME.get().saturating_add(now())
}

pub fn set_wall_clock(nanoseconds: u64) {
    BOOT_TIME.set(nanoseconds.saturating_sub(now()));
}

/// Nanoseconds from 1970 to boot.
pub fn boot_time() -> u64 {
    BOOT_TIME.get()
}
