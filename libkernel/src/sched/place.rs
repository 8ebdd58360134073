//! Which CPU a woken thread goes to, and the knock if it is not ours.
//!
//! Invariant: whoever has a thread in hand is the only one; `queue` ends that. A thread is queued only where its
//! affinity allows: the home is written before the affinity is read, and `set_affinity` does it the other way round.

use super::queues::{CPUS, IDLE, knock, react};
use crate::clock;
use crate::thread::Thread;
use alloc::sync::Arc;
use sync::{CpuId, CpuSet, IrqOff, chaos, cpu, fence_full};

/// Makes the condition that a thread may be waiting for known to it: it will look again. From anywhere.
pub fn wake(thread: &Arc<Thread>) {
    if thread.park.wake() {
        queue(Arc::clone(thread));
    }
}

/// Puts a thread that is in the caller's hands on the best queue.
pub(super) fn queue(thread: Arc<Thread>) {
    let mut irq = IrqOff::new();
    loop {
        let target = choose(&thread, cpu::current());
        let reaction = CPUS.of(target).with(&irq, |queue| {
            thread.set_home(target);
            chaos::point();
            fence_full();
            usable(&thread).contains(target).then(|| queue.enqueue(Arc::clone(&thread), clock::now()))
        });
        if let Some(reaction) = reaction {
            react(target, reaction, &mut irq);
            rouse_one_for(&thread, target);
            return;
        }
        // It may have been claimed as idle for nothing: it marks itself again when it has looked.
        knock(target);
    }
}

/// The thread waits behind another: a CPU that went idle since `choose` looked is to take it.
pub(super) fn rouse_one_for(thread: &Thread, target: CpuId) {
    if CPUS.of(target).load() < 2 {
        return;
    }
    chaos::point();
    // Pairs with the idle loop: either its mark is seen here, or it sees the new length of the queue.
    fence_full();
    if let Some(idle) = IDLE.peek().intersect(usable(thread)).without(target).first() {
        knock(idle);
    }
}

/// The CPUs that a thread may run on now.
pub(super) fn usable(thread: &Thread) -> CpuSet {
    let online = cpu::online();
    let usable = thread.affinity().intersect(online);
    if usable.is_empty() { online } else { usable }
}

/// Its last CPU if that has nothing to do, any that has nothing to do, else the shorter queue of last and ours.
fn choose(thread: &Thread, here: CpuId) -> CpuId {
    let usable = usable(thread);
    if chaos::one_in(4)
        && let Some(any) = chaos::member(usable)
    {
        return any;
    }
    let last = thread.last_cpu();
    let idle = IDLE.peek().intersect(usable);
    if idle.contains(last) && IDLE.remove(last) {
        return last;
    }
    if let Some(claimed) = idle.iter().find(|&cpu| IDLE.remove(cpu)) {
        return claimed;
    }
    let load = |cpu: CpuId| CPUS.of(cpu).load();
    match (usable.contains(last), usable.contains(here)) {
        (true, true) if load(here) + 1 < load(last) => here,
        (true, _) => last,
        (false, true) => here,
        (false, false) => usable.iter().min_by_key(|&cpu| load(cpu)).unwrap_or(CpuId::BOOT),
    }
}

/// The least loaded of the CPUs that a new thread may run on.
pub(super) fn least_loaded(usable: CpuSet) -> CpuId {
    let least = || usable.iter().min_by_key(|&cpu| CPUS.of(cpu).load());
    chaos::member(usable).or_else(least).unwrap_or(CpuId::BOOT)
}

/// A running thread comes by the way back to ring 3 soon: its CPU is knocked at.
pub fn nudge(thread: &Thread) {
    // Pairs with the switch: either it is seen running here, or it sees the attention when it runs next.
    fence_full();
    let irq = IrqOff::new();
    if let Some(target) = thread.running_on()
        && target != cpu::current()
    {
        knock(target);
    }
    drop(irq);
}

impl Thread {
    /// The return hook is called before the thread's next instruction in ring 3, and soon.
    pub fn set_attention(&self) {
        self.ask_attention();
        nudge(self);
    }

    /// Calls the thread out of an interruptible wait, this one or its next.
    pub fn interrupt(self: &Arc<Self>) {
        self.mark_interrupted();
        wake(self);
    }
}
