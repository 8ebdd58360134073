//! Who may do what here: sleep (`TaskContext`), handle an interrupt (`IrqContext`), touch this CPU's
//! data (`IrqOff`), stay on this CPU (`PreemptOff`).
//!
//! Invariant: none of these can be made where it would lie, leave its CPU, or be copied.

use crate::chaos;
use crate::cpu;
use crate::order::{Names, kind};
use core::marker::PhantomData;
use core::ptr::NonNull;

type NotSend = PhantomData<*mut ()>;

/// "I am this thread, and I may sleep." One per kernel entry, passed on as `&mut` by whoever may sleep
/// and as `&` by whoever will not.
pub struct TaskContext {
    thread: NonNull<()>,
    not_send: NotSend,
}

impl TaskContext {
    /// # Safety
    /// Made once per kernel entry, on the stack of the thread that `thread` points at, which outlives it.
    pub unsafe fn enter(thread: NonNull<()>) -> Self {
        TaskContext { thread, not_send: PhantomData }
    }

    /// Whose context it is, as given to `enter`.
    #[inline]
    pub fn thread_pointer(&self) -> NonNull<()> {
        self.thread
    }
}

/// "I am an interrupt handler": takes only Irq-class locks, never sleeps.
pub struct IrqContext {
    not_send: NotSend,
}

impl IrqContext {
    /// # Safety
    /// Made by the interrupt entry only, with interrupts off, and dropped before the entry ends.
    pub unsafe fn enter() -> Self {
        cpu::increment_handler();
        IrqContext { not_send: PhantomData }
    }
}

impl Drop for IrqContext {
    fn drop(&mut self) {
        cpu::decrement_handler();
    }
}

/// Proof that interrupts are off on this CPU. Counted: guards may end in any order.
pub struct IrqOff {
    not_send: NotSend,
}

impl IrqOff {
    #[inline]
    #[must_use]
    pub fn new() -> Self {
        cpu::push_interrupts_off();
        IrqOff { not_send: PhantomData }
    }

    /// Takes over one that is counted on this CPU but has no owner: a new thread's first line ends
    /// the one with which the CPU switched to it.
    ///
    /// # Safety
    /// The count includes one `IrqOff` that was forgotten, or whose owner's stack this CPU has left.
    pub unsafe fn take_over() -> Self {
        debug_assert!(!cpu::interrupts_are_on() && cpu::interrupts_off_depth() != 0);
        IrqOff { not_send: PhantomData }
    }

    /// Ends it without changing threads, even if that is wanted: for the scheduler itself.
    pub fn end_quietly(self) {
        core::mem::forget(self);
        cpu::pop_interrupts_off();
    }
}

impl Drop for IrqOff {
    #[inline]
    fn drop(&mut self) {
        if cpu::pop_interrupts_off() {
            tempt();
            cpu::preemption_point();
        }
    }
}

/// Where threads may change, they do so now and then for no reason. (Elsewhere the wish would only stand until here.)
#[inline]
fn tempt() {
    if chaos::one_in(16) && cpu::preemption_allowed() {
        cpu::set_need_reschedule();
    }
}

impl Default for IrqOff {
    fn default() -> Self {
        Self::new()
    }
}

/// Proof that this thread stays on this CPU.
pub struct PreemptOff {
    not_send: NotSend,
}

impl PreemptOff {
    #[inline]
    #[must_use]
    pub fn new() -> Self {
        cpu::increment_preempt();
        PreemptOff { not_send: PhantomData }
    }

    /// Ends it without changing threads, even if that is wanted: for the scheduler itself.
    pub fn end_quietly(self) {
        core::mem::forget(self);
        cpu::decrement_preempt();
    }
}

impl Drop for PreemptOff {
    #[inline]
    fn drop(&mut self) {
        if cpu::decrement_preempt() {
            tempt();
            cpu::preemption_point();
        }
    }
}

impl Default for PreemptOff {
    fn default() -> Self {
        Self::new()
    }
}

/// `X: Allows<K>`: a lock of kind `K` may be taken in context `X`.
///
/// # Safety
/// Granting `kind::Task` to something that exists in interrupt handlers brings back the deadlock of a
/// handler that waits for the lock which it interrupted.
#[diagnostic::on_unimplemented(
    message = "a `{K}` lock cannot be taken in context `{Self}`",
    label = "handlers do not take locks of this class, or this is not a context",
    note = "move the class into the `Irq` band of `lock_order!`, or defer the work out of the handler"
)]
pub unsafe trait Allows<K> {}

// SAFETY: a task context never exists in a handler.
unsafe impl Allows<kind::Task> for TaskContext {}
// SAFETY: Irq-class locks may be taken anywhere.
unsafe impl Allows<kind::Irq> for TaskContext {}
// SAFETY: Irq-class locks may be taken anywhere.
unsafe impl Allows<kind::Irq> for IrqContext {}
// SAFETY: Irq-class locks may be taken anywhere.
unsafe impl Allows<kind::Irq> for IrqOff {}
// SAFETY: made by thread code; one made in a handler is caught by the lock's own check.
unsafe impl Allows<kind::Task> for PreemptOff {}
// SAFETY: Irq-class locks may be taken anywhere.
unsafe impl Allows<kind::Irq> for PreemptOff {}
/// First statement of everything that can sleep, whether or not it will: a call that happens not to
/// wait in a test must be found out as well as one that does.
#[inline]
#[track_caller]
pub fn might_sleep() {
    if !cpu::preemption_allowed() || cpu::spin_held() != 0 || !cpu::interrupts_are_on() {
        must_not_sleep();
    }
}

#[cold]
#[inline(never)]
#[track_caller]
fn must_not_sleep() -> ! {
    panic!(
        "a call that may sleep, where nobody may: preemption off {}, interrupts off {} ({}), in a handler: {}, spin locks held: {}",
        cpu::preemption_off_depth(),
        cpu::interrupts_off_depth(),
        if cpu::interrupts_are_on() { "flag on" } else { "flag off" },
        cpu::in_handler(),
        Names(cpu::spin_held()),
    )
}
