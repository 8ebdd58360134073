//! Record locks: `fcntl` with `F_SETLK`.
//!
//! Invariant: no byte of a file is locked by two owners unless both only read; an owner is a descriptor table, so closing any
//! descriptor of the file gives all its locks back.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use abi::Errno;
use libkernel::wait::WaitQueue;
use sync::{IrqOff, Published, SpinLock, TaskContext, order};

use crate::error::restarting;
use crate::fs::Identity;

/// One locked range of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordLock {
    /// Who has it.
    pub owner: usize,
    /// The process that `F_GETLK` names.
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

type Table = BTreeMap<Identity, Locks>;

static TABLE: SpinLock<Table, order::RecordLocks> = SpinLock::new(BTreeMap::new());
/// How many files have locks: a close looks further only when there are any.
static FILES: Published<u64> = Published::<u64>::new(0);
static RELEASED: WaitQueue = WaitQueue::named("a record lock");

fn with_locks<R>(cx: &TaskContext, file: Identity, change: impl FnOnce(&mut Locks) -> R) -> R {
    let mut table = TABLE.lock(cx);
    let locks = table.entry(file).or_default();
    let answer = change(locks);
    if locks.0.is_empty() {
        table.remove(&file);
    }
    FILES.store(table.len() as u64);
    answer
}

/// The lock that stands in the way of `wanted`, if any.
pub fn conflict(cx: &TaskContext, file: Identity, wanted: &RecordLock) -> Option<RecordLock> {
    TABLE.lock(cx).get(&file)?.conflict(wanted)
}

/// Locks a range; `EAGAIN` when it is taken, unless `wait`.
pub fn set(cx: &mut TaskContext, file: Identity, wanted: RecordLock, wait: bool) -> Result<(), Errno> {
    if with_locks(cx, file, |locks| locks.set(wanted)) {
        RELEASED.wake_all(cx);
        return Ok(());
    }
    if !wait {
        return Err(Errno::EAGAIN);
    }
    let attempt = |cx: &mut TaskContext| with_locks(cx, file, |locks| locks.set(wanted)).then_some(());
    RELEASED.wait_until_or_interrupted(cx, attempt).map_err(restarting)
}

/// Gives a range back.
pub fn release(cx: &TaskContext, file: Identity, range: &RecordLock) {
    with_locks(cx, file, |locks| locks.release(range));
    RELEASED.wake_all(cx);
}

/// The same for an owner that ends, in a `Drop` that has no context.
pub fn owner_ended(file: Identity, owner: usize) {
    if FILES.load() == 0 {
        return;
    }
    let mut table = TABLE.lock_without_context();
    if let Some(locks) = table.get_mut(&file) {
        locks.0.retain(|held| held.owner != owner);
        if locks.0.is_empty() {
            table.remove(&file);
        }
    }
    FILES.store(table.len() as u64);
    drop(table);
    RELEASED.wake_all(&IrqOff::new());
}

/// A descriptor of the file was closed: its table's locks on it are gone.
pub fn closed(cx: &TaskContext, file: Identity, owner: usize) {
    if FILES.load() != 0 {
        release(cx, file, &RecordLock { owner, process: 0, exclusive: false, start: 0, end: u64::MAX });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock(owner: usize, exclusive: bool, start: u64, end: u64) -> RecordLock {
        RecordLock { owner, process: 1, exclusive, start, end }
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
}
