//! What the doors of the hardware lead to, as far as this crate answers them.
//!
//! Invariant: entered and left with interrupts off; threads change only after the handler's context is gone and the
//! interrupt controller was told that the handler is done.

use crate::cross_call;
use crate::interrupt;
use crate::memory;
use crate::sched::preempt;
use crate::thread::registers::UserRegisters;
use crate::thread::user::{self, Access, Fault};
use crate::thread::{accounting, current};
use machine::apic::local;
use machine::trap::frame::{TrapFrame, fault};
use machine::trap::vectors;
use sync::{IrqContext, IrqOff, TaskContext, cpu};

/// An interrupt: runs its handler, then whoever has the best right to this CPU.
#[allow(unsafe_code)]
pub fn interrupt(frame: &mut TrapFrame, vector: u8) {
    let cx = frame.from_user().then(current::enter);
    interrupt::count(vector, &IrqOff::new());
    {
        // SAFETY: this is the door: interrupts are off, and the context is gone before anything else happens.
        let context = unsafe { IrqContext::enter() };
        dispatch(&context, vector);
    }
    accounting::sample_if_due(cx.is_none());
    local::end_of_interrupt();
    match cx {
        Some(mut cx) => user::before_return(&mut cx, UserRegisters::of(frame)),
        None => preempt::on_interrupt_exit(),
    }
}

fn dispatch(context: &IrqContext, vector: u8) {
    match vector {
        vectors::TIMER => preempt::timer_interrupt(context),
        vectors::KNOCK => preempt::knocked(context),
        vectors::CALL => {
            memory::forget::called(context);
            cross_call::called(context);
        }
        device => {
            // A late interrupt of a device that was just released is nobody's.
            let _owned = vectors::dispatch(context, device);
        }
    }
}

/// A system call, or an exception in ring 3: see `user::serve`.
pub use crate::thread::user::serve;

/// What kind of access a page fault's error code tells of.
pub const fn access_of(error_code: u64) -> Access {
    if error_code & fault::EXECUTE != 0 {
        Access::Execute
    } else if error_code & fault::WRITE != 0 {
        Access::Write
    } else {
        Access::Read
    }
}

fn settle(cx: &mut TaskContext, address: u64, access: Access) -> Result<(), Fault> {
    user::fault(cx, address, access)?;
    current::of(cx).count_page_fault();
    Ok(())
}

/// A page fault in the kernel. True when it was copying from or to a program, which then goes on, or fails with an
/// error value; false when the kernel is broken.
pub fn page_fault_in_kernel(frame: &mut TrapFrame, address: u64) -> bool {
    // Under a spin lock nobody may sleep for a page: the word is not at hand, says the copy (`user::load_u32_at_hand`).
    let may_settle = frame.interrupts_were_on() && cpu::preemption_off_depth() == 0 && machine::cpu::is_user_address(address);
    if machine::user::is_copying(frame.rip)
        && may_settle
        && let Some(mut cx) = current::try_enter()
    {
        cpu::enable_interrupts();
        let settled = settle(&mut cx, address, access_of(frame.error_code));
        if settled == Err(Fault::NoMemory) {
            current::of(&cx).mark_starved();
        }
        cpu::disable_interrupts();
        if settled.is_ok() {
            return true;
        }
    }
    // A copy that trips over the kernel's own side is the kernel's fault, and must not pass for a bad pointer.
    machine::cpu::is_user_address(address) && machine::user::fixup(frame)
}
