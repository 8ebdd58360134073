//! Donation: whoever gives another its reason to run may give it this CPU too.
//!
//! Invariant: a donation stands in the run queue of the CPU that it was made on, and names a thread that waits there,
//! in no other place of the queue and not counted there: it is to come in the donor's place. That CPU's next switch
//! takes it, whoever runs then; whoever takes the thread away before, takes the donation with it.

use super::place;
use super::queues::CPUS;
use crate::alarm::{self, Slot};
use crate::clock;
use crate::thread::{Policy, Thread};
use alloc::sync::Arc;
use sync::twin::{self, Twin};
use sync::{IrqOff, TaskContext, cpu, fence_full};

/// How long threads may hand a CPU on among themselves while others wait for it: one slice of the fair class.
pub(crate) const CHAIN_NS: u64 = super::fair::SLICE_NS;
/// How long the donor may go on before idle CPUs are offered the thread. They do not take it by themselves before: a CPU
/// that has just gone idle would pull apart two that wait for each other, again and again.
pub(crate) const PATIENCE_NS: u64 = 1_000_000;

/// The thread that the next switch prefers.
pub(crate) struct Donation(Option<Arc<Thread>>);

impl Donation {
    pub(crate) const NONE: Donation = Donation(None);

    pub(crate) const fn waiting(&self) -> usize {
        self.0.is_some() as usize
    }

    pub(crate) fn get(&self) -> Option<&Thread> {
        self.0.as_deref()
    }

    /// There is none before.
    pub(crate) fn offer(&mut self, thread: Arc<Thread>) {
        debug_assert!(self.0.is_none(), "a donation was forgotten, and a thread with it");
        self.0 = Some(thread);
    }

    pub(crate) fn take(&mut self) -> Option<Arc<Thread>> {
        if twin::is(Twin::DonationKept) {
            return self.0.clone();
        }
        self.0.take()
    }

    pub(crate) fn take_that(&mut self, suits: impl Fn(&Thread) -> bool) -> Option<Arc<Thread>> {
        self.0.take_if(|thread| suits(thread))
    }
}

/// As `wake`; and if the thread may run here, this CPU's next switch goes to it. For one who is about to wait for an
/// answer, or to end: the thread is not offered to idle CPUs at once.
pub fn wake_donating(_: &TaskContext, thread: &Arc<Thread>) {
    if !thread.park.wake() {
        return;
    }
    let mut irq = IrqOff::new();
    let here = cpu::current();
    // Guesses, which spare the queue's lock; asked again under it.
    if !place::usable(thread).contains(here) || thread.standing.wanted().policy != Policy::Fair {
        return place::queue(Arc::clone(thread));
    }
    let now = clock::now();
    let is_crowded = CPUS.of(here).with(&irq, |queue| {
        // In this order, as in `place::queue`.
        thread.set_home(here);
        fence_full();
        let donated = place::usable(thread).contains(here) && queue.donate(thread, now);
        donated.then(|| queue.waiting() > 1)
    });
    let Some(is_crowded) = is_crowded else { return place::queue(Arc::clone(thread)) };
    alarm::bring_forward(Slot::Slice, now + PATIENCE_NS, &mut irq);
    if is_crowded {
        place::rouse_one_for(thread, here);
    }
}
