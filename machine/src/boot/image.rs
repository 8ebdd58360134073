//! What the assembly and the linker know: where the kernel lies, the boot CPU's stacks, the early tables.
//!
//! Invariant: addresses, fixed when the kernel was linked. On the host there is no image, and nothing in it.

#[cfg(target_os = "none")]
pub(super) use placed::{boot_stacks, early_root, entry_ticks, physical_range};

#[cfg(target_os = "none")]
mod placed {
    use crate::cpu::gdt::CpuStacks;
    use core::ops::Range;

    core::arch::global_asm!(include_str!("entry.s"));

    /// Physical address 0, as the kernel was linked.
    const IMAGE: u64 = 0xffff_ffff_8000_0000;

    unsafe extern "C" {
        static machine_entry_ticks: u64;
        static machine_boot_stack_top: u8;
        static machine_boot_double_fault_top: u8;
        static machine_boot_nmi_top: u8;
        static machine_boot_machine_check_top: u8;
        static machine_early_root: u8;
        static __image_start: u8;
        static __image_end: u8;
    }

    pub fn boot_stacks() -> CpuStacks {
        CpuStacks {
            kernel: &raw const machine_boot_stack_top as u64,
            double_fault: &raw const machine_boot_double_fault_top as u64,
            nmi: &raw const machine_boot_nmi_top as u64,
            machine_check: &raw const machine_boot_machine_check_top as u64,
        }
    }

    /// The time-stamp counter at the first instruction.
    pub fn entry_ticks() -> u64 {
        // SAFETY: written by `entry.s` before the first Rust line, and never again.
        unsafe { machine_entry_ticks }
    }

    /// Physical address of the early tables' root.
    pub fn early_root() -> u64 {
        &raw const machine_early_root as u64 - IMAGE
    }

    pub fn physical_range() -> Range<u64> {
        &raw const __image_start as u64 - IMAGE..&raw const __image_end as u64 - IMAGE
    }
}

#[cfg(not(target_os = "none"))]
pub(super) use absent::{boot_stacks, early_root, entry_ticks, physical_range};

#[cfg(not(target_os = "none"))]
mod absent {
    use crate::cpu::gdt::CpuStacks;
    use core::ops::Range;

    pub fn boot_stacks() -> CpuStacks {
        CpuStacks { kernel: 0, double_fault: 0, nmi: 0, machine_check: 0 }
    }

    pub fn entry_ticks() -> u64 {
        0
    }

    pub fn early_root() -> u64 {
        0
    }

    pub fn physical_range() -> Range<u64> {
        0..0
    }
}
