//! What the CPU can do, and the switches that must be on before anything else runs.
//!
//! Invariant: the boot CPU decides once (`Features`); every CPU is then set up alike by `enable`. FSGSBASE stays
//! off, because the paranoid doors trust the sign of the GS base, which a program could otherwise choose.

use crate::msr;
use core::arch::asm;
use core::arch::x86_64::{__cpuid, __cpuid_count, CpuidResult};
use sync::Once;

/// What the boot CPU has. The kernel expects the same of the others.
#[derive(Clone, Copy, Default, Debug)]
pub struct Features {
    pub no_execute: bool,
    pub huge_pages: bool,
    pub global_pages: bool,
    pub machine_check: bool,
    pub process_context_identifiers: bool,
    pub supervisor_execution_prevention: bool,
    pub supervisor_access_prevention: bool,
    pub user_mode_instruction_prevention: bool,
    pub extended_save: bool,
    pub vector_256: bool,
    pub vector_512: bool,
    pub x2apic: bool,
    pub tsc_deadline: bool,
    pub invariant_tsc: bool,
    pub random: bool,
    pub random_seed: bool,
    pub hypervisor: bool,
}

static FEATURES: Once<Features> = Once::new();

const CR0_MONITOR: u64 = 1 << 1;
const CR0_EMULATION: u64 = 1 << 2;
const CR0_TASK_SWITCHED: u64 = 1 << 3;
const CR0_NUMERIC_ERROR: u64 = 1 << 5;
const CR0_WRITE_PROTECT: u64 = 1 << 16;
const CR0_CACHE_OFF: u64 = 3 << 29;

const CR4_MACHINE_CHECK: u64 = 1 << 6;
const CR4_GLOBAL_PAGES: u64 = 1 << 7;
const CR4_FXSR: u64 = 1 << 9;
const CR4_SIMD_EXCEPTIONS: u64 = 1 << 10;
const CR4_UMIP: u64 = 1 << 11;
const CR4_FSGSBASE: u64 = 1 << 16;
const CR4_PROCESS_CONTEXT_IDENTIFIERS: u64 = 1 << 17;
const CR4_OSXSAVE: u64 = 1 << 18;
const CR4_SMEP: u64 = 1 << 20;
const CR4_SMAP: u64 = 1 << 21;

const EFER_SYSCALL: u64 = 1 << 0;
const EFER_NO_EXECUTE: u64 = 1 << 11;

/// One leaf of CPUID; zeros for leaves that the CPU does not have.
pub fn cpuid(leaf: u32, subleaf: u32) -> CpuidResult {
    let maximum = __cpuid(leaf & 0xf000_0000).eax;
    if leaf > maximum || maximum & 0xf000_0000 != leaf & 0xf000_0000 {
        return CpuidResult { eax: 0, ebx: 0, ecx: 0, edx: 0 };
    }
    __cpuid_count(leaf, subleaf)
}

const fn bit(word: u32, number: u32) -> bool {
    word & (1 << number) != 0
}

fn detect() -> Features {
    let basic = cpuid(1, 0);
    let structured = cpuid(7, 0);
    let extended = cpuid(0x8000_0001, 0);
    let power = cpuid(0x8000_0007, 0);
    let save = bit(basic.ecx, 26);
    Features {
        no_execute: bit(extended.edx, 20),
        huge_pages: bit(extended.edx, 26),
        global_pages: bit(basic.edx, 13),
        machine_check: bit(basic.edx, 7),
        process_context_identifiers: bit(basic.ecx, 17),
        supervisor_execution_prevention: bit(structured.ebx, 7),
        supervisor_access_prevention: bit(structured.ebx, 20),
        user_mode_instruction_prevention: bit(structured.ecx, 2),
        extended_save: save,
        vector_256: save && bit(basic.ecx, 28),
        vector_512: save && bit(basic.ecx, 28) && bit(structured.ebx, 16),
        x2apic: bit(basic.ecx, 21),
        tsc_deadline: bit(basic.ecx, 24),
        invariant_tsc: bit(power.edx, 8),
        random: bit(basic.ecx, 30),
        random_seed: bit(structured.ebx, 18),
        hypervisor: bit(basic.ecx, 31),
    }
}

/// What the boot CPU has (on the host: nothing is switched on, so nothing is claimed).
pub fn get() -> Features {
    FEATURES.get().copied().unwrap_or_default()
}

/// Decides, on the boot CPU, what all CPUs will use.
pub(crate) fn decide() {
    let features = detect();
    assert!(features.no_execute, "this CPU cannot keep data from being executed (NX); Braid needs it");
    assert!(FEATURES.set(features).is_ok(), "CPU features were decided twice");
}

fn wanted_cr4(features: &Features, present: u64) -> u64 {
    let switches = [
        (features.machine_check, CR4_MACHINE_CHECK),
        (features.global_pages, CR4_GLOBAL_PAGES),
        (features.user_mode_instruction_prevention, CR4_UMIP),
        (features.process_context_identifiers, CR4_PROCESS_CONTEXT_IDENTIFIERS),
        (features.extended_save, CR4_OSXSAVE),
        (features.supervisor_execution_prevention, CR4_SMEP),
        (features.supervisor_access_prevention, CR4_SMAP),
    ];
    let wanted = switches.iter().filter(|switch| switch.0).fold(0, |bits, switch| bits | switch.1);
    (present & !CR4_FSGSBASE) | CR4_FXSR | CR4_SIMD_EXCEPTIONS | wanted
}

/// Sets this CPU up: protection, `syscall`, the floating-point unit for programs, no debug registers.
///
/// # Safety
/// Once per CPU, before it runs anything but boot code; long mode is on and `decide` has run.
pub(crate) unsafe fn enable() {
    let features = get();
    // SAFETY: the bits were found in CPUID; the kernel's code keeps the rules that they enforce from here on.
    unsafe {
        let mut cr0: u64;
        asm!("mov {}, cr0", out(reg) cr0, options(nostack, preserves_flags));
        cr0 &= !(CR0_EMULATION | CR0_TASK_SWITCHED | CR0_CACHE_OFF);
        cr0 |= CR0_MONITOR | CR0_NUMERIC_ERROR | CR0_WRITE_PROTECT;
        asm!("mov cr0, {}", in(reg) cr0, options(nostack, preserves_flags));
        let cr4: u64;
        asm!("mov {}, cr4", out(reg) cr4, options(nostack, preserves_flags));
        asm!("mov cr4, {}", in(reg) wanted_cr4(&features, cr4), options(nostack, preserves_flags));
        // A watchpoint set by somebody before us must not fire inside the syscall door.
        asm!("mov dr7, {}", in(reg) 0x400u64, options(nostack, preserves_flags));
        let efer = msr::read(msr::EFER);
        msr::write(msr::EFER, efer | EFER_SYSCALL | EFER_NO_EXECUTE);
        super::fpu::enable(&features);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cpu_without_extras_gets_only_what_every_cpu_has() {
        assert_eq!(wanted_cr4(&Features::default(), 0x20), 0x20 | CR4_FXSR | CR4_SIMD_EXCEPTIONS);
    }

    #[test]
    fn fsgsbase_is_switched_off_whatever_the_firmware_left() {
        let everything = Features { supervisor_access_prevention: true, extended_save: true, ..Features::default() };
        let cr4 = wanted_cr4(&everything, CR4_FSGSBASE);
        assert_eq!(cr4 & CR4_FSGSBASE, 0);
        assert_ne!(cr4 & CR4_SMAP, 0);
        assert_ne!(cr4 & CR4_OSXSAVE, 0);
    }

    #[test]
    fn a_leaf_beyond_the_last_reads_as_zeros() {
        assert_eq!(cpuid(0x0fff_ffff, 0).eax, 0);
        assert_ne!(cpuid(0, 0).eax, 0);
    }
}
