//! The thread that runs this.
//!
//! Invariant: a `TaskContext` is made once per entry into the kernel, from the block of the CPU that the thread
//! entered on; from then on it, not the CPU, says who "I" am.

use super::stack::{self, StackAddress};
use super::thread::{NAME_BYTES, Payload, Thread};
use alloc::sync::Arc;
use arrayvec::ArrayString;
use core::ptr::NonNull;
use sync::{IrqOff, TaskContext};

/// The thread behind a context.
#[allow(unsafe_code)]
pub fn of(cx: &TaskContext) -> &Arc<Thread> {
    let thread = cx.thread_pointer().cast::<Thread>();
    // SAFETY: contexts are made by `enter` and by the thread's first function, of the running thread, which holds
    // a reference to itself until it is dead and no context of it is left. `itself` does not change until then.
    let itself = unsafe { &(*(*thread.as_ptr()).private.pointer()).itself };
    match itself {
        Some(thread) => thread,
        None => panic!("a context of a thread that has been buried"),
    }
}

/// The pointer that a context carries and that a CPU's block holds.
pub(crate) fn pointer_of(thread: &Arc<Thread>) -> NonNull<()> {
    NonNull::from(&**thread).cast()
}

/// The context of the thread on this CPU. Called once by each entry (system call, fault), at its top; for the
/// threads' own first function there is a context already.
#[allow(unsafe_code)]
pub fn enter() -> TaskContext {
    assert!(!sync::cpu::in_handler(), "an interrupt handler asked for the context of the thread that it interrupted");
    let Some(thread) = NonNull::new(machine::cpu::thread().cast_mut()) else {
        panic!("an entry into the kernel on a CPU that runs no thread yet");
    };
    // SAFETY: one per entry (this function's contract), and the pointer is the running thread's.
    unsafe { TaskContext::enter(thread) }
}

/// The context, if this CPU runs threads already: for faults and panics during boot.
pub fn try_enter() -> Option<TaskContext> {
    (!machine::cpu::thread().is_null() && !sync::cpu::in_handler()).then(enter)
}

/// The thread that this CPU runs, for reports and handlers, which have no context of it.
#[allow(unsafe_code)]
pub(crate) fn on_this_cpu(_: &IrqOff) -> Option<&Thread> {
    let thread = NonNull::new(machine::cpu::thread().cast_mut())?.cast::<Thread>();
    // SAFETY: the block's pointer is the running thread's, which lives as long as it runs; with interrupts off
    // it cannot be switched away from.
    Some(unsafe { thread.as_ref() })
}

/// A number that no other living thread has, for those who have no context: a `Drop`.
pub fn number() -> usize {
    let irq = IrqOff::new();
    on_this_cpu(&irq).map_or(0, |thread| core::ptr::from_ref(thread).addr())
}

/// What a personality calls the thread on this CPU, for those who have no context: a `Drop`.
pub fn payload() -> Option<Payload> {
    let irq = IrqOff::new();
    on_this_cpu(&irq).and_then(Thread::payload).cloned()
}

/// The name of the thread on this CPU, for panics: neither waits nor allocates.
pub fn name() -> ArrayString<NAME_BYTES> {
    let irq = IrqOff::new();
    on_this_cpu(&irq).and_then(Thread::try_name).unwrap_or_default()
}

/// For reports: `address` is where a kernel stack ran over, of this slot; the name is that of the thread on this CPU.
pub fn stack_overflow_at(address: u64) -> Option<(usize, ArrayString<NAME_BYTES>)> {
    match stack::describe(address)? {
        StackAddress::Guard { slot } => Some((slot, name())),
        StackAddress::Inside { .. } => None,
    }
}
