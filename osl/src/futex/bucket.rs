//! A bucket: who waits for the words that fall into it, and the two sides that meet there.
//!
//! ```text
//! waiter                                          waker
//! announced += 1; fence                           write the word
//! lock { word is still as expected: in, else out }    fence; announced == 0: nobody to wake
//! sleep until woken                               lock { out, woken }; call them
//! ```
//!
//! Invariant: a waiter that has not been woken is in exactly one bucket, the one that its `place` names; both change together, under the
//! locks of the buckets concerned. Whoever takes it out sets `woken` under that lock, and calls it after. `announced` counts at least
//! those in the bucket, so a waker that finds it 0 after its fence comes before any waiter's look at the word.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use libkernel::memory::Room;

use arrayvec::ArrayVec;
use sync::twin::{self, Twin};
use sync::{Flag, Published, SpinGuard, SpinLock, TaskContext, fence_full, order};

/// How many are taken out between two calls to them.
const BATCH: usize = 16;

/// Which word: of which shared contents (0: of the address space that the bucket belongs to), and where in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// The identity of the shared contents, or 0.
    pub memory: usize,
    /// Where in it, or the address.
    pub offset: u64,
}

/// What a bucket must know of who waits in it.
pub trait Waits {
    /// What a bucket also keeps for words that are locks.
    type Lock;

    /// Which bucket it is in.
    fn place(&self) -> &Published<usize>;
    /// Set when it was woken; it is in no bucket any more.
    fn woken(&self) -> &Flag;
    /// It is to be handed a lock, so no plain wake is for it.
    fn is_for_lock(&self) -> bool;
    /// It is to be handed this lock.
    fn claims(&self, lock: Key) -> bool;
}

/// A waiter's place in a bucket.
pub struct Entry<W> {
    /// The word it waits for.
    pub key: Key,
    /// Which wakes concern it.
    pub bits: u32,
    /// The higher is woken first; among equals, who has waited longest.
    pub priority: u8,
    /// The waiter.
    pub waiter: Arc<W>,
    arrival: u64,
}

/// Waiters, the first to be woken in front.
pub struct Bucket<W: Waits> {
    entries: VecDeque<Entry<W>>,
    arrivals: u64,
    /// The words that are locks and have an owner and waiters.
    pub locks: Vec<W::Lock>,
}

/// A bucket, its lock, and how many may be in it.
#[repr(align(64))]
pub struct Line<W: Waits> {
    announced: Published<u32>,
    bucket: SpinLock<Bucket<W>, order::Futex>,
}

/// A bucket, locked.
pub type Guard<'a, W> = SpinGuard<'a, Bucket<W>, order::Futex>;
/// Waiters that were woken and are to be called.
pub type Batch<W> = ArrayVec<Arc<W>, BATCH>;

/// Which waiters move.
#[derive(Clone, Copy, Debug)]
pub struct Move {
    /// The word they wait for.
    pub from: Key,
    /// The word they wait for then.
    pub to: Key,
    /// As many at most.
    pub limit: usize,
    /// Those who arrived before this.
    pub end: u64,
    /// The other word is a lock, which they are to be handed.
    pub to_lock: bool,
}

/// Why a wake or a move was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// One of the waiters is to be handed a lock, or not this lock.
    ForLock,
    /// There is no memory for those that would move.
    NoMemory,
}

impl<W> Entry<W> {
    /// A place that is in no bucket yet.
    pub fn new(key: Key, bits: u32, priority: u8, waiter: Arc<W>) -> Self {
        Self { key, bits, priority, waiter, arrival: 0 }
    }
}

impl<W: Waits> Default for Line<W> {
    fn default() -> Self {
        Self::new()
    }
}

impl<W: Waits> Line<W> {
    sync::const_unless_loom! {
        /// Nobody waits.
        pub const fn new() -> Self {
            let bucket = Bucket { entries: VecDeque::new(), arrivals: 0, locks: Vec::new() };
            Self { announced: Published::<u32>::new(0), bucket: SpinLock::new(bucket) }
        }
    }

    /// Whether a wake has anybody to look for. Asked after the word was written, with a full fence in between.
    pub fn may_have_waiters(&self) -> bool {
        self.announced.load() != 0
    }

    /// The bucket.
    pub fn lock<'a>(&'a self, cx: &'a TaskContext) -> Guard<'a, W> {
        self.bucket.lock(cx)
    }

    /// Someone is about to enter; from here on no wake passes the bucket by. Every way in begins so.
    pub fn announce(&self) {
        self.announced.fetch_add(1);
        fence_full();
    }

    /// So many have left the bucket, or will not enter.
    pub fn retract(&self, count: usize) {
        self.announced.fetch_sub(u32::try_from(count).unwrap_or(u32::MAX));
    }

    /// Waiters of another bucket come into this one, locked as `bucket`, whose place is `place`: counted here before it is unlocked, as a
    /// wake may take some of them, and their count, at once. The caller retracts them where they came from.
    pub fn receive(&self, from: &mut Bucket<W>, bucket: &mut Bucket<W>, place: usize, order: Move) -> (usize, Result<(), Refused>) {
        let (moved, answer) = from.carry(bucket, place, order);
        if !twin::is(Twin::MovedCountedLate) {
            self.announced.fetch_add(u32::try_from(moved).unwrap_or(u32::MAX));
        }
        (moved, answer)
    }

    /// Enters if `check`, asked under the lock, has nothing against it: comparing the word and queueing are one step to every waker.
    pub fn enter<E>(&self, cx: &TaskContext, entry: Entry<W>, full: E, check: impl Fn() -> Result<(), E>) -> Result<(), E> {
        self.announce();
        let early = twin::is(Twin::WordComparedUnlocked).then(&check);
        let mut bucket = self.lock(cx);
        let entered = early.unwrap_or_else(check).and_then(|()| bucket.make_room(1).map_err(|_| full));
        let refused = match entered {
            Ok(()) => {
                bucket.insert(entry);
                return Ok(());
            }
            Err(error) => error,
        };
        drop(bucket);
        self.retract(1);
        Err(refused)
    }

    /// Wakes up to `limit` of those that wait now for a word and whom one of `bits` concerns; `call` calls them, unlocked.
    pub fn wake(&self, cx: &TaskContext, (key, bits): (Key, u32), limit: usize, mut call: impl FnMut(Batch<W>)) -> Result<usize, Refused> {
        let (mut woken, mut end) = (0, None);
        loop {
            let mut batch = Batch::new();
            let mut bucket = self.lock(cx);
            let end = *end.get_or_insert(bucket.arrivals);
            let taken = bucket.take((key, bits), limit - woken, end, &mut batch);
            drop(bucket);
            self.retract(batch.len());
            woken += batch.len();
            let again = batch.is_full() && woken < limit;
            call(batch);
            taken?;
            if !again {
                return Ok(woken);
            }
        }
    }
}

impl<W: Waits> Bucket<W> {
    /// Who arrived before this number is here now.
    pub fn end(&self) -> u64 {
        self.arrivals
    }

    /// Room for so many more.
    pub fn make_room(&mut self, count: usize) -> Result<(), Refused> {
        self.entries.try_room(count).map_err(|_| Refused::NoMemory)
    }

    /// Puts a waiter behind those of its priority. There is room.
    pub fn insert(&mut self, mut entry: Entry<W>) {
        entry.arrival = self.arrivals;
        self.arrivals += 1;
        let at = self.entries.partition_point(|other| other.priority >= entry.priority);
        self.entries.insert(at, entry);
    }

    /// Those that wait for a word, the first to be woken first.
    pub fn waiting(&self, key: Key) -> impl Iterator<Item = &Entry<W>> {
        self.entries.iter().filter(move |entry| entry.key == key)
    }

    /// Takes a waiter out.
    pub fn remove(&mut self, waiter: &Arc<W>) -> Option<Entry<W>> {
        let at = self.entries.iter().position(|entry| Arc::ptr_eq(&entry.waiter, waiter))?;
        self.entries.remove(at)
    }

    /// Takes a waiter out for good: it is woken.
    pub fn remove_woken(&mut self, waiter: &Arc<W>) -> Option<Entry<W>> {
        let entry = self.remove(waiter)?;
        entry.waiter.woken().set();
        Some(entry)
    }

    /// Takes out, woken, up to `limit` that arrived before `end`, as many as the batch has room for.
    pub fn take(&mut self, (key, bits): (Key, u32), limit: usize, end: u64, batch: &mut Batch<W>) -> Result<(), Refused> {
        let (mut at, limit) = (0, limit.saturating_add(batch.len()));
        while batch.len() < limit && !batch.is_full() {
            let Some(entry) = self.entries.get(at) else { break };
            if entry.key != key || entry.arrival >= end {
                at += 1;
            } else if entry.waiter.is_for_lock() {
                return Err(Refused::ForLock);
            } else if entry.bits & bits == 0 {
                at += 1;
            } else if let Some(entry) = self.entries.remove(at) {
                entry.waiter.woken().set();
                batch.push(entry.waiter);
            }
        }
        Ok(())
    }

    /// Waiters of one word that wait for another of the same bucket from now on, behind those that wait for it already. Answers how
    /// many, and why no more.
    pub fn rename(&mut self, order: Move) -> (usize, Result<(), Refused>) {
        let mut moved = 0;
        while moved < order.limit {
            match self.take_first(&order) {
                Ok(Some(mut entry)) => {
                    entry.key = order.to;
                    self.insert(entry);
                    moved += 1;
                }
                answer => return (moved, answer.map(drop)),
            }
        }
        (moved, Ok(()))
    }

    /// Waiters that go to another bucket, whose place is `place`. Without memory for them all none goes.
    fn carry(&mut self, target: &mut Self, place: usize, order: Move) -> (usize, Result<(), Refused>) {
        if let Err(refused) = target.make_room(self.waiting(order.from).take(order.limit).count()) {
            return (0, Err(refused));
        }
        let mut moved = 0;
        while moved < order.limit {
            match self.take_first(&order) {
                Ok(Some(mut entry)) => {
                    entry.key = order.to;
                    entry.waiter.place().store(place);
                    target.insert(entry);
                    moved += 1;
                }
                answer => return (moved, answer.map(drop)),
            }
        }
        (moved, Ok(()))
    }

    fn take_first(&mut self, order: &Move) -> Result<Option<Entry<W>>, Refused> {
        let found = self.entries.iter().position(|entry| entry.key == order.from && entry.arrival < order.end);
        let waiter = found.and_then(|at| self.entries.get(at)).map(|entry| &entry.waiter);
        let suits = |waiter: &Arc<W>| if order.to_lock { waiter.claims(order.to) } else { !waiter.is_for_lock() };
        if waiter.is_some_and(|waiter| !suits(waiter)) {
            return Err(Refused::ForLock);
        }
        Ok(found.and_then(|at| self.entries.remove(at)))
    }
}

/// The bucket that a waiter is in, locked; `None` when it was woken. `line` knows the places.
pub fn lock_of<'a, W: Waits>(
    cx: &'a TaskContext,
    waiter: &W,
    line: impl Fn(usize) -> Option<&'a Line<W>>,
) -> Option<(&'a Line<W>, Guard<'a, W>)> {
    loop {
        let place = waiter.place().load();
        let line = line(place)?;
        let bucket = line.lock(cx);
        if waiter.woken().is_set() {
            return None;
        }
        if waiter.place().load() == place || twin::is(Twin::MovedNotFollowed) {
            return Some((line, bucket));
        }
    }
}

/// Two different buckets, locked in the one order that everybody keeps.
pub fn lock_two<'a, W: Waits>(cx: &'a TaskContext, one: &'a Line<W>, other: &'a Line<W>) -> (Guard<'a, W>, Guard<'a, W>) {
    sync::lock_pair(&one.bucket, &other.bucket, cx)
}

#[cfg(test)]
#[path = "bucket_tests.rs"]
mod tests;
