//! The boot CPU's first Rust lines.
//!
//! Invariant: runs once, on the early tables, interrupts off.

use super::image;
use super::info::BootInfo;
use super::kernel::kernel_main;
use crate::acpi::EarlyWindow;
use crate::cpu::{block, features, gdt, halt_for_ever, smap};
use crate::serial::{self, Port};
use crate::trap;
use sync::CpuId;

/// Called by `entry.s` with the physical address of the start info, GS set.
#[unsafe(no_mangle)]
extern "C" fn machine_start(start_info: u64) -> ! {
    let stacks = image::boot_stacks();
    // SAFETY: this is the boot CPU's one pass, before any other CPU runs, on the early tables.
    unsafe {
        gdt::prepare(CpuId::BOOT, &stacks);
        gdt::load(CpuId::BOOT);
        trap::build();
        trap::load();
        features::decide();
        features::enable();
        smap::patch();
        trap::prepare_syscalls();
        trap::silence();
    }
    block::set_kernel_stack(stacks.kernel);
    sync::cpu::set_online(CpuId::BOOT);
    match BootInfo::read(&EarlyWindow, start_info, image::physical_range(), image::entry_ticks()) {
        Some(info) => kernel_main(info),
        None => nothing_to_start_from(),
    }
}

/// Without a memory map there is nothing to do, and nobody yet to tell it to but the first serial line.
fn nothing_to_start_from() -> ! {
    let line = Port::new(serial::COM1);
    line.initialise();
    b"braid: the loader gave no PVH start info\r\n".iter().for_each(|byte| line.write_byte(*byte));
    halt_for_ever()
}
