//! Taking the CPU from a thread that would go on: at the end of a guard, of an interrupt, of a slice.
//!
//! Invariant: threads change only where no guard is alive; a wish to change that comes earlier stands in the CPU's
//! own flag until the last guard goes.

use super::pulse;
use super::queues::{CPUS, time_slice};
use super::run_queue::Departure;
use super::switch::schedule;
use super::{balance, disturb};
use crate::alarm::{self, Slot};
use crate::clock;
use crate::thread::accounting;
use sync::{IrqContext, IrqOff, cpu};

/// Called once, at boot, before the first thread is queued.
pub(super) fn initialise() {
    cpu::set_preemption_point(change_here);
    alarm::set_called(Slot::Slice, slice_is_over);
    accounting::initialise();
    disturb::initialise();
}

/// The last guard has gone and a change is wanted.
fn change_here() {
    cpu::disable_interrupts();
    schedule(Departure::Preempted);
    cpu::enable_interrupts();
}

/// An interrupt that came in kernel code has been handled: the thread that it interrupted may have to give way.
/// Interrupts are off, and stay so.
pub fn on_interrupt_exit() {
    if cpu::need_reschedule() && cpu::preemption_allowed() && !machine::cpu::thread().is_null() {
        schedule(Departure::Preempted);
    }
}

/// This CPU's timer went off.
pub fn timer_interrupt(context: &IrqContext) {
    alarm::interrupt(context);
}

/// Another CPU knocked: something was queued here, or a thread here is wanted elsewhere.
pub fn knocked(_: &IrqContext) {
    pulse::answer();
    let mut irq = IrqOff::new();
    if !disturb::postpones_knock(&mut irq) {
        answer_knock(&mut irq);
    }
}

pub(super) fn answer_knock(irq: &mut IrqOff) {
    CPUS.mine(irq).answer_knock();
    look_again(irq);
}

pub(super) fn slice_is_over(_: &IrqContext) {
    let mut irq = IrqOff::new();
    balance::spread(&mut irq);
    look_again(&mut irq);
}

/// Does the thread on this CPU still have the best right to it?
fn look_again(irq: &mut IrqOff) {
    let here = cpu::current();
    if CPUS.of(here).with(irq, |queue| queue.should_change(here, clock::now())) {
        cpu::set_need_reschedule();
    } else {
        time_slice(irq);
    }
}
