//! A shared object that the kernel puts into every program: it tells the time and the CPU's number without a system call.
//!
//! Invariant: position independent, one page, never changed; the page before it is the clock's (`clock::page`). It gives the same
//! answers as the kernel, and asks it for those that it cannot give.

use crate::addr::PAGE_SIZE;
use crate::clock::page;

/// Clocks that show the time of day, as bits by number: real time, the same coarsely, atomic time.
const WALL: u32 = 1 << 0 | 1 << 5 | 1 << 11;
/// Since boot: monotonic, raw, coarse, boot time.
const STEADY: u32 = 1 << 1 | 1 << 4 | 1 << 6 | 1 << 7;
const COARSE: u32 = 1 << 5 | 1 << 6;

core::arch::global_asm!(
    include_str!("vdso.s"),
    SEQUENCE = const page::SEQUENCE,
    IS_USABLE = const page::IS_USABLE,
    START = const page::START,
    NANOSECONDS_PER_TICK = const page::NANOSECONDS_PER_TICK,
    BOOT_TIME = const page::BOOT_TIME,
    WALL = const WALL,
    KNOWN = const WALL | STEADY,
    COARSE = const COARSE,
    CPU_NUMBER = const crate::cpu::gdt::CPU_NUMBER,
);

unsafe extern "C" {
    safe static machine_vdso: [u8; PAGE_SIZE];
}

/// The page, to be mapped right behind the clock's.
pub fn image() -> &'static [u8; PAGE_SIZE] {
    &machine_vdso
}

#[cfg(test)]
#[path = "vdso_tests.rs"]
mod tests;
