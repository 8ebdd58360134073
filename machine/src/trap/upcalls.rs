//! Every way up out of the hardware, on one page.
//!
//! Invariant: installed once, before interrupts are turned on anywhere. Each upcall begins with interrupts off, GS the
//! CPU's own, on the interrupted thread's kernel stack (NMI, double fault, machine check: on a stack of their own).
//! It may turn interrupts on and may sleep when the frame comes from user mode. It returns with interrupts off.

use super::Vector;
use super::frame::TrapFrame;
use crate::cpu::halt_for_ever;
use sync::Once;

/// Where each door leads.
pub struct Upcalls {
    /// `syscall` from a program. The number is in `error_code`; the answer goes to `rax`.
    pub syscall: fn(&mut TrapFrame),
    /// A page fault at `address`, from a program or from the kernel (`user::fixup` says whether it was copying).
    pub page_fault: fn(&mut TrapFrame, address: u64),
    /// Any other exception, from a program or (always a bug, but for `int3`) from the kernel.
    pub exception: fn(&mut TrapFrame),
    /// Timer, knock, call or device. Calls `apic::local::end_of_interrupt` after the handler and before it lets
    /// another thread run.
    pub interrupt: fn(&mut TrapFrame, Vector),
    /// Somebody stops this CPU. Never sleeps, takes no lock that another context holds, enables nothing.
    pub nmi: fn(&mut TrapFrame),
    /// The kernel's stack is gone, most likely; `address` is the last page fault's. Does not come back.
    pub double_fault: fn(&mut TrapFrame, address: u64) -> !,
    /// The hardware is broken. Does not come back.
    pub machine_check: fn(&mut TrapFrame) -> !,
}

static UPCALLS: Once<&'static Upcalls> = Once::new();

/// Before `install` there is nobody to tell.
static NOBODY: Upcalls = Upcalls {
    syscall: |_| halt_for_ever(),
    page_fault: |_, _| halt_for_ever(),
    exception: |_| halt_for_ever(),
    interrupt: |_, _| {},
    nmi: |_| {},
    double_fault: |_, _| halt_for_ever(),
    machine_check: |_| halt_for_ever(),
};

/// Opens the ways up. Called once, by the kernel's first lines.
pub fn install(upcalls: &'static Upcalls) {
    assert!(UPCALLS.set(upcalls).is_ok(), "the upcalls were installed twice");
}

pub(super) fn get() -> &'static Upcalls {
    UPCALLS.get().copied().unwrap_or(&NOBODY)
}

/// Does a double fault look as if the stack had run over into a page that is not there? The push that failed lies
/// just below the stack pointer (or the pointer has left the stack by less than a frame).
pub fn looks_like_stack_overflow(frame: &TrapFrame, address: u64) -> bool {
    const NEAR: u64 = 4 * 4096;
    frame.from_kernel() && frame.rsp.abs_diff(address) < NEAR
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::gdt::KERNEL_CODE;

    #[test]
    fn only_a_fault_next_to_the_stack_pointer_is_called_an_overflow() {
        let stack = 0xffff_c000_0000_8000;
        let frame = TrapFrame { rsp: stack, cs: u64::from(KERNEL_CODE), ..TrapFrame::default() };
        assert!(looks_like_stack_overflow(&frame, stack - 8));
        assert!(!looks_like_stack_overflow(&frame, 0x10));
        assert!(!looks_like_stack_overflow(&TrapFrame { cs: 0x33, ..frame }, stack - 8));
    }
}
