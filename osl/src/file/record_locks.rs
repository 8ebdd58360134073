//! Record locks: `fcntl` with `F_SETLK` or `F_OFD_SETLK`.
//!
//! Invariant: no byte of a file is locked by two owners unless both only read. An owner is a descriptor table, so closing any
//! descriptor of the file gives all its locks back; or an opening, until that is closed. Whoever waits has been asked, in the same step
//! in which it began, whether those that it waits for wait for it.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use libkernel::memory::Room;

use abi::Errno;
use libkernel::wait::WaitQueue;
use sync::{IrqOff, Published, SpinLock, TaskContext, order};

use super::open_file::OpenFile;
use crate::error::restarting;
use crate::fs::Identity;

/// Whose a lock is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockOwner {
    /// A process's: its descriptor table.
    Files(u64),
    /// An opening's, whoever has descriptors of it.
    Opening(usize),
}

impl LockOwner {
    /// This opening.
    pub fn of(open: &OpenFile) -> Self {
        Self::Opening(core::ptr::from_ref(open).addr())
    }
}

/// One locked range of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordLock {
    /// Who has it.
    pub owner: LockOwner,
    /// The process that `F_GETLK` names; -1 for an opening.
    pub process: i32,
    /// Whether others may not even read.
    pub exclusive: bool,
    /// The first byte.
    pub start: u64,
    /// After the last byte.
    pub end: u64,
}

impl RecordLock {
    fn overlaps(&self, other: &Self) -> bool {
        self.start < other.end && other.start < self.end
    }

    fn conflicts(&self, other: &Self) -> bool {
        self.owner != other.owner && self.overlaps(other) && (self.exclusive || other.exclusive)
    }
}

/// The locks of one file; pure.
#[derive(Clone, Debug, Default)]
struct Locks(Vec<RecordLock>);

impl Locks {
    fn conflict(&self, wanted: &RecordLock) -> Option<RecordLock> {
        self.0.iter().find(|held| held.conflicts(wanted)).copied()
    }

    /// Takes the range out of what the owner holds.
    fn release(&mut self, range: &RecordLock) {
        let mut kept = Vec::with_capacity(self.0.len() + 1);
        for held in self.0.drain(..) {
            if held.owner != range.owner || !held.overlaps(range) {
                kept.push(held);
                continue;
            }
            if held.start < range.start {
                kept.push(RecordLock { end: range.start, ..held });
            }
            if held.end > range.end {
                kept.push(RecordLock { start: range.end, ..held });
            }
        }
        self.0 = kept;
    }

    fn set(&mut self, wanted: RecordLock) -> bool {
        if self.conflict(&wanted).is_some() {
            return false;
        }
        self.release(&wanted);
        self.0.push(wanted);
        true
    }
}

/// A descriptor table that waits for a lock, and for which.
struct Waiting {
    file: Identity,
    wanted: RecordLock,
}

/// So many owners are looked at, one behind the other, for one that waits for the first: as many as Linux looks at.
const LONGEST_CHAIN: usize = 11;

struct Table {
    files: BTreeMap<Identity, Locks>,
    /// The latest last.
    waiting: Vec<Waiting>,
}

static TABLE: SpinLock<Table, order::RecordLocks> = SpinLock::new(Table { files: BTreeMap::new(), waiting: Vec::new() });
/// How many files have locks: a close looks further only when there are any.
static FILES: Published<u64> = Published::<u64>::new(0);
static RELEASED: WaitQueue = WaitQueue::named("a record lock");

impl Table {
    fn change<R>(&mut self, file: Identity, change: impl FnOnce(&mut Locks) -> R) -> R {
        let locks = self.files.entry(file).or_default();
        let answer = change(locks);
        if locks.0.is_empty() {
            self.files.remove(&file);
        }
        FILES.store(self.files.len() as u64);
        answer
    }

    /// Takes the lock, or notes that it is waited for. An opening is nobody's in particular: it closes no circle, as on Linux.
    fn take_or_wait(&mut self, file: Identity, wanted: RecordLock) -> Option<Result<(), Errno>> {
        self.stop_waiting(file, &wanted);
        if self.change(file, |locks| locks.set(wanted)) {
            return Some(Ok(()));
        }
        if let LockOwner::Opening(_) = wanted.owner {
            return None;
        }
        if self.closes_circle(file, &wanted) {
            return Some(Err(Errno::EDEADLK));
        }
        if self.waiting.try_room(1).is_err() {
            return Some(Err(Errno::ENOLCK));
        }
        self.waiting.push(Waiting { file, wanted });
        None
    }

    fn stop_waiting(&mut self, file: Identity, wanted: &RecordLock) {
        if let Some(place) = self.waiting.iter().position(|waiting| waiting.file == file && waiting.wanted == *wanted) {
            self.waiting.remove(place);
        }
    }

    /// Whether those who keep `wanted` from its owner wait, one for the other, for that owner.
    fn closes_circle(&self, file: Identity, wanted: &RecordLock) -> bool {
        let mut blocker = self.blocker(file, wanted);
        for _ in 0..LONGEST_CHAIN {
            let Some(owner) = blocker else { return false };
            // What it waited for may have become free: then it goes on before long.
            let waits = self.waiting.iter().rev().filter(|waiting| waiting.wanted.owner == owner);
            blocker = waits.filter_map(|waiting| self.blocker(waiting.file, &waiting.wanted)).next();
            if blocker == Some(wanted.owner) {
                return true;
            }
        }
        false
    }

    fn blocker(&self, file: Identity, wanted: &RecordLock) -> Option<LockOwner> {
        self.files.get(&file)?.conflict(wanted).map(|held| held.owner)
    }
}

/// The lock that stands in the way of `wanted`, if any.
pub fn conflict(cx: &TaskContext, file: Identity, wanted: &RecordLock) -> Option<RecordLock> {
    TABLE.lock(cx).files.get(&file)?.conflict(wanted)
}

/// A lock that the owner of `range` has there, if any.
pub fn own(cx: &TaskContext, file: Identity, range: &RecordLock) -> Option<RecordLock> {
    let table = TABLE.lock(cx);
    let held = &table.files.get(&file)?.0;
    held.iter().find(|held| held.owner == range.owner && held.overlaps(range)).copied()
}

/// Locks a range; `EAGAIN` when it is taken, unless `wait`; `EDEADLK` when that wait would not end.
pub fn set(cx: &mut TaskContext, file: Identity, wanted: RecordLock, wait: bool) -> Result<(), Errno> {
    if !wait {
        if !TABLE.lock(cx).change(file, |locks| locks.set(wanted)) {
            return Err(Errno::EAGAIN);
        }
        RELEASED.wake_all(cx);
        return Ok(());
    }
    let attempt = |cx: &mut TaskContext| TABLE.lock(cx).take_or_wait(file, wanted);
    let answer = RELEASED.wait_until_or_interrupted(cx, attempt).map_err(|error| {
        TABLE.lock(cx).stop_waiting(file, &wanted);
        restarting(error)
    });
    // A lock that was changed may let others in.
    RELEASED.wake_all(cx);
    answer?
}

/// Gives a range back.
pub fn release(cx: &TaskContext, file: Identity, range: &RecordLock) {
    TABLE.lock(cx).change(file, |locks| locks.release(range));
    RELEASED.wake_all(cx);
}

/// The same for an owner that ends, in a `Drop` that has no context.
pub fn owner_ended(file: Identity, owner: LockOwner) {
    if FILES.load() == 0 {
        return;
    }
    let mut table = TABLE.lock_without_context();
    table.change(file, |locks| locks.0.retain(|held| held.owner != owner));
    drop(table);
    RELEASED.wake_all(&IrqOff::new());
}

/// A descriptor of the file was closed: its table's locks on it are gone.
pub fn closed(cx: &TaskContext, file: Identity, owner: LockOwner) {
    if FILES.load() != 0 {
        release(cx, file, &RecordLock { owner, process: 0, exclusive: false, start: 0, end: u64::MAX });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock(owner: u64, exclusive: bool, start: u64, end: u64) -> RecordLock {
        RecordLock { owner: LockOwner::Files(owner), process: 1, exclusive, start, end }
    }

    #[test]
    fn readers_share_and_a_writer_excludes() {
        let mut locks = Locks::default();
        assert!(locks.set(lock(1, false, 0, 10)) && locks.set(lock(2, false, 5, 15)));
        assert!(!locks.set(lock(3, true, 9, 12)));
        assert!(locks.set(lock(3, true, 15, 20)));
    }

    #[test]
    fn unlocking_the_middle_leaves_both_sides() {
        let mut locks = Locks::default();
        assert!(locks.set(lock(1, true, 0, 30)));
        locks.release(&lock(1, false, 10, 20));
        assert!(locks.set(lock(2, true, 10, 20)));
        assert!(!locks.set(lock(2, true, 9, 10)) && !locks.set(lock(2, true, 20, 21)));
    }

    #[test]
    fn an_owner_may_change_its_own_lock() {
        let mut locks = Locks::default();
        assert!(locks.set(lock(1, true, 0, 10)) && locks.set(lock(1, false, 0, 10)));
        assert!(locks.set(lock(2, false, 0, 10)));
        assert!(!locks.set(lock(1, true, 0, 10)));
    }

    const FILE: Identity = Identity { file_system: 1, number: 1 };

    /// Owner `n` has byte `n` of one file.
    fn table(owners: u64) -> (Table, Identity) {
        let (mut table, file) = (Table { files: BTreeMap::new(), waiting: Vec::new() }, FILE);
        for owner in 0..owners {
            assert!(table.change(file, |locks| locks.set(lock(owner, true, owner, owner + 1))));
        }
        (table, file)
    }

    #[test]
    fn the_one_who_closes_a_circle_is_told() {
        let (mut table, file) = table(3);
        assert_eq!(table.take_or_wait(file, lock(0, true, 1, 2)), None);
        assert_eq!(table.take_or_wait(file, lock(1, true, 2, 3)), None);
        assert_eq!(table.take_or_wait(file, lock(2, true, 0, 1)), Some(Err(Errno::EDEADLK)));
        assert_eq!(table.waiting.len(), 2);
    }

    #[test]
    fn who_may_go_on_before_long_closes_no_circle() {
        let (mut table, file) = table(2);
        assert_eq!(table.take_or_wait(file, lock(0, true, 1, 2)), None);
        table.change(file, |locks| locks.release(&lock(1, true, 1, 2)));
        // The first has not looked again yet.
        assert_eq!(table.take_or_wait(file, lock(1, true, 0, 1)), None);
        assert_eq!(table.take_or_wait(file, lock(0, true, 1, 2)), Some(Ok(())));
    }

    #[test]
    fn openings_wait_for_each_other_without_being_told() {
        let (mut table, file) = (Table { files: BTreeMap::new(), waiting: Vec::new() }, FILE);
        let of = |owner, start| RecordLock { owner: LockOwner::Opening(owner), ..lock(0, true, start, start + 1) };
        assert!(table.change(file, |locks| locks.set(of(0, 0)) && locks.set(of(1, 1))));
        assert_eq!(table.take_or_wait(file, of(0, 1)), None);
        assert_eq!(table.take_or_wait(file, of(1, 0)), None);
        assert!(table.waiting.is_empty());
    }
}
