//! Chaos: seeded disturbances, in kernels that are built to be shaken (feature `chaos`). In all others, nothing.
//!
//! Invariant: each CPU draws from a sequence of its own, which is a function of the seed and the CPU's number alone; before
//! `start` and after `stop` nothing is disturbed. A disturbance only takes time or asks for what may happen anyway.

use crate::cpu::{CpuId, CpuSet};

#[cfg(feature = "chaos")]
pub use shaken::{below, is_on, point, seed, spin_microseconds, start, stop, stretch};

/// True once in `odds` times, at random; never when nothing is to be disturbed.
#[inline]
pub fn one_in(odds: u64) -> bool {
    is_on() && below(odds) == 0
}

/// A random member; `None` when nothing is to be disturbed.
#[inline]
pub fn member(cpus: CpuSet) -> Option<CpuId> {
    if !is_on() || cpus.is_empty() {
        return None;
    }
    cpus.iter().nth(below(cpus.count() as u64) as usize)
}

/// The same calls in a kernel that is not built for it.
#[cfg(not(feature = "chaos"))]
mod calm {
    #[inline(always)]
    pub const fn is_on() -> bool {
        false
    }

    #[inline(always)]
    pub const fn below(_: u64) -> u64 {
        0
    }

    #[inline(always)]
    pub const fn point() {}

    #[inline(always)]
    pub const fn stretch() {}

    #[inline(always)]
    pub const fn spin_microseconds(_: u64) {}

    #[inline(always)]
    pub const fn stop() {}

    /// Such a kernel cannot be shaken: false.
    pub const fn start(_: u64, _: u64) -> bool {
        false
    }

    pub const fn seed() -> Option<u64> {
        None
    }
}

#[cfg(not(feature = "chaos"))]
pub use calm::{below, is_on, point, seed, spin_microseconds, start, stop, stretch};

#[cfg(feature = "chaos")]
mod shaken {
    use crate::cpu::{self, MAXIMUM_CPUS};
    use core::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

    /// One CPU's place in its sequence. Plain core: it orders nothing, and models do not explore it.
    #[repr(align(64))]
    struct Sequence(AtomicU64);

    static SEQUENCES: [Sequence; MAXIMUM_CPUS] = [const { Sequence(AtomicU64::new(1)) }; MAXIMUM_CPUS];
    static SEED: AtomicU64 = AtomicU64::new(0);
    static WAS_STARTED: AtomicBool = AtomicBool::new(false);
    static ON: AtomicBool = AtomicBool::new(false);
    static TICKS_PER_MICROSECOND: AtomicU64 = AtomicU64::new(1);
    /// One of so many points takes time. The seed says which: rare disturbances find other things than frequent ones.
    static POINT_ODDS: AtomicU64 = AtomicU64::new(1);

    /// From here on. `ticks_per_microsecond` is the time-stamp counter's rate. True: this kernel can be shaken.
    pub fn start(seed: u64, ticks_per_microsecond: u64) -> bool {
        for (index, sequence) in SEQUENCES.iter().enumerate() {
            sequence.0.store(first(seed, index as u64), Relaxed);
        }
        SEED.store(seed, Relaxed);
        TICKS_PER_MICROSECOND.store(ticks_per_microsecond.max(1), Relaxed);
        POINT_ODDS.store([4, 16, 64][(seed % 3) as usize], Relaxed);
        WAS_STARTED.store(true, Relaxed);
        ON.store(true, Relaxed);
        true
    }

    /// For reports: no more disturbances.
    pub fn stop() {
        ON.store(false, Relaxed);
    }

    #[inline]
    pub fn is_on() -> bool {
        ON.load(Relaxed)
    }

    /// What it was started with.
    pub fn seed() -> Option<u64> {
        WAS_STARTED.load(Relaxed).then(|| SEED.load(Relaxed))
    }

    /// Where a CPU's sequence begins: splitmix64 of the seed and the number, never zero.
    pub(super) fn first(seed: u64, cpu: u64) -> u64 {
        let mut mixed = seed.wrapping_add((cpu + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ mixed >> 31) | 1
    }

    /// xorshift64.
    pub(super) fn next(mut state: u64) -> u64 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^ state << 17
    }

    /// The next number of this CPU's sequence.
    fn draw() -> u64 {
        // Not an `IrqOff`: its end would draw again.
        let were_on = cpu::interrupts_are_on();
        cpu::disable_interrupts();
        let sequence = &SEQUENCES[cpu::current().index()].0;
        let number = next(sequence.load(Relaxed));
        sequence.store(number, Relaxed);
        if were_on {
            cpu::enable_interrupts();
        }
        number
    }

    /// A number below `limit`, or 0.
    #[inline]
    pub fn below(limit: u64) -> u64 {
        // The low bits of a xorshift are its worst.
        if limit == 0 { 0 } else { (draw() >> 16) % limit }
    }

    /// A place where two CPUs might meet: now and then it takes time, mostly little.
    #[inline]
    pub fn point() {
        if is_on() {
            pass();
        }
    }

    #[cold]
    #[inline(never)]
    fn pass() {
        let number = draw() >> 8;
        if !number.is_multiple_of(POINT_ODDS.load(Relaxed)) {
            return;
        }
        let number = number >> 8;
        if number.is_multiple_of(64) {
            spin_microseconds(1_000);
        } else {
            // Log-uniform: a random number of random length, up to 20 microseconds.
            let ticks = 20 * TICKS_PER_MICROSECOND.load(Relaxed);
            spin((ticks >> ((number >> 8) % 10)) * ((number >> 16) % 256) / 256);
        }
    }

    /// A lock is about to be released: now and then it is held for longer.
    #[inline]
    pub fn stretch() {
        if is_on() && below(256) == 0 {
            spin_microseconds(50);
        }
    }

    pub fn spin_microseconds(microseconds: u64) {
        spin(microseconds * TICKS_PER_MICROSECOND.load(Relaxed));
    }

    fn spin(ticks: u64) {
        let began = now();
        while now().wrapping_sub(began) < ticks {
            core::hint::spin_loop();
        }
    }

    #[cfg(target_os = "none")]
    fn now() -> u64 {
        // SAFETY: reads a counter that every program may read.
        unsafe { core::arch::x86_64::_rdtsc() }
    }

    /// On the host, where CPUs are threads, each look is a tick.
    #[cfg(not(target_os = "none"))]
    fn now() -> u64 {
        static TICKS: AtomicU64 = AtomicU64::new(0);
        TICKS.fetch_add(1_000, Relaxed)
    }
}

#[cfg(test)]
#[cfg(all(feature = "chaos", not(any(loom, shuttle))))]
mod tests {
    use super::shaken::{first, next};
    use super::*;

    #[test]
    fn a_cpus_sequence_is_a_function_of_seed_and_number_and_never_stands_still() {
        assert_ne!(first(1, 0), first(2, 0));
        assert_ne!(first(1, 0), first(1, 1));
        assert_eq!(first(7, 3), first(7, 3));
        let mut state = first(0, 0);
        for _ in 0..10_000 {
            let after = next(state);
            assert!(after != 0 && after != state);
            state = after;
        }
    }

    #[test]
    fn nothing_is_disturbed_before_the_start_and_everything_may_be_after() {
        assert!(!is_on() && !one_in(1) && member(CpuSet::all_below(4)).is_none() && seed().is_none());
        assert!(start(5, 1_000));
        assert_eq!(seed(), Some(5));
        let mut seen = CpuSet::EMPTY;
        (0..1_000).for_each(|_| seen = seen.union(member(CpuSet::all_below(4)).map_or(CpuSet::EMPTY, CpuSet::single)));
        assert_eq!(seen, CpuSet::all_below(4));
        assert!((0..1_000).any(|_| one_in(16)) && (0..1_000).any(|_| !one_in(16)));
        (0..100).for_each(|_| point());
        stop();
        assert!(!is_on() && !one_in(1));
        assert_eq!(seed(), Some(5), "a report after the stop still names the seed");
    }
}
