//! Seam 3 on the machine: the stack switch itself.
//!
//! Invariant: a context at rest is one stack pointer; below it lie the six callee-saved registers and the address to
//! go on at. Interrupts are off on both sides of a switch, and each side turns them on as it needs.

use core::arch::global_asm;

global_asm!(include_str!("switch.s"));

unsafe extern "C" {
    fn machine_switch(from: *mut Context, to: *const Context);
    fn machine_context_start();
}

/// A kernel thread that does not run, as one stack pointer.
#[repr(C)]
#[derive(Debug)]
pub struct Context {
    stack_pointer: u64,
}

// SAFETY: a plain number; who may use it is the scheduler's business (`switch`'s conditions).
unsafe impl Send for Context {}

/// Registers that `machine_switch` pops, and the address that it returns to.
const FIRST_FRAME: [usize; 7] = [0; 7];
const RBX: usize = 4;
const R12: usize = 3;
const RETURN: usize = 6;

impl Context {
    /// For a thread that runs already: filled by the switch that leaves it.
    pub const fn empty() -> Self {
        Context { stack_pointer: 0 }
    }

    /// A thread that will begin with `entry(argument)` on the stack below `stack_top`, interrupts off.
    ///
    /// # Safety
    /// `stack_top` is 16-byte aligned, and the writable memory below it is this thread's own until it has ended.
    pub unsafe fn new(stack_top: u64, entry: extern "C-unwind" fn(usize) -> !, argument: usize) -> Self {
        let mut frame = FIRST_FRAME;
        frame[RBX] = entry as usize;
        frame[R12] = argument;
        frame[RETURN] = machine_context_start as *const () as usize;
        // 16 bytes of zeros above the frame: where a backtrace ends.
        let stack_pointer = stack_top - 16 - size_of_val(&frame) as u64;
        // SAFETY: the caller's promise: this memory is the thread's.
        unsafe {
            (stack_pointer as *mut [usize; 7]).write(frame);
            ((stack_top - 16) as *mut [u64; 2]).write([0; 2]);
        }
        Context { stack_pointer }
    }
}

/// Leaves this stack, so that `from` can be gone on with, and goes on with `to`. Returns when somebody switches back.
///
/// # Safety
/// Interrupts are off. `to` is at rest, nobody else goes on with it, and its stack is mapped. `from` is where the
/// caller will be looked for; nobody goes on with it before this function has left the stack.
#[inline]
pub unsafe fn switch(from: *mut Context, to: *const Context) {
    // SAFETY: the caller's promise.
    unsafe { machine_switch(from, to) };
}
