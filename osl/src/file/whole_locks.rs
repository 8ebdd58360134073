//! Locks on whole files: `flock`.
//!
//! Invariant: the owner is an opening, so duplicates of a descriptor share the lock and the last close gives it back.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use abi::Errno;
use libkernel::wait::WaitQueue;
use sync::{IrqOff, Published, SpinLock, TaskContext, order};

use super::open_file::OpenFile;
use crate::error::restarting;
use crate::fs::Identity;

/// The opening that has a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner(usize);

impl Owner {
    /// This opening.
    pub fn of(open: &OpenFile) -> Self {
        Self(core::ptr::from_ref(open).addr())
    }
}

struct Held {
    owner: Owner,
    exclusive: bool,
}

type Table = BTreeMap<Identity, Vec<Held>>;

static TABLE: SpinLock<Table, order::RecordLocks> = SpinLock::new(BTreeMap::new());
static FILES: Published<u64> = Published::<u64>::new(0);
static RELEASED: WaitQueue = WaitQueue::named("a file lock");

fn attempt(cx: &TaskContext, file: Identity, owner: Owner, exclusive: bool) -> bool {
    let mut table = TABLE.lock(cx);
    let held = table.entry(file).or_default();
    held.retain(|lock| lock.owner != owner);
    let is_free = held.iter().all(|lock| !lock.exclusive && !exclusive);
    if is_free {
        held.push(Held { owner, exclusive });
    }
    FILES.store(table.len() as u64);
    is_free
}

/// Locks the file for this opening; a lock that it has is given back first, as Linux does.
pub fn set(cx: &mut TaskContext, file: Identity, owner: Owner, exclusive: bool, wait: bool) -> Result<(), Errno> {
    let done = attempt(cx, file, owner, exclusive);
    RELEASED.wake_all(cx);
    if done {
        return Ok(());
    }
    if !wait {
        return Err(Errno::EAGAIN);
    }
    RELEASED.wait_until_or_interrupted(cx, |cx| attempt(cx, file, owner, exclusive).then_some(())).map_err(restarting)
}

/// Gives the opening's lock back, if it has one.
pub fn release(file: Identity, owner: Owner) {
    if FILES.load() == 0 {
        return;
    }
    let mut table = TABLE.lock_without_context();
    if let Some(held) = table.get_mut(&file) {
        held.retain(|lock| lock.owner != owner);
        if held.is_empty() {
            table.remove(&file);
        }
    }
    FILES.store(table.len() as u64);
    drop(table);
    RELEASED.wake_all(&IrqOff::new());
}
