//! Registers at the door.
//!
//! Invariant: the order of fields is the order of pushes in `entry.s`, and one sequence of pops serves `iretq` and
//! `sysretq`.

use crate::cpu::gdt::{KERNEL_CODE, USER_CODE, USER_DATA};
use crate::cpu::is_user_address;

/// `vector` of a frame that came through the `syscall` door.
pub const SYSCALL: u64 = 0x100;

pub mod exception {
    //! Exception vectors by name (SDM vol. 3, 6.3.1).
    pub const DIVIDE: u64 = 0;
    pub const DEBUG: u64 = 1;
    pub const NMI: u64 = 2;
    pub const BREAKPOINT: u64 = 3;
    pub const OVERFLOW: u64 = 4;
    pub const BOUND: u64 = 5;
    pub const INVALID_OPCODE: u64 = 6;
    pub const DEVICE_NOT_AVAILABLE: u64 = 7;
    pub const DOUBLE_FAULT: u64 = 8;
    pub const INVALID_TASK_STATE: u64 = 10;
    pub const SEGMENT_NOT_PRESENT: u64 = 11;
    pub const STACK: u64 = 12;
    pub const PROTECTION: u64 = 13;
    pub const PAGE_FAULT: u64 = 14;
    pub const FLOATING_POINT: u64 = 16;
    pub const ALIGNMENT: u64 = 17;
    pub const MACHINE_CHECK: u64 = 18;
    pub const SIMD: u64 = 19;
}

/// Bits of a page fault's error code.
pub mod fault {
    pub const PRESENT: u64 = 1 << 0;
    pub const WRITE: u64 = 1 << 1;
    pub const USER: u64 = 1 << 2;
    pub const RESERVED_BIT: u64 = 1 << 3;
    pub const EXECUTE: u64 = 1 << 4;
}

const CARRY: u64 = 1 << 0;
const ALWAYS_ONE: u64 = 1 << 1;
const PARITY: u64 = 1 << 2;
const AUXILIARY: u64 = 1 << 4;
const ZERO: u64 = 1 << 6;
const SIGN: u64 = 1 << 7;
const TRAP: u64 = 1 << 8;
pub const INTERRUPTS: u64 = 1 << 9;
const DIRECTION: u64 = 1 << 10;
const OVERFLOW: u64 = 1 << 11;
const RESUME: u64 = 1 << 16;
const ALIGNMENT_CHECK: u64 = 1 << 18;
const IDENTIFICATION: u64 = 1 << 21;

/// Flags that a program may choose for itself.
pub const USER_FLAGS: u64 =
    CARRY | PARITY | AUXILIARY | ZERO | SIGN | TRAP | DIRECTION | OVERFLOW | RESUME | ALIGNMENT_CHECK | IDENTIFICATION;

/// All general registers of the code that was interrupted, as they lie on its kernel stack.
#[repr(C)]
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct TrapFrame {
    pub r15: u64,
    pub r14: u64,
    pub r13: u64,
    pub r12: u64,
    pub rbp: u64,
    pub rbx: u64,
    pub r11: u64,
    pub r10: u64,
    pub r9: u64,
    pub r8: u64,
    pub rdi: u64,
    pub rsi: u64,
    pub rdx: u64,
    pub rcx: u64,
    pub rax: u64,
    /// Exception or interrupt vector, or [`SYSCALL`].
    pub vector: u64,
    /// The exception's error code; for `syscall` the number that was asked for (RAX is overwritten by the answer).
    pub error_code: u64,
    pub rip: u64,
    pub cs: u64,
    pub rflags: u64,
    pub rsp: u64,
    pub ss: u64,
}

const _: () = assert!(size_of::<TrapFrame>() == 22 * 8, "`entry.s` pushes 22 words");

impl TrapFrame {
    /// A program's first frame: registers zero, interrupts on.
    pub fn for_program(entry: u64, stack: u64) -> Self {
        let mut frame = TrapFrame { rip: entry, rsp: stack, ..TrapFrame::default() };
        frame.make_user();
        frame
    }

    /// Did the frame come from user mode (or is it going there)?
    #[inline]
    pub fn from_user(&self) -> bool {
        self.cs & 3 == 3
    }

    #[inline]
    pub fn from_syscall(&self) -> bool {
        self.vector == SYSCALL
    }

    /// Were interrupts on where the frame comes from?
    #[inline]
    pub fn interrupts_were_on(&self) -> bool {
        self.rflags & INTERRUPTS != 0
    }

    /// Selectors and flags of a program, whatever stands there now. The instruction pointer is left alone.
    #[inline]
    pub fn make_user(&mut self) {
        self.cs = u64::from(USER_CODE);
        self.ss = u64::from(USER_DATA);
        self.rflags = self.rflags & USER_FLAGS | INTERRUPTS | ALWAYS_ONE;
    }

    /// Can the CPU go to user mode with this frame without faulting on the way?
    #[inline]
    pub fn is_fit_for_user_mode(&self) -> bool {
        is_user_address(self.rip)
    }

    /// May `sysretq` be used? It takes RIP from RCX and the flags from R11, and would fault in ring 0 on a RIP that is
    /// not canonical (CVE-2012-0217), which [`Self::is_fit_for_user_mode`] excludes.
    #[inline]
    pub fn may_use_sysret(&self) -> bool {
        self.from_syscall() && self.rcx == self.rip && self.r11 == self.rflags && self.rflags & (TRAP | RESUME) == 0
    }

    /// A frame that came out of the kernel's own code.
    #[inline]
    pub fn from_kernel(&self) -> bool {
        self.cs == u64::from(KERNEL_CODE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_cannot_give_itself_privileges_by_its_flags() {
        let mut frame = TrapFrame::for_program(0x40_0000, 0x7000);
        frame.rflags = u64::MAX;
        frame.cs = 0x10;
        frame.make_user();
        assert!(frame.from_user() && frame.interrupts_were_on());
        assert_eq!(frame.rflags & (3 << 12 | 1 << 14 | 1 << 17 | 1 << 19 | 1 << 20), 0);
    }

    #[test]
    fn an_address_outside_of_user_memory_is_not_fit_to_return_to() {
        for wild in [0x7fff_ffff_f000, 0x8000_0000_0000, 0xffff_ffff_8010_0000, u64::MAX] {
            assert!(!TrapFrame::for_program(wild, 0).is_fit_for_user_mode());
        }
        assert!(TrapFrame::for_program(0x7fff_ffff_efff, 0).is_fit_for_user_mode());
    }

    #[test]
    fn sysret_is_used_only_for_an_untouched_syscall_frame() {
        let mut frame = TrapFrame::for_program(0x40_0000, 0x7000);
        frame.vector = SYSCALL;
        (frame.rcx, frame.r11) = (frame.rip, frame.rflags);
        assert!(frame.may_use_sysret());
        assert!(!TrapFrame { rcx: 1, ..frame }.may_use_sysret());
        assert!(!TrapFrame { r11: 0, ..frame }.may_use_sysret());
        assert!(!TrapFrame { vector: 14, ..frame }.may_use_sysret());
        let traced = frame.rflags | TRAP;
        assert!(!TrapFrame { rflags: traced, r11: traced, ..frame }.may_use_sysret());
    }
}
