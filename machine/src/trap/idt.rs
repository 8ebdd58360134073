//! The IDT: shared by all CPUs, read-only after boot.
//!
//! Invariant: written once by the boot CPU, under the early tables; it lies in `.boot_written`, which the kernel's own
//! tables map read-only.

use super::frame::exception;
use crate::cpu::gdt::{IST_DOUBLE_FAULT, IST_MACHINE_CHECK, IST_NMI, KERNEL_CODE, TablePointer};
use core::arch::asm;
use core::cell::UnsafeCell;

const DOOR_BYTES: u64 = 16;

#[cfg(target_os = "none")]
unsafe extern "C" {
    /// 256 doors of 16 bytes each.
    static machine_trap_doors: u8;
}

/// One entry (SDM vol. 3, 6.14.1), as two words.
type Entry = [u64; 2];

#[repr(C, align(4096))]
struct Table(UnsafeCell<[Entry; 256]>);

// SAFETY: written by `build` on the boot CPU before other CPUs run, read by the hardware afterwards.
unsafe impl Sync for Table {}

#[cfg_attr(target_os = "none", unsafe(link_section = ".boot_written"))]
static TABLE: Table = Table(UnsafeCell::new([[0; 2]; 256]));

/// An interrupt gate: enters `door` in ring 0 with interrupts off.
const fn gate(door: u64, ist: u8, callable_from_ring: u64) -> Entry {
    const INTERRUPT_GATE: u64 = 0xe << 40;
    const PRESENT: u64 = 1 << 47;
    let low = (door & 0xffff)
        | (KERNEL_CODE as u64) << 16
        | (ist as u64) << 32
        | INTERRUPT_GATE
        | callable_from_ring << 45
        | PRESENT
        | (door >> 16 & 0xffff) << 48;
    [low, door >> 32]
}

const fn stack_for(vector: u64) -> u8 {
    match vector {
        exception::NMI => IST_NMI,
        exception::DOUBLE_FAULT => IST_DOUBLE_FAULT,
        exception::MACHINE_CHECK => IST_MACHINE_CHECK,
        _ => 0,
    }
}

/// Programs may raise these two themselves (`int3`, and `int 4` as `into`'s heir).
const fn ring_for(vector: u64) -> u64 {
    match vector {
        exception::BREAKPOINT | exception::OVERFLOW => 3,
        _ => 0,
    }
}

fn doors() -> u64 {
    #[cfg(target_os = "none")]
    return &raw const machine_trap_doors as u64;
    #[cfg(not(target_os = "none"))]
    0
}

/// Writes the table.
///
/// # Safety
/// On the boot CPU, once, before any CPU has loaded the table and while it is still writable.
pub(crate) unsafe fn build() {
    // SAFETY: the caller's promise: nobody else looks at the table yet.
    let table = unsafe { &mut *TABLE.0.get() };
    for (vector, entry) in (0u64..).zip(table.iter_mut()) {
        *entry = gate(doors() + DOOR_BYTES * vector, stack_for(vector), ring_for(vector));
    }
}

/// Loads the table on this CPU.
///
/// # Safety
/// It is built; this CPU has its GDT, TSS and GS.
pub(crate) unsafe fn load() {
    let pointer = TablePointer::new(TABLE.0.get() as u64, size_of::<Table>());
    // SAFETY: the table lives for ever.
    unsafe { asm!("lidt [{}]", in(reg) &pointer, options(readonly, nostack, preserves_flags)) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_holds_its_door_in_three_pieces() {
        let [low, high] = gate(0xffff_ffff_8010_2340, 2, 3);
        assert_eq!((low & 0xffff, low >> 48, high), (0x2340, 0x8010, 0xffff_ffff));
        assert_eq!((low >> 16 & 0xffff, low >> 32 & 7, low >> 40 & 0xff), (0x10, 2, 0xee));
    }

    #[test]
    fn programs_can_raise_breakpoint_and_overflow_and_nothing_else() {
        assert_eq!((0..256).filter(|vector| ring_for(*vector) == 3).collect::<std::vec::Vec<_>>(), [3, 4]);
    }
}
