//! Interrupts from CPU to CPU, played: one is latched until the other takes it, halted or between two steps of a thread.
//!
//! Invariant: an interrupt that was sent is taken, unless the machine goes off.

use crate::explore::{Condvar, Mutex};
use crate::sched::preempt;
use sync::{IrqContext, PerCpu, cpu};

#[derive(Default)]
struct Latch {
    sent: Mutex<bool>,
    came: Condvar,
}

sync::shared_per_cpu! {
    static LATCHES: PerCpu<Latch> = Latch::default();
}

pub mod ipi {
    use super::*;

    pub fn knock(target: sync::CpuId) {
        let latch = LATCHES.of(target);
        *latch.sent.lock().unwrap() = true;
        latch.came.notify_one();
    }
}

/// A halted CPU, interrupts off: waits for one, and takes it.
pub(crate) fn wait_for_interrupt() {
    let latch = LATCHES.of(cpu::current());
    let mut sent = latch.sent.lock().unwrap();
    while !*sent && !crate::boot::is_off() {
        sent = latch.came.wait(sent).unwrap();
    }
    *sent = false;
    drop(sent);
    if crate::boot::is_off() {
        crate::boot::go();
    }
    take();
}

/// A running thread: takes one if it is there.
pub fn interrupt_may_come() {
    cpu::disable_interrupts();
    let sent = std::mem::take(&mut *LATCHES.of(cpu::current()).sent.lock().unwrap());
    if sent {
        take();
    }
    cpu::enable_interrupts();
}

/// As the entry of the interrupt: the handler, then perhaps another thread.
fn take() {
    // SAFETY: interrupts are off.
    let context = unsafe { IrqContext::enter() };
    preempt::knocked(&context);
    drop(context);
    preempt::on_interrupt_exit();
}
