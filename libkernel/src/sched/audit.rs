//! Is every thread where it says it is? For the sweep of debug kernels.
//!
//! Invariant: a seat is compared with its queue under that queue's lock; one lock at a time.

use super::queues::CPUS;
use super::run_queue::RunQueue;
use crate::thread::Thread;
use crate::thread::thread::Seat;
use sync::{CpuId, IrqOff, ParkState, cpu};

/// What is wrong with a thread's place. Each may be right for a moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    /// Says that it is queued, and is in no queue of its home CPU.
    QueuedNowhere,
    /// Says that it runs, and its home CPU runs another.
    RunsNowhere,
    /// In no queue, not running, and not asleep either.
    InNobodysHands,
    /// Asleep, and queued or running all the same.
    AsleepAndRunnable,
}

/// What is wrong with a queue itself, at any moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Broken {
    pub(crate) cpu: CpuId,
    /// What it counts, and how many are in it.
    pub(crate) counted: usize,
    pub(crate) found: usize,
    /// One in it that says it is elsewhere.
    pub(crate) stranger: Option<u64>,
}

/// The first queue that is not what it says.
pub(crate) fn broken_queue() -> Option<Broken> {
    let irq = IrqOff::new();
    cpu::online().iter().find_map(|cpu| {
        CPUS.of(cpu).with(&irq, |queue| {
            let (counted, found) = (queue.waiting(), queue.all_waiting().count());
            let is_strange = |thread: &&Thread| thread.seat() != Seat::Queued || thread.last_cpu() != cpu;
            let stranger = queue.all_waiting().find(is_strange).map(Thread::id);
            (counted != found || stranger.is_some()).then_some(Broken { cpu, counted, found, stranger })
        })
    })
}

pub(crate) fn fault_of(thread: &Thread) -> Option<Fault> {
    if thread.is_idle() {
        return None;
    }
    let irq = IrqOff::new();
    let home = thread.last_cpu();
    CPUS.of(home).with(&irq, |queue| {
        if thread.last_cpu() != home {
            return None;
        }
        let is_there = |queue: &RunQueue| queue.all_waiting().any(|waiting| waiting.id() == thread.id());
        let parked = thread.park.peek() == ParkState::Parked;
        match thread.seat() {
            Seat::Buried => None,
            Seat::Queued if !is_there(queue) => Some(Fault::QueuedNowhere),
            Seat::Running if !queue.is_current(thread) => Some(Fault::RunsNowhere),
            Seat::Nowhere => (!parked).then_some(Fault::InNobodysHands),
            Seat::Queued | Seat::Running => parked.then_some(Fault::AsleepAndRunnable),
        }
    })
}
