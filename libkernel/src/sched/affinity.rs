//! Changing where and how a thread runs, whatever it is doing.
//!
//! Invariant: the new value is written before the thread's home is read, and whoever queues the thread writes its
//! home before reading the value; so either this call finds the thread, or the other side finds the new value.

use super::queues::{CPUS, react};
use super::run_queue::{Reaction, RunQueue};
use super::{place, switch};
use crate::clock;
use crate::error::KernelError;
use crate::thread::thread::Seat;
use crate::thread::{Scheduling, Thread};
use alloc::sync::Arc;
use sync::{Allows, CpuId, CpuSet, IrqOff, TaskContext, cpu, fence_full, kind};

/// From now on the thread runs on these CPUs only; if it runs or waits elsewhere, it has moved when this returns.
pub fn set_affinity(cx: &mut TaskContext, thread: &Arc<Thread>, cpus: CpuSet) -> Result<(), KernelError> {
    if cpus.intersect(cpu::online()).is_empty() {
        return Err(KernelError::Invalid);
    }
    thread.store_affinity(cpus);
    let mut irq = IrqOff::new();
    let (home, (moved, reaction)) = at_home(thread, &irq, |queue, home| match thread.seat() {
        _ if cpus.contains(home) => (None, Reaction::Nothing),
        Seat::Queued => (queue.dequeue(thread), Reaction::Nothing),
        Seat::Running => (None, Reaction::Reschedule),
        Seat::Nowhere | Seat::Buried => (None, Reaction::Nothing),
    });
    if let Some(moved) = moved {
        place::queue(moved);
    }
    react(home, reaction, &mut irq);
    drop(irq);
    // It is being knocked at: it goes on only where it is told to, which takes an interrupt and a switch.
    while thread.running_on() == Some(home) && !place::usable(thread).contains(home) {
        switch::yield_now(cx);
    }
    Ok(())
}

/// From now on the thread shares CPUs in this way.
pub fn set_scheduling(_: &mut TaskContext, thread: &Arc<Thread>, scheduling: Scheduling) {
    thread.standing.want(scheduling);
    take_effect(thread);
}

/// From now on the thread shares CPUs at least in this way, whatever it asked for (`None`: as it asked): someone with a better right
/// waits for it. Callers agree among themselves who lends. Has that changed anything?
pub fn lend_standing<X: Allows<kind::Task>>(_: &X, thread: &Arc<Thread>, lent: Option<Scheduling>) -> bool {
    let before = thread.standing.effective();
    thread.standing.lend(lent);
    let changed = thread.standing.effective() != before;
    if changed {
        take_effect(thread);
    }
    changed
}

/// What the thread is to be counts at once, wherever it runs or waits.
fn take_effect(thread: &Arc<Thread>) {
    let mut irq = IrqOff::new();
    let (home, reaction) = at_home(thread, &irq, |queue, _| match thread.seat() {
        Seat::Queued => match queue.dequeue(thread) {
            Some(thread) => queue.enqueue(thread, clock::now()),
            None => Reaction::Nothing,
        },
        Seat::Running if queue.is_current(thread) => queue.reconsider_current(clock::now()),
        Seat::Running | Seat::Nowhere | Seat::Buried => Reaction::Nothing,
    });
    react(home, reaction, &mut irq);
}

/// Works on the queue of the thread's home, while it is its home.
fn at_home<R>(thread: &Thread, irq: &IrqOff, mut work: impl FnMut(&mut RunQueue, CpuId) -> R) -> (CpuId, R) {
    fence_full();
    loop {
        let home = thread.last_cpu();
        let done = CPUS.of(home).with(irq, |queue| (thread.last_cpu() == home).then(|| work(queue, home)));
        if let Some(done) = done {
            return (home, done);
        }
    }
}
