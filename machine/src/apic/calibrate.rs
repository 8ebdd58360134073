//! Ticks per second of this CPU's timer, and of no other's.
//!
//! Invariant: measured by the CPU itself against its time-stamp counter, between two readings that nothing came
//! between (each is bracketed by two looks at the counter; the tightest of several is taken).

use super::local::{self, Register};
use super::timer;
use crate::clock::tsc;
use crate::cpu::{block, features};
use sync::CpuId;

const WINDOW_MICROSECONDS: u64 = 1000;
const READINGS: usize = 5;
const MASKED: u32 = 1 << 16;

/// The timer's count, and when it was that.
#[derive(Clone, Copy)]
struct Reading {
    ticks: u64,
    width: u64,
    count: u32,
}

fn reading() -> Reading {
    let before = tsc::now();
    let count = local::read(Register::CurrentCount);
    let after = tsc::now();
    let width = after.saturating_sub(before);
    Reading { ticks: before + width / 2, width, count }
}

/// The tightest of a few readings: one that another virtual CPU or the firmware interrupted is wide.
fn tight_reading() -> Reading {
    let mut best = reading();
    for _ in 1..READINGS {
        let next = reading();
        if next.width < best.width {
            best = next;
        }
    }
    best
}

fn frequency(first: Reading, last: Reading, ticks_per_second: u64) -> u64 {
    let counted = u128::from(first.count.saturating_sub(last.count));
    let passed = u128::from(last.ticks.saturating_sub(first.ticks).max(1));
    u64::try_from(counted * u128::from(ticks_per_second) / passed).unwrap_or(u64::MAX)
}

/// Measures this CPU's timer and readies it. Takes a millisecond; nothing at all where the timer is set in
/// time-stamp ticks. The counter's frequency must be known. Interrupts off. Returns ticks per second.
pub fn this_cpu() -> u64 {
    let ticks_per_second = tsc::frequency();
    let frequency = if features::get().tsc_deadline { ticks_per_second } else { measure(ticks_per_second) };
    let own = block::this();
    let ratio = (u128::from(frequency) << 32) / u128::from(ticks_per_second.max(1));
    own.timer_ratio.store(u64::try_from(ratio).unwrap_or(u64::MAX));
    own.timer_frequency.store(frequency);
    timer::initialise_this_cpu();
    frequency
}

fn measure(ticks_per_second: u64) -> u64 {
    local::write(Register::LocalTimer, MASKED);
    timer::write_divider();
    local::write(Register::InitialCount, u32::MAX);
    let first = tight_reading();
    let end = first.ticks + ticks_per_second * WINDOW_MICROSECONDS / 1_000_000;
    while tsc::now() < end {
        sync::cpu::relax();
    }
    let last = tight_reading();
    local::write(Register::InitialCount, 0);
    frequency(first, last, ticks_per_second)
}

/// Ticks per second of `cpu`'s timer; 0 while it has not measured them.
pub fn frequency_of(cpu: CpuId) -> u64 {
    block::of(cpu).timer_frequency.load()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timer_that_counts_a_third_as_fast_is_found_to() {
        let first = Reading { ticks: 1000, width: 10, count: u32::MAX };
        let last = Reading { ticks: 3_001_000, width: 10, count: u32::MAX - 1_000_000 };
        assert_eq!(frequency(first, last, 3_000_000_000), 1_000_000_000);
    }

    #[test]
    fn a_timer_that_does_not_count_is_zero_and_no_panic() {
        let reading = Reading { ticks: 5, width: 1, count: 7 };
        assert_eq!(frequency(reading, reading, 1_000_000_000), 0);
    }
}
