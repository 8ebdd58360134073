//! All threads, from their making to the last reference to them: for reports and checks.
//!
//! Invariant: a thread is in the shard of its number as long as anyone may have it. Numbers that follow each other are in
//! different shards, so CPUs that make and bury threads hardly ever meet.

use super::thread::Thread;
use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};
use core::ops::Bound;
use sync::{SpinLock, order};

const SHARDS: usize = 64;

type Shard = SpinLock<BTreeMap<u64, Weak<Thread>>, order::ThreadList>;

static ALL: [Shard; SHARDS] = [const { SpinLock::new(BTreeMap::new()) }; SHARDS];

const fn shard_of(id: u64) -> &'static Shard {
    &ALL[id as usize % SHARDS]
}

pub(super) fn enter(thread: &Arc<Thread>) {
    shard_of(thread.id()).lock_without_context().insert(thread.id(), Arc::downgrade(thread));
}

pub(super) fn leave(id: u64) {
    shard_of(id).lock_without_context().remove(&id);
}

/// The thread with this number, while it is there.
pub fn find(id: u64) -> Option<Arc<Thread>> {
    shard_of(id).lock_without_context().get(&id)?.upgrade()
}

/// The thread at this place in memory: only compared, never looked into.
pub(crate) fn find_at(place: *const ()) -> Option<Arc<Thread>> {
    all().find(|thread| Arc::as_ptr(thread).cast() == place)
}

/// Every thread that is there from the first step to the last, and perhaps some of the others. Locks are held for one step each.
pub fn all() -> impl Iterator<Item = Arc<Thread>> {
    ALL.iter().flat_map(|shard| {
        let mut last = Bound::Unbounded;
        core::iter::from_fn(move || {
            let shard = shard.lock_without_context();
            let next = shard.range((last, Bound::Unbounded)).find_map(|(_, thread)| thread.upgrade())?;
            last = Bound::Excluded(next.id());
            Some(next)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::thread::scheduling::Scheduling;
    use std::vec::Vec;

    #[test]
    fn a_thread_is_listed_until_its_last_reference_goes() {
        let threads: Vec<_> = (0..3 * SHARDS).map(|_| Thread::for_test("listed", Scheduling::NORMAL)).collect();
        let listed: Vec<u64> = all().map(|thread| thread.id()).collect();
        assert!(threads.iter().all(|thread| listed.iter().filter(|&&id| id == thread.id()).count() == 1));
        let id = threads[7].id();
        assert!(find(id).is_some());
        drop(threads);
        assert!(find(id).is_none() && all().all(|thread| thread.id() != id));
    }
}
