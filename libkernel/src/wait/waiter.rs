//! One thread's one wait: what can end it, and its places in queues.
//!
//! Invariant: whoever ends a wait sets the waiter's own flag first and wakes the thread then; so a wake that some
//! wait further up the same stack swallows loses nothing: the flag is still there to be seen.

use super::timers::TimerTarget;
use crate::clock;
use crate::sched;
use crate::thread::Thread;
use alloc::sync::Arc;
use intrusive_collections::{KeyAdapter, RBTreeAtomicLink, intrusive_adapter};
use sync::{Counter, Flag, IrqContext};

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
    pub(super) fn new(thread: &Arc<Thread>) -> Arc<Waiter> {
        Arc::new(Waiter { thread: Arc::clone(thread), chosen: Flag::new(false), expired: Flag::new(false) })
    }

    /// A queue chooses it, and wakes it so. False when another has already.
    pub(super) fn choose(&self, wake: impl FnOnce(&Arc<Thread>)) -> bool {
        let first = self.chosen.claim();
        wake(&self.thread);
        first
    }

    /// The waiter takes note.
    pub(super) fn take_choice(&self) {
        self.chosen.take();
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
        self.expired.set();
        sched::wake(&self.thread);
    }
}

/// A waiter's place in one queue.
pub(super) struct Place {
    link: RBTreeAtomicLink,
    pub(super) waiter: Arc<Waiter>,
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
    pub(super) fn new(waiter: &Arc<Waiter>, exclusive: bool) -> Arc<Place> {
        Arc::new(Place { link: RBTreeAtomicLink::new(), waiter: Arc::clone(waiter), exclusive, arrival: Counter::new(0) })
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
