//! What time it is.
//!
//! Invariant: `now` never goes back on one CPU; the CPUs' counters were checked against each other at boot. Once the page that
//! programs read is there, the wall clock stands in it alone, so that kernel and programs cannot disagree.

use machine::addr::Frame;
use machine::clock::page::{self, Reckoning};
use machine::clock::{real_time_clock, tsc};
use sync::{Counter, Once, SequenceLock};

pub const NANOSECONDS_PER_SECOND: u64 = 1_000_000_000;

/// The counter's value when the kernel was entered.
static START: Once<u64> = Once::new();
/// Nanoseconds from 1970 to the entry of the kernel, until there is the page.
static EARLY_BOOT_TIME: Counter = Counter::new(0);
static PAGE: Once<&'static SequenceLock<Reckoning>> = Once::new();

/// Starts the clock at `entry_ticks`, and reads the date from the battery's clock.
pub fn initialise(entry_ticks: u64) {
    if START.set(entry_ticks).is_ok() {
        set_wall_clock(real_time_clock::read().saturating_mul(NANOSECONDS_PER_SECOND));
    }
}

/// Tells programs the time in `frame` from now on. It holds zeros, and is the clock's for ever; called at boot, when nobody sets
/// the clock meanwhile.
pub fn show_in(frame: Frame) {
    let page = page::lock_in(frame);
    if let Some(start) = START.get() {
        page.write(Reckoning::by_counter(*start, EARLY_BOOT_TIME.get()));
        let _ = PAGE.set(page);
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
    boot_time().saturating_add(now())
}

pub fn set_wall_clock(nanoseconds: u64) {
    let boot_time = nanoseconds.saturating_sub(now());
    match PAGE.get() {
        Some(page) => page.write(Reckoning { boot_time, ..page.read() }),
        None => EARLY_BOOT_TIME.set(boot_time),
    }
}

/// Nanoseconds from 1970 to boot.
pub fn boot_time() -> u64 {
    PAGE.get().map_or_else(|| EARLY_BOOT_TIME.get(), |page| page.read().boot_time)
}
