//! What GS points at, one per CPU.
//!
//! Invariant: GS holds the address of this CPU's own block from its first Rust line on, in kernel mode always.
//! Only the doors (`trap/entry.s`), `sync::cpu` and this file reach into it. The first 64 bytes belong to `sync`.

use core::cell::Cell;
use core::mem::offset_of;
use core::ptr;
use sync::cpu::Local;
use sync::{CpuId, MAXIMUM_CPUS, Published};

/// This CPU's words that the doors need at fixed places.
#[repr(C, align(64))]
pub struct CpuBlock {
    local: Local,
    /// Where the doors from user mode begin to push. Own CPU only.
    kernel_stack_top: Cell<u64>,
    /// Holds the program's RSP for the two instructions between `syscall` and the first push. Own CPU only.
    user_stack_scratch: Cell<u64>,
    /// The thread that this CPU runs, opaque to this crate. Own CPU only.
    thread: Cell<*const ()>,
    /// Fixed before the CPU is online.
    apic_id: Published<u32>,
    /// Frequency of this CPU's own local APIC timer; 0 until calibrated. Written by its own CPU.
    pub(crate) timer_frequency: Published<u64>,
    /// The same per tick of the time-stamp counter, as a fraction of 2^32.
    pub(crate) timer_ratio: Published<u64>,
}

// SAFETY: the cells are touched by the owning CPU only (through GS), see above; the rest are atomics.
unsafe impl Sync for CpuBlock {}

pub(crate) const KERNEL_STACK_TOP: usize = offset_of!(CpuBlock, kernel_stack_top);
pub(crate) const USER_STACK_SCRATCH: usize = offset_of!(CpuBlock, user_stack_scratch);

const _: () = {
    assert!(KERNEL_STACK_TOP == 64);
    assert!(USER_STACK_SCRATCH == 72);
    assert!(offset_of!(CpuBlock, thread) == 80);
    assert!(size_of::<CpuBlock>() == 128, "`boot/start_cpu.s` counts in blocks of 128 bytes");
};

const NO_APIC: u32 = u32::MAX;

impl CpuBlock {
    const fn new(cpu: CpuId) -> Self {
        CpuBlock {
            local: Local::new(cpu),
            kernel_stack_top: Cell::new(0),
            user_stack_scratch: Cell::new(0),
            thread: Cell::new(ptr::null()),
            apic_id: Published::<u32>::new(NO_APIC),
            timer_frequency: Published::<u64>::new(0),
            timer_ratio: Published::<u64>::new(0),
        }
    }
}

/// Named for `boot/entry.s` and `boot/start_cpu.s`, which set GS before the first Rust line.
#[unsafe(export_name = "machine_cpu_blocks")]
static BLOCKS: [CpuBlock; MAXIMUM_CPUS] = {
    let mut blocks = [const { CpuBlock::new(CpuId::BOOT) }; MAXIMUM_CPUS];
    let mut index = 0;
    while index < MAXIMUM_CPUS {
        blocks[index] = CpuBlock::new(CpuId::new(index));
        index += 1;
    }
    blocks
};

/// This CPU's own block.
#[inline]
pub(crate) fn this() -> &'static CpuBlock {
    &BLOCKS[sync::cpu::current().index()]
}

pub(crate) fn of(cpu: CpuId) -> &'static CpuBlock {
    &BLOCKS[cpu.index()]
}

/// Readies a block before its CPU starts: GS-relative addressing needs the block's own address in its first word.
pub(crate) fn prepare(cpu: CpuId, apic_id: u32) {
    of(cpu).local.anchor();
    set_apic_id(cpu, apic_id);
}

pub(crate) fn set_apic_id(cpu: CpuId, apic_id: u32) {
    of(cpu).apic_id.store(apic_id);
}

/// `cpu` never came: nobody may address it.
pub(crate) fn forget(cpu: CpuId) {
    set_apic_id(cpu, NO_APIC);
}

/// The hardware's number of `cpu`; `None` for a CPU that never came.
pub fn apic_id_of(cpu: CpuId) -> Option<u32> {
    Some(of(cpu).apic_id.load()).filter(|id| *id != NO_APIC)
}

/// Doors from user mode push below `top` from now on (16-byte aligned). Interrupts must be off.
#[inline]
pub fn set_kernel_stack(top: u64) {
    debug_assert!(top.is_multiple_of(16), "a kernel stack's top is not 16-byte aligned");
    this().kernel_stack_top.set(top);
    super::gdt::set_ring0_stack(top);
}

/// The thread that this CPU runs, as the switch code left it.
#[inline]
pub fn thread() -> *const () {
    #[cfg(target_os = "none")]
    {
        let thread;
        // SAFETY: reads one word of this CPU's own block with one instruction, so a preemption cannot tear it apart:
        // whoever comes back here, comes back as the same thread.
        unsafe {
            core::arch::asm!("mov {}, gs:[{offset}]", out(reg) thread, offset = const offset_of!(CpuBlock, thread),
                options(nostack, preserves_flags, readonly));
        }
        thread
    }
    #[cfg(not(target_os = "none"))]
    this().thread.get()
}

/// Interrupts must be off: the switch code says who runs next.
#[inline]
pub fn set_thread(thread: *const ()) {
    this().thread.set(thread);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cpu_has_its_own_block_and_thread() {
        let thread_at = 0x1234 as *const ();
        set_thread(thread_at);
        assert_eq!(thread(), thread_at);
        set_thread(ptr::null());
        assert!(!ptr::eq(of(CpuId::new(1)), of(CpuId::new(2))));
        assert_eq!(apic_id_of(CpuId::new(63)), None);
    }
}
