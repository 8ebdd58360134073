//! Nothing to do: take from another CPU's queue, else halt.
//!
//! Invariant: a CPU halts only after it has marked itself idle and then found its queue empty under the queue's lock,
//! with interrupts off since; whoever queues something later sees the mark or the idle queue, and knocks.

use super::queues::{CPUS, IDLE};
use super::run_queue::Departure;
use super::switch::schedule;
use super::{balance, disturb, preempt};
use crate::memory::kernel_map;
use crate::thread::scheduling::Scheduling;
use crate::thread::thread::{Parts, Private, Seat};
use crate::thread::{Thread, accounting, current, remains};
use arrayvec::ArrayString;
use core::fmt::Write;
use sync::twin::{self, Twin};
use sync::{CpuId, CpuSet, IrqOff, chaos, cpu};

/// What runs on this CPU becomes its idle thread. On the boot CPU first; afterwards `current::enter` works here.
#[allow(unsafe_code)]
pub fn initialise_cpu(here: CpuId) {
    let mut name = ArrayString::<16>::new();
    // Fits: "idle/63".
    let _ = write!(name, "idle/{}", here.index());
    let thread = Thread::new(Parts {
        name: &name,
        payload: None,
        scheduling: Scheduling::NORMAL,
        affinity: CpuSet::single(here),
        home: here,
        idle: true,
        private: Private::without_stack(None),
    });
    thread.set_seat(Seat::Running);
    // SAFETY: nobody else has the thread yet.
    unsafe { thread.private.with(|private| private.itself = Some(thread.clone())) };
    if here == CpuId::BOOT {
        preempt::initialise();
    } else {
        kernel_map::load();
    }
    machine::cpu::set_thread(current::pointer_of(&thread).as_ptr());
    assert!(CPUS.of(here).idle_thread.set(thread).is_ok(), "a CPU was initialised twice");
    accounting::begin(&IrqOff::new());
    cpu::set_online(here);
}

/// What a CPU does for the rest of its life, whenever nobody else wants it.
pub fn start_idle(here: CpuId) -> ! {
    assert!(cpu::preemption_allowed(), "a CPU went idle under a guard");
    loop {
        cpu::enable_interrupts();
        remains::collect();
        disturb::begin();
        cpu::disable_interrupts();
        let looked_first = twin::is(Twin::IdleLooksThenMarks) && !has_work(here);
        IDLE.insert(here);
        chaos::point();
        if !looked_first && has_work(here) {
            IDLE.remove(here);
            schedule(Departure::Yielding);
        } else {
            disturb::rest();
            chaos::point();
            machine::cpu::halt_until_interrupt();
        }
    }
}

fn has_work(here: CpuId) -> bool {
    let irq = IrqOff::new();
    cpu::need_reschedule() || CPUS.of(here).with(&irq, |queue| queue.waiting() != 0) || balance::steal(here, irq)
}
