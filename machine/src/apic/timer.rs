//! This CPU's one-shot timer, set in the time-stamp counter's own units.
//!
//! Invariant: armed by its own CPU only, with interrupts off. It may fire early when the deadline is
//! beyond what the counter can hold; whoever armed it looks at the clock and arms it again.

use super::local::{self, Register, TIMER};
use crate::clock::tsc;
use crate::cpu::{block, features};
use crate::msr;
use core::arch::asm;

const ONE_SHOT: u32 = 0;
const DEADLINE: u32 = 2 << 17;
const DIVIDE_BY_ONE: u32 = 0b1011;
const NEVER: u64 = u64::MAX;

/// Readies this CPU's timer; `calibrate::this_cpu` calls it.
pub(super) fn initialise_this_cpu() {
    write_divider();
    if features::get().tsc_deadline {
        local::write(Register::LocalTimer, u32::from(TIMER) | DEADLINE);
        // SAFETY: a fence: the mode must be set before the first deadline is (SDM vol. 3, 11.5.4.1).
        unsafe { asm!("mfence", options(nostack, preserves_flags)) };
    } else {
        local::write(Register::LocalTimer, u32::from(TIMER) | ONE_SHOT);
    }
}

pub(super) fn write_divider() {
    local::write(Register::DivideConfiguration, DIVIDE_BY_ONE);
}

/// Counts of this CPU's timer for `ticks` of the time-stamp counter: at least 1, at most what the register holds.
fn counts(ticks: u64, ratio: u64) -> u32 {
    let counts = (u128::from(ticks) * u128::from(ratio)) >> 32;
    u32::try_from(counts.saturating_add(1)).unwrap_or(u32::MAX)
}

/// The timer interrupt comes when `tsc::now()` has reached `deadline`; at once when that has passed.
pub fn arm_at(deadline: u64) {
    if features::get().tsc_deadline {
        // Zero would disarm it.
        let deadline = deadline.clamp(1, NEVER);
        // SAFETY: the register exists, says CPUID.
        unsafe { msr::write(msr::TSC_DEADLINE, deadline) };
    } else {
        let ticks = deadline.saturating_sub(tsc::now());
        local::write(Register::InitialCount, counts(ticks, block::this().timer_ratio.load()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_that_has_passed_still_counts_one() {
        assert_eq!(counts(0, 1 << 32), 1);
    }

    #[test]
    fn a_far_deadline_counts_as_much_as_the_register_holds() {
        assert_eq!(counts(u64::MAX, u64::MAX), u32::MAX);
        assert_eq!(counts(1 << 33, 1 << 31), u32::MAX);
    }

    #[test]
    fn the_timer_never_fires_early_by_rounding() {
        // A timer of 1 GHz under a time-stamp counter of 3 GHz.
        let ratio = (1u64 << 32) / 3;
        assert!(u64::from(counts(3_000_000, ratio)) >= 999_999);
        assert!(u64::from(counts(3_000_000, ratio)) <= 1_000_001);
    }
}
