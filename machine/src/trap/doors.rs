//! The first Rust lines behind the doors: who is called, and with what a frame goes back.
//!
//! Invariant: a page fault's address is read before anything else can fault; a frame goes to user mode only when it
//! is fit for it.

use super::frame::{SYSCALL, TrapFrame, exception, fault};
use super::legacy_pic::VECTORS as LEGACY;
use super::upcalls;
use crate::apic::local::{self, ERROR, SPURIOUS};
use crate::cpu::gdt::{KERNEL_CODE, SYSRET_BASE};
use crate::{msr, probe};
use core::arch::asm;

#[cfg(target_os = "none")]
core::arch::global_asm!(
    include_str!("entry.s"),
    KERNEL_STACK_TOP = const crate::cpu::block::KERNEL_STACK_TOP,
    USER_STACK_SCRATCH = const crate::cpu::block::USER_STACK_SCRATCH,
    USER_CODE = const crate::cpu::gdt::USER_CODE,
    USER_DATA = const crate::cpu::gdt::USER_DATA,
);

#[cfg(target_os = "none")]
unsafe extern "C" {
    fn machine_syscall_door();
}

/// Everything that could disturb the kernel's first instructions: trap, interrupts, direction, nested task,
/// alignment check (which is SMAP's switch), I/O privilege.
const FLAGS_CLEARED_BY_SYSCALL: u64 = 0x4_7700 | 1 << 16;

/// Points `syscall` of this CPU at its door.
///
/// # Safety
/// GS is this CPU's block, its kernel stack is set before it goes to user mode, and its GDT is loaded.
pub(crate) unsafe fn prepare_syscalls() {
    #[cfg(target_os = "none")]
    // SAFETY: every x86-64 CPU has these registers; the selectors are those of `cpu::gdt`.
    unsafe {
        msr::write(msr::STAR, u64::from(SYSRET_BASE) << 48 | u64::from(KERNEL_CODE) << 32);
        msr::write(msr::LSTAR, machine_syscall_door as *const () as u64);
        msr::write(msr::CSTAR, 0);
        msr::write(msr::SYSCALL_MASK, FLAGS_CLEARED_BY_SYSCALL);
    }
    #[cfg(not(target_os = "none"))]
    let _ = (msr::STAR, SYSRET_BASE, KERNEL_CODE, FLAGS_CLEARED_BY_SYSCALL);
}

/// The address of this CPU's last page fault.
pub fn fault_address() -> u64 {
    let address;
    // SAFETY: reads a register.
    unsafe { asm!("mov {}, cr2", out(reg) address, options(nomem, nostack, preserves_flags)) };
    address
}

fn set_fault_address(address: u64) {
    // SAFETY: nothing but the page fault's door reads it, and it is put back as it was.
    unsafe { asm!("mov cr2, {}", in(reg) address, options(nomem, nostack, preserves_flags)) };
}

/// An ordinary exception or interrupt.
#[unsafe(no_mangle)]
extern "C" fn machine_trap(frame: &mut TrapFrame) {
    let upcalls = upcalls::get();
    match frame.vector {
        exception::PAGE_FAULT => {
            let address = fault_address();
            // Asked of the kernel's own frames only: a program may jump to that address too.
            if frame.from_kernel() && probe::is_at(frame.rip) {
                let registers = [frame.r15, frame.r14, frame.r13, frame.r12, frame.rbp, frame.rbx];
                // SAFETY: the frame is that of this fault, and nothing has been done about it yet.
                unsafe { probe::end_failed(&probe::Kept { registers, flags: frame.rflags, stack: frame.rsp }) }
            }
            (upcalls.page_fault)(frame, address);
        }
        0..32 => (upcalls.exception)(frame),
        vector if vector == u64::from(SPURIOUS) || LEGACY.contains(&vector) => {}
        vector if vector == u64::from(ERROR) => local::note_error(),
        vector => (upcalls.interrupt)(frame, vector as u8),
    }
    if frame.from_user() {
        make_fit_for_user_mode(frame);
    }
}

/// NMI, double fault, machine check: on their own stacks, whatever this CPU was doing.
#[unsafe(no_mangle)]
extern "C" fn machine_paranoid_trap(frame: &mut TrapFrame) {
    let upcalls = upcalls::get();
    match frame.vector {
        exception::NMI => {
            // It may have come between a fault and the look at where that was; and what it does itself may fault.
            let address = fault_address();
            (upcalls.nmi)(frame);
            set_fault_address(address);
        }
        exception::DOUBLE_FAULT => (upcalls.double_fault)(frame, fault_address()),
        _ => (upcalls.machine_check)(frame),
    }
}

/// `syscall`. True when `sysretq` may be used to go back.
#[unsafe(no_mangle)]
extern "C" fn machine_syscall(frame: &mut TrapFrame) -> bool {
    (upcalls::get().syscall)(frame);
    make_fit_for_user_mode(frame);
    frame.may_use_sysret()
}

/// A frame that the CPU could not go to user mode with becomes the fault that it would be on the other side, until the
/// upcall has made something better of it (or has ended the thread).
pub(crate) fn make_fit_for_user_mode(frame: &mut TrapFrame) {
    frame.make_user();
    while !frame.is_fit_for_user_mode() {
        if is_canonical(frame.rip) {
            frame.vector = exception::PAGE_FAULT;
            frame.error_code = fault::USER | fault::EXECUTE;
            (upcalls::get().page_fault)(frame, frame.rip);
        } else {
            frame.vector = exception::PROTECTION;
            frame.error_code = 0;
            (upcalls::get().exception)(frame);
        }
        frame.make_user();
    }
}

/// Are the 16 upper bits copies of the one below them? (Tables have four levels here.)
const fn is_canonical(address: u64) -> bool {
    (address << 16).cast_signed() >> 16 == address.cast_signed()
}

const _: () = assert!(SYSCALL == 0x100, "`entry.s` pushes this number");
