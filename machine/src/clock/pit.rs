//! The old timer: only to measure the time-stamp counter, where CPUID does not say its frequency.
//!
//! Invariant: its second channel is ours (the speaker's), its interrupt is never used. A count and the time it was
//! read are bracketed by two looks at the time-stamp counter.

use super::tsc;
use crate::port;

/// Counts per second, exactly 14.31818 MHz / 12.
const FREQUENCY: u64 = 1_193_182;
const COUNTS: u16 = (FREQUENCY / 100) as u16;
const CHANNEL: u16 = 0x42;
const COMMAND: u16 = 0x43;
const GATE: u16 = 0x61;
const GATE_ON: u8 = 1;
const SPEAKER: u8 = 2;
const ONE_SHOT: u8 = 0b1011_0000;
const LATCH: u8 = 0b1000_0000;
const READINGS: usize = 5;
/// Looks at a timer that does not count before it is given up.
const PATIENCE: u32 = 100_000;

#[derive(Clone, Copy)]
struct Reading {
    ticks: u64,
    width: u64,
    count: u16,
}

fn reading() -> Reading {
    // SAFETY: latches and reads the channel that is ours.
    unsafe {
        let before = tsc::now();
        port::write_byte(COMMAND, LATCH);
        let after = tsc::now();
        let low = port::read_byte(CHANNEL);
        let high = port::read_byte(CHANNEL);
        Reading {
            ticks: before + after.saturating_sub(before) / 2,
            width: after.saturating_sub(before),
            count: u16::from_le_bytes([low, high]),
        }
    }
}

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

/// Time-stamp ticks per second, measured over ten milliseconds. `None` when there is no such timer.
pub(super) fn measure() -> Option<u64> {
    // SAFETY: the speaker stays off, the channel counts down once from its largest count.
    unsafe {
        let gate = port::read_byte(GATE) & !SPEAKER;
        port::write_byte(GATE, gate | GATE_ON);
        port::write_byte(COMMAND, ONE_SHOT);
        port::write_byte(CHANNEL, 0xff);
        port::write_byte(CHANNEL, 0xff);
    }
    let first = tight_reading();
    let mut patience = PATIENCE;
    while first.count.wrapping_sub(reading().count) < COUNTS {
        patience = patience.checked_sub(1)?;
        sync::cpu::relax();
    }
    frequency(first, tight_reading())
}

fn frequency(first: Reading, last: Reading) -> Option<u64> {
    let counted = u64::from(first.count.wrapping_sub(last.count));
    let ticks = last.ticks.checked_sub(first.ticks)?;
    Some((u128::from(ticks) * u128::from(FREQUENCY) / u128::from(counted.max(1))) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_milliseconds_of_a_3_ghz_counter_are_3_ghz() {
        let first = Reading { ticks: 0, width: 0, count: 0xff00 };
        let last = Reading { ticks: 30_000_000, width: 0, count: 0xff00 - 11_932 };
        let found = frequency(first, last).unwrap();
        assert!(found.abs_diff(3_000_000_000) < 300_000, "{found}");
    }
}
