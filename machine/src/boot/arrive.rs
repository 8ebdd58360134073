//! The first Rust lines of every CPU but the boot CPU.
//!
//! Invariant: a CPU runs these on its own stack, with its own GS, under the kernel's own tables, interrupts off.

use super::kernel::kernel_cpu_main;
use super::start_cpu::claim;
use crate::apic::{calibrate, local};
use crate::clock::tsc;
use crate::cpu::{self, features, gdt};
use crate::trap;
use sync::CpuId;

const LOOKS_AT_TIME: usize = 64;

/// Called by `start_cpu.s` with this CPU's number.
#[unsafe(no_mangle)]
extern "C" fn machine_cpu_start(index: usize) -> ! {
    let cpu = CpuId::new(index);
    if !claim(cpu) {
        cpu::halt_for_ever();
    }
    // SAFETY: this CPU's one pass; the boot CPU has prepared its tables and the IDT.
    unsafe {
        gdt::load(cpu);
        trap::load();
        features::enable();
        trap::prepare_syscalls();
    }
    local::initialise_this_cpu();
    (0..LOOKS_AT_TIME).for_each(|_| tsc::take_part_in_check());
    calibrate::this_cpu();
    sync::cpu::set_online(cpu);
    kernel_cpu_main(cpu)
}
