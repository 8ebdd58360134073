//! The registers of a program that is stopped at the kernel's door, as upper layers may see and set them.
//!
//! Invariant: whatever is set, the frame stays one of ring 3 with interrupts on; an instruction pointer that no program
//! may have becomes a protection fault of the program on the way out.

use super::current;
use super::thread::Private;
use crate::error::KernelError;
use alloc::vec::Vec;
use machine::cpu::fpu::ExtendedState;
use machine::trap::frame::TrapFrame;
use sync::{IrqOff, TaskContext};

/// One past the last address that a program may have.
pub const USER_END: u64 = 0x7fff_ffff_f000;
const TRAP_FLAG: u64 = 1 << 8;
/// The length of the `syscall` instruction.
const SYSTEM_CALL_BYTES: u64 = 2;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Register {
    Rax,
    Rbx,
    Rcx,
    Rdx,
    Rsi,
    Rdi,
    Rbp,
    R8,
    R9,
    R10,
    R11,
    R12,
    R13,
    R14,
    R15,
}

/// A program's general registers, instruction pointer, stack pointer and flags.
#[derive(Clone)]
#[repr(transparent)]
pub struct UserRegisters(TrapFrame);

impl UserRegisters {
    /// A program's first registers: all zero but these two.
    pub fn for_program(entry: u64, stack: u64) -> Self {
        UserRegisters(TrapFrame::for_program(entry, stack))
    }

    /// The registers in a frame that ring 3 was left with.
    #[allow(unsafe_code)]
    pub fn of(frame: &mut TrapFrame) -> &mut UserRegisters {
        assert!(frame.from_user(), "the kernel's own registers were asked for as a program's");
        // SAFETY: `UserRegisters` is a transparent wrapper.
        unsafe { &mut *core::ptr::from_mut(frame).cast::<UserRegisters>() }
    }

    pub const fn frame(&self) -> &TrapFrame {
        &self.0
    }

    /// The number of the system call that stopped the program.
    pub const fn number(&self) -> u64 {
        self.0.error_code
    }

    /// Was it stopped by a system call that may still be repeated?
    pub fn is_system_call(&self) -> bool {
        self.0.from_syscall()
    }

    /// Argument 0 to 5 of the system call; anything else is 0.
    pub const fn argument(&self, index: usize) -> u64 {
        match index {
            0 => self.0.rdi,
            1 => self.0.rsi,
            2 => self.0.rdx,
            3 => self.0.r10,
            4 => self.0.r8,
            5 => self.0.r9,
            _ => 0,
        }
    }

    pub const fn set_result(&mut self, result: i64) {
        self.0.rax = result.cast_unsigned();
    }

    pub const fn result(&self) -> i64 {
        self.0.rax.cast_signed()
    }

    /// The program makes the same call again when it goes on.
    pub const fn repeat_system_call(&mut self) {
        self.repeat_system_call_as(self.number());
    }

    /// The program makes another call instead, with the same arguments.
    pub const fn repeat_system_call_as(&mut self, number: u64) {
        self.0.rax = number;
        self.0.rip = self.0.rip.wrapping_sub(SYSTEM_CALL_BYTES);
        self.forget_system_call();
    }

    /// What stopped the program is settled: nobody repeats it.
    pub const fn forget_system_call(&mut self) {
        self.0.vector = 0;
    }

    pub const fn instruction_pointer(&self) -> u64 {
        self.0.rip
    }

    pub const fn set_instruction_pointer(&mut self, address: u64) {
        self.0.rip = address;
    }

    pub const fn stack_pointer(&self) -> u64 {
        self.0.rsp
    }

    pub const fn set_stack_pointer(&mut self, address: u64) {
        self.0.rsp = address;
    }

    pub const fn flags(&self) -> u64 {
        self.0.rflags
    }

    /// Takes over the flags that a program may change; interrupts stay on.
    pub fn set_flags(&mut self, flags: u64) {
        self.0.rflags = flags;
        self.0.make_user();
    }

    pub const fn is_single_stepping(&self) -> bool {
        self.0.rflags & TRAP_FLAG != 0
    }

    pub const fn get(&self, register: Register) -> u64 {
        let frame = &self.0;
        match register {
            Register::Rax => frame.rax,
            Register::Rbx => frame.rbx,
            Register::Rcx => frame.rcx,
            Register::Rdx => frame.rdx,
            Register::Rsi => frame.rsi,
            Register::Rdi => frame.rdi,
            Register::Rbp => frame.rbp,
            Register::R8 => frame.r8,
            Register::R9 => frame.r9,
            Register::R10 => frame.r10,
            Register::R11 => frame.r11,
            Register::R12 => frame.r12,
            Register::R13 => frame.r13,
            Register::R14 => frame.r14,
            Register::R15 => frame.r15,
        }
    }

    pub const fn set(&mut self, register: Register, value: u64) {
        let frame = &mut self.0;
        *match register {
            Register::Rax => &mut frame.rax,
            Register::Rbx => &mut frame.rbx,
            Register::Rcx => &mut frame.rcx,
            Register::Rdx => &mut frame.rdx,
            Register::Rsi => &mut frame.rsi,
            Register::Rdi => &mut frame.rdi,
            Register::Rbp => &mut frame.rbp,
            Register::R8 => &mut frame.r8,
            Register::R9 => &mut frame.r9,
            Register::R10 => &mut frame.r10,
            Register::R11 => &mut frame.r11,
            Register::R12 => &mut frame.r12,
            Register::R13 => &mut frame.r13,
            Register::R14 => &mut frame.r14,
            Register::R15 => &mut frame.r15,
        } = value;
    }
}

/// The current thread's private part, with interrupts off.
#[allow(unsafe_code)]
pub(crate) fn with_private<R>(cx: &TaskContext, f: impl FnOnce(&mut Private, &mut IrqOff) -> R) -> R {
    let mut irq = IrqOff::new();
    // SAFETY: the thread itself, with interrupts off; the closures in this crate do not come here again.
    unsafe { current::of(cx).private.with(|private| f(private, &mut irq)) }
}

pub fn fs_base(cx: &TaskContext) -> u64 {
    with_private(cx, |private, _| private.fs_base)
}

/// Where the program's `fs` segment begins.
pub fn set_fs_base(cx: &mut TaskContext, address: u64) -> Result<(), KernelError> {
    if !machine::cpu::is_user_address(address) {
        return Err(KernelError::Denied);
    }
    with_private(cx, |private, _| {
        private.fs_base = address;
        machine::cpu::set_fs_base(address);
    });
    Ok(())
}

pub fn gs_base(cx: &TaskContext) -> u64 {
    with_private(cx, |private, _| private.gs_base)
}

/// Where the program's `gs` segment begins.
pub fn set_gs_base(cx: &mut TaskContext, address: u64) -> Result<(), KernelError> {
    if !machine::cpu::is_user_address(address) {
        return Err(KernelError::Denied);
    }
    with_private(cx, |private, _| {
        private.gs_base = address;
        machine::cpu::set_user_gs_base(address);
    });
    Ok(())
}

/// The program's floating-point and vector registers, in the processor's own layout.
pub fn extended_state_bytes(cx: &TaskContext) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(ExtendedState::size());
    with_private(cx, |private, _| {
        if let Some(extended) = &mut private.extended {
            extended.save();
            bytes.extend_from_slice(extended.as_bytes());
        }
    });
    bytes
}

/// Sets them from bytes that a program may have written: what the processor would refuse is refused here.
pub fn restore_extended_state(cx: &mut TaskContext, bytes: &[u8]) -> Result<(), KernelError> {
    with_private(cx, |private, _| {
        let extended = private.extended.as_mut().ok_or(KernelError::Invalid)?;
        extended.set_bytes(bytes).map_err(|_| KernelError::Invalid)?;
        extended.restore();
        Ok(())
    })
}

/// As a new program finds them; the segments' bases too.
pub fn reset_extended_state(cx: &mut TaskContext) {
    with_private(cx, |private, _| {
        if let Some(extended) = &mut private.extended {
            extended.reset();
            extended.restore();
        }
        private.fs_base = 0;
        private.gs_base = 0;
        machine::cpu::set_fs_base(0);
        machine::cpu::set_user_gs_base(0);
    });
}
