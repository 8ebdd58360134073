//! The wall to ring 3: going through it, what waits on the way back, and the memory on the other side.
//!
//! Invariant: ring 3 is entered with interrupts off since the last look at "someone wants this CPU" and "someone
//! wants this thread's attention"; so neither can come between the look and the way out.

use super::current;
use super::registers::{UserRegisters, with_private};
use crate::memory::{Translation, kernel_map};
use alloc::sync::Arc;
use core::any::Any;
use core::ops::Deref;
use machine::trap::frame::TrapFrame;
use sync::{IrqOff, Once, PreemptOff, TaskContext, cpu};

/// What a program tried to do with an address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    Read,
    Write,
    Execute,
}

/// Why it could not be done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// Nothing is mapped there.
    NotMapped,
    /// Something is, but not for this kind of access.
    Protected,
    /// Mapped beyond the end of what backs it, or that could not be read.
    NoContents,
    NoMemory,
}

/// The memory that a thread's program lives in.
pub trait UserMemory: Send + Sync {
    fn translation(&self) -> &Translation;
    /// Makes `address` usable for `access`, or says why not.
    fn fault(&self, cx: &mut TaskContext, address: u64, access: Access) -> Result<(), Fault>;
    fn as_any(&self) -> &dyn Any;
}

/// A thread's own share of its memory: counting another share of it touches nothing that other threads of the program
/// touch too.
pub struct OwnMemory(Arc<dyn UserMemory>);

impl OwnMemory {
    pub(crate) fn of(memory: Arc<dyn UserMemory>) -> Arc<OwnMemory> {
        Arc::new(OwnMemory(memory))
    }
}

impl Deref for OwnMemory {
    type Target = dyn UserMemory;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

/// What is called on the way back to ring 3 when the thread was asked for its attention.
pub type ReturnHook = fn(&mut TaskContext, &mut UserRegisters);

static RETURN_HOOK: Once<ReturnHook> = Once::new();

/// Set once, at boot, before there are programs.
pub fn set_return_hook(hook: ReturnHook) {
    assert!(RETURN_HOOK.set(hook).is_ok(), "the return hook was set twice");
}

static ABSENCE_HOOK: Once<ReturnHook> = Once::new();

/// What is called on the way back to ring 3 when the thread was away from its CPU and its program is to hear of it;
/// after the return hook. Set once, at boot, before there are programs.
pub fn set_absence_hook(hook: ReturnHook) {
    assert!(ABSENCE_HOOK.set(hook).is_ok(), "the absence hook was set twice");
}

/// From now on the thread's program hears of every time that the thread was away from its CPU, and once at once; or no more.
pub fn tell_absence(cx: &mut TaskContext, tells: bool) {
    with_private(cx, |private, _| private.tells_absence = tells);
    if tells {
        current::of(cx).mark_away();
    }
}

/// As if the thread on this CPU had been away from it. For calls from other CPUs: the handler ends with a look.
pub fn pretend_absence_here() {
    let irq = IrqOff::new();
    if let Some(thread) = current::on_this_cpu(&irq) {
        thread.mark_away();
    }
}

/// The program's memory; kernel threads have none.
#[allow(unsafe_code)]
pub fn memory(cx: &TaskContext) -> Option<&Arc<OwnMemory>> {
    let private = current::of(cx).private.pointer();
    // SAFETY: only `set_memory` changes the field, which needs the context that this borrows, mutably; the CPUs
    // that switch from and to the thread only read it.
    unsafe { (*private).memory.as_ref() }
}

/// Makes `address` of the thread's own program usable for `access`, or says why not.
pub fn fault(cx: &mut TaskContext, address: u64, access: Access) -> Result<(), Fault> {
    let memory = memory(cx).map(Arc::clone).ok_or(Fault::NotMapped)?;
    memory.fault(cx, address, access)
}

/// This thread lives in another memory from now on, or in none.
pub fn set_memory(cx: &mut TaskContext, memory: Option<Arc<dyn UserMemory>>) {
    let memory = memory.map(OwnMemory::of);
    let old = with_private(cx, |private, irq| {
        match &memory {
            Some(memory) => memory.translation().enter(irq),
            None => kernel_map::load(),
        }
        let old = core::mem::replace(&mut private.memory, memory);
        if let Some(old) = &old
            && private.memory.as_ref().is_none_or(|new| !core::ptr::eq(new.translation(), old.translation()))
        {
            old.translation().leave(irq);
        }
        old
    });
    drop(old);
}

/// Ring 3 was left through a system call, a fault or an exception: does `work`, and settles what waits before the
/// program may go on. Entered, and left, with interrupts off.
pub fn serve(frame: &mut TrapFrame, work: impl FnOnce(&mut TaskContext, &mut UserRegisters)) {
    let mut cx = current::enter();
    cpu::enable_interrupts();
    let registers = UserRegisters::of(frame);
    work(&mut cx, registers);
    before_return(&mut cx, registers);
}

/// Gives the CPU to whoever has a better right to it, calls the hooks for whoever wants attention or was away, until nobody
/// does. Ends with interrupts off: ring 3 must be entered without switching them on again.
pub fn before_return(cx: &mut TaskContext, registers: &mut UserRegisters) {
    loop {
        cpu::disable_interrupts();
        if cpu::need_reschedule() {
            cpu::enable_interrupts();
            // The end of a guard is where threads change.
            drop(PreemptOff::new());
        } else if current::of(cx).take_attention() {
            call(&RETURN_HOOK, cx, registers);
        } else if current::of(cx).take_away_mark() {
            call(&ABSENCE_HOOK, cx, registers);
        } else {
            return;
        }
    }
}

/// With interrupts on, and off again for the next look.
fn call(hook: &Once<ReturnHook>, cx: &mut TaskContext, registers: &mut UserRegisters) {
    cpu::enable_interrupts();
    if let Some(hook) = hook.get() {
        hook(cx, registers);
    }
}

/// Enters ring 3 for the first time, or with a whole new state. What the caller still owns is never dropped:
/// it must own nothing by then.
pub fn enter(cx: &mut TaskContext, registers: &UserRegisters) -> ! {
    let mut registers = registers.clone();
    before_return(cx, &mut registers);
    machine::user::enter_ring3(registers.frame())
}
