//! Registers of a CPU that a trap frame does not hold.
//!
//! Invariant: in the kernel GS is the CPU's own; the program's GS base waits in `KERNEL_GS_BASE`. Neither segment
//! base of a program ever points into the kernel half: the paranoid doors tell the two worlds apart by GS's sign.

use crate::msr;
use core::arch::asm;

/// First address that a program may not have.
pub const USER_END: u64 = 0x7fff_ffff_f000;

pub const fn is_user_address(address: u64) -> bool {
    address < USER_END
}

/// FS base of the running program (thread-local storage).
pub fn fs_base() -> u64 {
    // SAFETY: every x86-64 CPU has this register.
    unsafe { msr::read(msr::FS_BASE) }
}

pub fn set_fs_base(base: u64) {
    assert!(is_user_address(base), "FS base outside of user memory");
    // SAFETY: every x86-64 CPU has this register; a canonical value is accepted, and the kernel does not use FS.
    unsafe { msr::write(msr::FS_BASE, base) };
}

/// GS base that the program will see.
pub fn user_gs_base() -> u64 {
    // SAFETY: every x86-64 CPU has this register.
    unsafe { msr::read(msr::KERNEL_GS_BASE) }
}

pub fn set_user_gs_base(base: u64) {
    assert!(is_user_address(base), "GS base outside of user memory");
    // SAFETY: every x86-64 CPU has this register; it is not the GS base that the kernel runs on.
    unsafe { msr::write(msr::KERNEL_GS_BASE, base) };
}

/// Sleeps until an interrupt has been taken. Entered with interrupts off, returns with interrupts on: an interrupt
/// that came before cannot be slept through, because `sti` takes effect only after `hlt` has begun.
pub fn halt_until_interrupt() {
    #[cfg(target_os = "none")]
    // SAFETY: the IDT is loaded on every CPU that runs threads.
    unsafe {
        asm!("sti", "hlt", options(nostack));
    }
    #[cfg(not(target_os = "none"))]
    {
        sync::cpu::enable_interrupts();
        std::thread::yield_now();
    }
}

/// Ends this CPU's work.
pub fn halt_for_ever() -> ! {
    loop {
        // SAFETY: nothing runs on this CPU any more; an NMI returns here.
        unsafe { asm!("cli", "hlt", options(nostack)) };
    }
}

/// Where this CPU's stack is now.
#[inline(always)]
pub fn stack_pointer() -> u64 {
    let pointer;
    // SAFETY: reads a register.
    unsafe { asm!("mov {}, rsp", out(reg) pointer, options(nomem, nostack, preserves_flags)) };
    pointer
}
