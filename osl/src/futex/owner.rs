//! A thread as futexes see it: its number in the words that are locks, which of those it owns, and which it waits for.
//!
//! Invariant: every lock with waiters is in its owner's `held`; one that stands there and has another owner by now is passed over. So
//! whoever looks through `held` under the lock sees all that the thread owes, as of that moment or later.

use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use libkernel::memory::Room;

use abi::Errno;
use libkernel::thread::Thread;
use sync::{Once, Published, SpinLock, TaskContext, order};

use super::table::Home;
use super::waiter::Waiter;

/// Who has a number, if anybody.
pub type Population = fn(&mut TaskContext, i32) -> Option<Arc<Owner>>;

/// A thread that may own words.
pub struct Owner {
    number: Published<i32>,
    thread: Once<Weak<Thread>>,
    waiter: Once<Arc<Waiter>>,
    /// What it owns and waits for. Taken before the bucket of any of these words.
    pub holdings: SpinLock<Holdings, order::FutexOwner>,
}

/// What a thread owns and waits for.
pub struct Holdings {
    /// Locks that somebody waits for.
    pub held: Vec<Home>,
    /// What it is to be handed a lock by.
    pub waits: Option<Arc<Waiter>>,
    /// It has ended: it gets no more locks.
    pub gone: bool,
}

impl Owner {
    /// A thread with this number.
    pub fn new(number: i32) -> Arc<Self> {
        let holdings = Holdings { held: Vec::new(), waits: None, gone: false };
        Arc::new(Self {
            number: Published::<i32>::new(number),
            thread: Once::new(),
            waiter: Once::new(),
            holdings: SpinLock::new(holdings),
        })
    }

    /// Names the thread.
    pub fn attach(&self, thread: &Arc<Thread>) {
        assert!(self.thread.set(Arc::downgrade(thread)).is_ok(), "a lock's owner has two threads");
    }

    /// The thread, while it lives.
    pub fn thread(&self) -> Option<Arc<Thread>> {
        self.thread.get().and_then(Weak::upgrade)
    }

    /// The waiter that the thread itself waits with, for words that are no locks.
    pub fn waiter(&self) -> &Arc<Waiter> {
        loop {
            if let Some(waiter) = self.waiter.get() {
                return waiter;
            }
            let _only_the_thread_itself_sets_it = self.waiter.set(Waiter::new());
        }
    }

    /// Its number, as it stands in words.
    pub fn number(&self) -> u32 {
        self.number.load().cast_unsigned()
    }

    /// It has another number from now on.
    pub fn renumber(&self, number: i32) {
        self.number.store(number);
    }

    /// It is going to wait for a lock. There is room for that lock among those that it owns.
    pub fn begin_wait(&self, cx: &TaskContext, waiter: &Arc<Waiter>) -> Result<(), Errno> {
        let mut holdings = self.holdings.lock(cx);
        holdings.make_room()?;
        holdings.waits = Some(waiter.clone());
        Ok(())
    }

    /// It waits no more.
    pub fn end_wait(&self, cx: &TaskContext) {
        let waiter = self.holdings.lock(cx).waits.take();
        drop(waiter);
    }
}

impl Holdings {
    /// Room for one more lock, and for the one that the thread may be waiting for.
    pub fn make_room(&mut self) -> Result<(), Errno> {
        self.held.try_room(2).map_err(|_| Errno::ENOMEM)
    }
}
