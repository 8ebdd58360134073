//! Every CPU's run queue, and what others may know of it without its lock.
//!
//! Invariant: two queues are never locked by one CPU at once; a thread goes from one to another through its hands.

use super::pulse::Answers;
use super::run_queue::{Reaction, RunQueue};
use crate::alarm::{self, Slot};
use crate::clock;
use crate::thread::Thread;
use alloc::sync::Arc;
use machine::apic::ipi;
use sync::twin::{self, Twin};
use sync::{Counter, CpuId, CpuMask, CpuSet, Flag, IrqOff, Once, PerCpu, SpinGuard, SpinLock, cpu, order};

pub(super) struct Cpu {
    queue: SpinLock<RunQueue, order::RunQueue>,
    pub(super) idle_thread: Once<Arc<Thread>>,
    /// A knock is on its way, or was not yet answered.
    knocked: Flag,
    /// Threads running and waiting, as of the last change.
    load: Counter,
    pub(super) switches: Counter,
    pub(super) steals: Counter,
    knocks: Counter,
    pub(super) answers: Answers,
}

sync::shared_per_cpu! {
    pub(super) static CPUS: PerCpu<Cpu> = Cpu {
        queue: SpinLock::new(RunQueue::new()),
        idle_thread: Once::new(),
        knocked: Flag::new(false),
        load: Counter::new(0),
        switches: Counter::new(0),
        steals: Counter::new(0),
        knocks: Counter::new(0),
        answers: Answers::new(),
    };
}

sync::shared_static! {
    /// CPUs that have nothing to do. A hint; taking one out claims it for one newcomer.
    pub(super) static IDLE: CpuMask = CpuMask::new(CpuSet::EMPTY);
}

impl Cpu {
    /// Works on the queue, and tells the others its new length.
    pub(super) fn with<R>(&self, irq: &IrqOff, work: impl FnOnce(&mut RunQueue) -> R) -> R {
        let mut queue = self.queue.lock(irq);
        let result = work(&mut queue);
        self.publish(&queue);
        result
    }

    /// The same, unless another CPU works on it.
    pub(super) fn try_with<R>(&self, work: impl FnOnce(&mut RunQueue) -> R) -> Option<R> {
        let mut queue = self.queue.try_lock()?;
        let result = work(&mut queue);
        self.publish(&queue);
        Some(result)
    }

    fn publish(&self, queue: &SpinGuard<'_, RunQueue, order::RunQueue>) {
        self.load.set(queue.waiting() as u64 + u64::from(!queue.is_idle()));
    }

    pub(super) fn load(&self) -> u64 {
        self.load.get()
    }

    /// A knock was sent and its handler has not begun.
    pub(super) fn is_knocked(&self) -> bool {
        self.knocked.is_set()
    }

    /// The knock is being answered: whatever was queued before is seen after.
    pub(super) fn answer_knock(&self) {
        self.knocked.take();
    }
}

/// Makes a CPU look at its queue.
pub(super) fn knock(target: CpuId) {
    let target_cpu = CPUS.of(target);
    if target_cpu.knocked.claim() && !twin::is(Twin::NoKnock) {
        target_cpu.knocks.increment();
        ipi::knock(target);
    }
}

/// Tells a CPU what a change of its queue means to it.
pub(super) fn react(target: CpuId, reaction: Reaction, irq: &mut IrqOff) {
    if reaction == Reaction::Nothing {
        return;
    }
    if target != cpu::current() {
        knock(target);
    } else if reaction == Reaction::Reschedule {
        cpu::set_need_reschedule();
    } else {
        time_slice(irq);
    }
}

/// Times the slice of the thread on this CPU, if it matters to anyone.
pub(super) fn time_slice(irq: &mut IrqOff) {
    let end = CPUS.mine(irq).with(irq, |queue| queue.slice_end(clock::now()));
    alarm::set(Slot::Slice, end, irq);
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct CpuStatistics {
    pub switches: u64,
    /// Threads that this CPU took from others.
    pub steals: u64,
    /// Interrupts that other CPUs sent to make it look at its queue.
    pub knocks: u64,
    /// Threads running and waiting.
    pub load: u64,
}

pub fn cpu_statistics(cpu: CpuId) -> CpuStatistics {
    let cpu = CPUS.of(cpu);
    CpuStatistics { switches: cpu.switches.get(), steals: cpu.steals.get(), knocks: cpu.knocks.get(), load: cpu.load.get() }
}
