//! Evening out: an idle CPU takes from others; one with others waiting gives to those that have less.
//!
//! Invariant: only waiting threads move, so each was saved before; a victim's lock is only tried, never waited for.

use super::place;
use super::queues::{CPUS, IDLE};
use crate::clock;
use sync::{CpuId, CpuLocal, IrqOff, chaos, cpu};

/// How often a busy CPU looks for one with a shorter queue.
const EVERY_NS: u64 = 20_000_000;

sync::shared_per_cpu! {
    static LAST: CpuLocal<u64> = 0;
}

/// Takes a thread that waits on another CPU. Did it find one?
pub(super) fn steal(here: CpuId, irq: IrqOff) -> bool {
    let mut left = cpu::online().without(here);
    let thread = loop {
        let most_loaded = left.iter().filter(|&other| CPUS.of(other).load() > 1).max_by_key(|&other| CPUS.of(other).load());
        let Some(from) = chaos::member(left).or(most_loaded) else { return false };
        // All that wait there may be bound to that CPU, or to others: the next one is tried.
        if let Some(Some(thread)) = CPUS.of(from).try_with(|queue| queue.steal(here)) {
            break thread;
        }
        left = left.without(from);
    };
    CPUS.of(here).steals.increment();
    thread.set_home(here);
    drop(irq);
    place::queue(thread);
    true
}

/// In a kernel that is built to be shaken: takes a thread from a random CPU, now and then, though this one has its own.
pub(super) fn steal_for_nothing() {
    if !chaos::one_in(8) {
        return;
    }
    let irq = IrqOff::new();
    let here = cpu::current();
    if let Some(from) = chaos::member(cpu::online().without(here))
        && let Some(Some(thread)) = CPUS.of(from).try_with(|queue| queue.steal(here))
    {
        thread.set_home(here);
        irq.end_quietly();
        place::queue(thread);
    }
}

/// Gives waiting threads to idle CPUs, and now and then one to a CPU with a much shorter queue.
pub(super) fn spread(irq: &mut IrqOff) {
    let here = cpu::current();
    for idle in IDLE.peek().without(here) {
        let Some(thread) = CPUS.of(here).with(irq, |queue| queue.steal_donee_too(idle)) else { continue };
        place::queue(thread);
    }
    let now = clock::now();
    if now.saturating_sub(LAST.get(irq)) < EVERY_NS {
        return;
    }
    LAST.with_mut(irq, |last| *last = now);
    let mine = CPUS.of(here).load();
    let shortest = cpu::online().without(here).iter().min_by_key(|&other| CPUS.of(other).load());
    let Some(other) = shortest.filter(|&other| CPUS.of(other).load() + 1 < mine) else { return };
    if let Some(thread) = CPUS.of(here).with(irq, |queue| queue.steal(other)) {
        thread.set_home(other);
        place::queue(thread);
    }
}
