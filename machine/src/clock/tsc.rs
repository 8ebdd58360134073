//! The time-stamp counter.
//!
//! Invariant: one frequency for all CPUs, set once before the first reader asks. Whether the CPUs' counters agree is
//! looked at while they come up (`take_part_in_check`): `worst_step_back` is 0 when nobody saw time go back.

use super::pit;
use crate::cpu::features;
use core::arch::asm;
use sync::{Once, Published};

#[derive(Clone, Copy)]
struct Rate {
    ticks_per_second: u64,
    /// Nanoseconds per tick and ticks per nanosecond, as fractions of 2^32.
    nanoseconds: u64,
    ticks: u64,
}

static RATE: Once<Rate> = Once::new();
const NANOSECONDS_PER_SECOND: u64 = 1_000_000_000;
/// What is assumed when nothing can tell: time passes at a wrong speed, but it passes.
const GUESS: u64 = 1_000_000_000;
const PLAUSIBLE: core::ops::RangeInclusive<u64> = 100_000_000..=10_000_000_000;

/// The counter now, not before what comes earlier in the program.
#[inline]
pub fn now() -> u64 {
    let (low, high): (u32, u32);
    // SAFETY: reads a counter that programs may read too; the fence keeps the reading in its place.
    unsafe { asm!("lfence", "rdtsc", out("eax") low, out("edx") high, options(nostack, preserves_flags)) };
    u64::from(high) << 32 | u64::from(low)
}

impl Rate {
    const fn new(ticks_per_second: u64) -> Self {
        let ticks_per_second = if ticks_per_second == 0 { GUESS } else { ticks_per_second };
        Rate {
            ticks_per_second,
            nanoseconds: ((NANOSECONDS_PER_SECOND as u128) * (1 << 32) / ticks_per_second as u128) as u64,
            ticks: ((ticks_per_second as u128) * (1 << 32) / NANOSECONDS_PER_SECOND as u128) as u64,
        }
    }

    #[inline]
    fn to_nanoseconds(self, ticks: u64) -> u64 {
        u64::try_from((u128::from(ticks) * u128::from(self.nanoseconds)) >> 32).unwrap_or(u64::MAX)
    }

    /// Rounded up, so that a deadline is not met too early.
    fn ticks_in(self, nanoseconds: u64) -> u64 {
        let ticks = (u128::from(nanoseconds) * u128::from(self.ticks)) >> 32;
        u64::try_from(ticks + 1).unwrap_or(u64::MAX)
    }
}

#[inline]
fn rate() -> Rate {
    RATE.get().copied().unwrap_or(const { Rate::new(GUESS) })
}

/// Ticks per second.
pub fn frequency() -> u64 {
    rate().ticks_per_second
}

#[inline]
pub fn to_nanoseconds(ticks: u64) -> u64 {
    rate().to_nanoseconds(ticks)
}

/// Nanoseconds in one tick, as a fraction of 2^32: what `to_nanoseconds` multiplies by.
pub fn nanoseconds_per_tick() -> u64 {
    rate().nanoseconds
}

pub fn from_nanoseconds(nanoseconds: u64) -> u64 {
    rate().ticks_in(nanoseconds)
}

/// What CPUID says: the crystal's ratio, or a hypervisor's word.
fn stated() -> Option<u64> {
    let crystal = features::cpuid(0x15, 0);
    let by_crystal = (crystal.eax != 0)
        .then(|| u128::from(crystal.ecx) * u128::from(crystal.ebx) / u128::from(crystal.eax))
        .and_then(|frequency| u64::try_from(frequency).ok());
    let by_hypervisor = features::get().hypervisor.then(|| u64::from(features::cpuid(0x4000_0010, 0).eax) * 1000);
    by_crystal.filter(|found| PLAUSIBLE.contains(found)).or(by_hypervisor.filter(|found| PLAUSIBLE.contains(found)))
}

/// Finds out the frequency, unless it is known: from CPUID, else by ten milliseconds against the old timer.
/// Returns whether those ten milliseconds were spent.
pub fn establish() -> bool {
    if RATE.get().is_some() {
        return false;
    }
    let stated = stated();
    let found = stated.or_else(|| pit::measure().filter(|found| PLAUSIBLE.contains(found)));
    let _ = RATE.set(Rate::new(found.unwrap_or(GUESS)));
    stated.is_none()
}

/// Spins for `microseconds`.
pub fn wait_microseconds(microseconds: u64) {
    let end = now().saturating_add(from_nanoseconds(microseconds.saturating_mul(1000)));
    while now() < end {
        sync::cpu::relax();
    }
}

/// The latest reading of any CPU that takes part.
static LATEST: Published<u64> = Published::<u64>::new(0);
static WORST_STEP_BACK: Published<u64> = Published::<u64>::new(0);

/// One look: a reading that is smaller than one that another CPU had already published is a step back.
pub(crate) fn take_part_in_check() {
    let published = LATEST.load();
    let mine = now();
    if mine < published {
        WORST_STEP_BACK.fetch_max(published - mine);
    }
    LATEST.fetch_max(mine);
}

/// By how many ticks time went back, at worst, from one CPU to another while they came up.
pub fn worst_step_back() -> u64 {
    WORST_STEP_BACK.load()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_century_of_ticks_does_not_overflow() {
        let rate = Rate::new(3_000_000_000);
        let century = 100 * 365 * 86_400u64;
        let ticks = century.saturating_mul(3_000_000_000);
        let seconds = rate.to_nanoseconds(ticks) / NANOSECONDS_PER_SECOND;
        assert!(seconds.abs_diff(century) < 10, "{seconds}");
    }

    #[test]
    fn there_and_back_is_never_earlier() {
        for frequency in [100_000_000, 999_999_937, 2_999_998_123, 10_000_000_000] {
            let rate = Rate::new(frequency);
            for nanoseconds in [0, 1, 999, 1_000_000, 123_456_789_012] {
                let back = rate.to_nanoseconds(rate.ticks_in(nanoseconds));
                assert!(back + 1 + nanoseconds / 100_000_000 >= nanoseconds, "{frequency} {nanoseconds} {back}");
                assert!(back <= nanoseconds + 20, "{frequency} {nanoseconds} {back}");
            }
        }
    }

    #[test]
    fn the_largest_numbers_saturate() {
        assert_eq!(Rate::new(100_000_000).to_nanoseconds(u64::MAX), u64::MAX);
        assert_eq!(Rate::new(10_000_000_000).ticks_in(u64::MAX), u64::MAX);
    }

    #[test]
    fn the_hosts_counter_never_goes_back() {
        take_part_in_check();
        (0..100).for_each(|_| take_part_in_check());
        let first = now();
        assert!(now() >= first);
    }
}
