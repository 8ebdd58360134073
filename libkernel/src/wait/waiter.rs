//! One thread's one wait: what can end it, and its places in queues. A wait in one queue is one allocation.
//!
//! Invariant: whoever ends a wait sets the waiter's own flag first and wakes the thread then; so a wake that some
//! wait further up the same stack swallows loses nothing: the flag is still there to be seen.

use super::timers::TimerTarget;
use crate::clock;
use crate::sched;
use crate::thread::Thread;
use alloc::sync::Arc;
use intrusive_collections::{KeyAdapter, RBTreeAtomicLink, intrusive_adapter};
use sync::twin::{self, Twin};
use sync::{Counter, Flag, IrqContext, TaskContext};

/// Until when to wait, in nanoseconds since boot; `None` is for ever.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Deadline(pub Option<u64>);

impl Deadline {
    pub const NEVER: Deadline = Deadline(None);

    pub const fn at(nanoseconds: u64) -> Self {
        Deadline(Some(nanoseconds))
    }

    /// So long from now.
    pub fn after(nanoseconds: u64) -> Self {
        Deadline(Some(clock::now().saturating_add(nanoseconds)))
    }

    pub fn has_passed(self) -> bool {
        self.0.is_some_and(|at| at <= clock::now())
    }
}

pub(super) struct Waiter {
    thread: Arc<Thread>,
    chosen: Flag,
    expired: Flag,
}

impl Waiter {
    pub(super) fn new(thread: &Arc<Thread>) -> Waiter {
        Waiter { thread: Arc::clone(thread), chosen: Flag::new(false), expired: Flag::new(false) }
    }

    pub(super) const fn thread(&self) -> &Arc<Thread> {
        &self.thread
    }

    /// A queue chooses it, and wakes it so. False when another has already.
    fn choose(&self, donor: Option<&TaskContext>) -> bool {
        let wake = |thread| match donor {
            Some(donor) => sched::wake_donating(donor, thread),
            None => sched::wake(thread),
        };
        if twin::is(Twin::WakeBeforeReason) {
            wake(&self.thread);
            return self.chosen.claim();
        }
        let first = self.chosen.claim();
        wake(&self.thread);
        first
    }

    /// The waiter takes note. Was it chosen?
    pub(super) fn take_choice(&self) -> bool {
        self.chosen.take()
    }

    pub(super) fn has_expired(&self) -> bool {
        self.expired.is_set()
    }

    /// May the thread sleep on? Asked after it has prepared.
    pub(super) fn is_undisturbed(&self, interruptible: bool) -> bool {
        !(self.chosen.is_set() || self.expired.is_set() || interruptible && self.thread.is_interrupted())
    }
}

impl TimerTarget for Waiter {
    fn expired(&self, _: &IrqContext) {
        if twin::is(Twin::WakeBeforeReason) {
            sched::wake(&self.thread);
        }
        self.expired.set();
        if !twin::is(Twin::WakeBeforeReason) {
            sched::wake(&self.thread);
        }
    }
}

impl TimerTarget for Place {
    fn expired(&self, context: &IrqContext) {
        self.waiter().expired(context);
    }
}

/// What a queue tells of its wakes instead of waking a thread.
pub trait Alert: Send + Sync {
    /// Called by whoever wakes the queue, handlers included, with the queue's lock released. Takes only Irq-class locks,
    /// below those of timers. A donor is about to wait for an answer, or to end, and has a CPU to hand on.
    fn ring(&self, donor: Option<&TaskContext>);
}

/// Whose a place is.
enum Whose {
    /// Of a wait with no other place.
    Own(Waiter),
    Shared(Arc<Waiter>),
    /// Of nobody that sleeps.
    Alert(Arc<dyn Alert>),
}

/// A waiter's place in one queue.
pub(super) struct Place {
    link: RBTreeAtomicLink,
    whose: Whose,
    /// One wake is for one of these; the others only watch, and hear of every wake.
    pub(super) exclusive: bool,
    arrival: Counter,
}

intrusive_adapter!(pub(super) ByArrival = Arc<Place>: Place { link => RBTreeAtomicLink });

impl<'a> KeyAdapter<'a> for ByArrival {
    type Key = (bool, u64);
    fn get_key(&self, place: &'a Place) -> (bool, u64) {
        place.key()
    }
}

impl Place {
    /// The only place of a thread's wait: for a wake of its own.
    pub(super) fn alone(thread: &Arc<Thread>) -> Arc<Place> {
        Place::new(Whose::Own(Waiter::new(thread)), true)
    }

    /// One of several: to watch.
    pub(super) fn of(waiter: &Arc<Waiter>) -> Arc<Place> {
        Place::new(Whose::Shared(Arc::clone(waiter)), false)
    }

    /// One that watches for somebody who does not sleep.
    pub(super) fn for_alert(alert: Arc<dyn Alert>) -> Arc<Place> {
        Place::new(Whose::Alert(alert), false)
    }

    fn new(whose: Whose, exclusive: bool) -> Arc<Place> {
        Arc::new(Place { link: RBTreeAtomicLink::new(), whose, exclusive, arrival: Counter::new(0) })
    }

    pub(super) fn waiter(&self) -> &Waiter {
        match &self.whose {
            Whose::Own(waiter) => waiter,
            Whose::Shared(waiter) => waiter,
            Whose::Alert(_) => panic!("somebody sleeps on an alert's place"),
        }
    }

    /// A queue chooses it. False when another queue had chosen its waiter already.
    pub(super) fn choose(&self, donor: Option<&TaskContext>) -> bool {
        match &self.whose {
            Whose::Own(waiter) => waiter.choose(donor),
            Whose::Shared(waiter) => waiter.choose(donor),
            Whose::Alert(alert) => {
                alert.ring(donor);
                true
            }
        }
    }

    pub(super) fn key(&self) -> (bool, u64) {
        (self.exclusive, self.arrival.get())
    }

    pub(super) fn arrival(&self) -> u64 {
        self.arrival.get()
    }

    pub(super) fn set_arrival(&self, number: u64) {
        self.arrival.set(number);
    }

    pub(super) fn is_queued(&self) -> bool {
        self.link.is_linked()
    }
}
