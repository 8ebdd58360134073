//! A thread that waits for a word, as buckets see it.
//!
//! Invariant: a thread's own waiter is used for one wait at a time, and is in no bucket between two; a call that comes late only makes
//! the next wait look once more.

use alloc::sync::Arc;

use libkernel::census::{Census, Counted};
use libkernel::wait::WaitQueue;
use sync::{Flag, Published};

use super::bucket::{self, Key, Waits};
use super::lock::Lock;
use super::owner::Owner;
use super::table::Home;

/// A line of waiters.
pub type Line = bucket::Line<Waiter>;
/// A bucket of them.
pub type Bucket = bucket::Bucket<Waiter>;
/// A waiter's place in it.
pub type Entry = bucket::Entry<Waiter>;

/// Waiters of threads, in a wait or between two.
pub static LIVING: Census = Census::new("futex waiters");

/// A thread that waits.
pub struct Waiter {
    _counted: Counted,
    place: Published<usize>,
    woken: Flag,
    /// Where it sleeps.
    pub queue: WaitQueue,
    /// What it is to be handed, if the word is a lock.
    pub claim: Option<Claim>,
}

/// A lock that a waiter is to be handed.
pub struct Claim {
    /// Who will own it.
    pub owner: Arc<Owner>,
    /// The lock.
    pub lock: Home,
    /// The owner before has died: the new one has to write itself into the word.
    pub inherited: Flag,
}

impl Waiter {
    /// For words that are no locks.
    pub fn new() -> Arc<Self> {
        Self::with(None)
    }

    /// For a lock.
    pub fn claiming(owner: Arc<Owner>, lock: Home) -> Arc<Self> {
        Self::with(Some(Claim { owner, lock, inherited: Flag::new(false) }))
    }

    fn with(claim: Option<Claim>) -> Arc<Self> {
        let (place, woken) = (Published::<usize>::new(0), Flag::new(false));
        Arc::new(Self { _counted: LIVING.count(), place, woken, queue: WaitQueue::named("a futex"), claim })
    }

    /// A new wait, in this bucket.
    pub fn begin(&self, place: usize) {
        self.woken.clear();
        self.place.store(place);
    }

    /// Whether it was taken out by a waker.
    pub fn is_woken(&self) -> bool {
        self.woken.is_set()
    }
}

impl Waits for Waiter {
    type Lock = Lock;

    fn place(&self) -> &Published<usize> {
        &self.place
    }

    fn woken(&self) -> &Flag {
        &self.woken
    }

    fn is_for_lock(&self) -> bool {
        self.claim.is_some()
    }

    fn claims(&self, lock: Key) -> bool {
        self.claim.as_ref().is_some_and(|claim| claim.lock.key == lock)
    }
}
