//! Model-specific registers: their numbers, and the two instructions.
//!
//! Invariant: a register is written only on the CPU that it belongs to, by the file that owns its subject.

use core::arch::asm;

pub const APIC_BASE: u32 = 0x1b;
pub const TSC_DEADLINE: u32 = 0x6e0;
/// x2APIC registers: this plus the xAPIC offset divided by 16.
pub const X2APIC: u32 = 0x800;
pub const EFER: u32 = 0xc000_0080;
/// Selectors for `syscall` and `sysret`.
pub const STAR: u32 = 0xc000_0081;
/// Where `syscall` goes.
pub const LSTAR: u32 = 0xc000_0082;
/// Where `syscall` goes from 32-bit code (AMD); there is none.
pub const CSTAR: u32 = 0xc000_0083;
/// Flags that `syscall` clears.
pub const SYSCALL_MASK: u32 = 0xc000_0084;
pub const FS_BASE: u32 = 0xc000_0100;
pub const GS_BASE: u32 = 0xc000_0101;
/// What `swapgs` exchanges with GS: in the kernel, the program's GS base.
pub const KERNEL_GS_BASE: u32 = 0xc000_0102;

/// # Safety
/// The register exists on this CPU.
#[inline]
pub unsafe fn read(register: u32) -> u64 {
    let (low, high): (u32, u32);
    // SAFETY: the caller's promise.
    unsafe {
        asm!("rdmsr", in("ecx") register, out("eax") low, out("edx") high, options(nostack, preserves_flags));
    }
    u64::from(high) << 32 | u64::from(low)
}

/// # Safety
/// The register exists on this CPU, takes this value, and the new state keeps the kernel's memory sound.
#[inline]
pub unsafe fn write(register: u32, value: u64) {
    // SAFETY: the caller's promise. Not `nomem`: GS and the APIC depend on what was written before.
    unsafe {
        asm!("wrmsr", in("ecx") register, in("eax") value as u32, in("edx") (value >> 32) as u32,
            options(nostack, preserves_flags));
    }
}
