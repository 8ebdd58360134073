//! Who waits for a lock lends its owner its own rights to a CPU, along the whole chain of owners that wait themselves.
//!
//! Invariant: after every change of who waits for a lock or owns it, the owner's loan is counted anew under its own lock, from the
//! buckets as they are then; so the last to count has seen every change. Locks of two owners are never held at once.

use alloc::sync::Arc;

use libkernel::sched;
use libkernel::thread::{Scheduling, Thread};
use sync::TaskContext;

use super::bucket::{Waits, lock_of};
use super::lock::find;
use super::owner::{Holdings, Owner};
use super::table::Home;
use super::waiter::{Entry, Waiter};

/// Longer chains of owners that wait for owners are not followed.
const LONGEST_CHAIN: usize = 1024;

/// Counts anew what an owner is lent, and what follows from it for those that it waits for.
pub fn settle(cx: &TaskContext, owner: Arc<Owner>) {
    let mut next = Some(owner);
    for _ in 0..LONGEST_CHAIN {
        let Some(owner) = next else { return };
        if !relend(cx, &owner) {
            return;
        }
        next = step_forward(cx, &owner);
    }
}

/// A thread has other rights of its own now: its place among those that wait with it changes, and what it lends.
pub fn reweigh(cx: &TaskContext, owner: &Owner) {
    if let Some(next) = step_forward(cx, owner) {
        settle(cx, next);
    }
}

/// Whether `from` waits, over however many others, for `to`.
pub fn reaches(cx: &TaskContext, from: &Arc<Owner>, to: &Arc<Owner>) -> bool {
    let mut at = from.clone();
    for _ in 0..LONGEST_CHAIN {
        if Arc::ptr_eq(&at, to) {
            return true;
        }
        match waits_for(cx, &at, |_, _| ()) {
            Some(owner) => at = owner,
            None => return false,
        }
    }
    true
}

/// Lends an owner the strongest of what those have that wait for it. Did that change anything?
fn relend(cx: &TaskContext, owner: &Arc<Owner>) -> bool {
    let Some(thread) = owner.thread() else { return false };
    let mut strongest: Option<Scheduling> = None;
    let mut holdings = owner.holdings.lock(cx);
    let Holdings { held, .. } = &mut *holdings;
    held.retain(|home| {
        let of_lock = strongest_waiter(cx, home, owner, &thread);
        if let Some(Some(one)) = of_lock {
            strongest = Some(strongest.map_or(one, |other| other.stronger(one)));
        }
        of_lock.is_some()
    });
    let changed = sched::lend_standing(&holdings, &thread, strongest);
    drop(holdings);
    drop(thread);
    changed
}

/// `None` when the lock is not the owner's (any more). Reports of those who wait name the owner's thread.
fn strongest_waiter(cx: &TaskContext, home: &Home, owner: &Arc<Owner>, thread: &Thread) -> Option<Option<Scheduling>> {
    let bucket = home.line()?.lock(cx);
    find(&bucket, home.key).filter(|lock| Arc::ptr_eq(&lock.owner, owner))?;
    bucket.waiting(home.key).for_each(|entry| entry.waiter.queue.set_holder(Some(thread)));
    let standing = |entry: &Entry| entry.waiter.claim.as_ref()?.owner.thread().map(|thread| thread.effective_scheduling());
    Some(bucket.waiting(home.key).filter_map(standing).reduce(Scheduling::stronger))
}

/// A waiting owner gets the place among waiters that is its due now; answers for whom it waits.
fn step_forward(cx: &TaskContext, owner: &Owner) -> Option<Arc<Owner>> {
    let priority = owner.thread().map_or(0, |thread| thread.effective_scheduling().priority);
    waits_for(cx, owner, |bucket, waiter| {
        if let Some(mut entry) = bucket.remove(waiter) {
            entry.priority = priority;
            bucket.insert(entry);
        }
    })
}

/// For whom a thread waits; `meanwhile` may rearrange the bucket.
fn waits_for(cx: &TaskContext, owner: &Owner, meanwhile: impl FnOnce(&mut super::waiter::Bucket, &Arc<Waiter>)) -> Option<Arc<Owner>> {
    let waiter = owner.holdings.lock(cx).waits.clone()?;
    let lock = &waiter.claim.as_ref()?.lock;
    let (_, mut bucket) = lock_of(cx, &*waiter, |place| lock.line_at(place))?;
    let waits_already =
        waiter.place().load() == lock.key.place() && bucket.waiting(lock.key).any(|entry| Arc::ptr_eq(&entry.waiter, &waiter));
    if !waits_already {
        return None;
    }
    meanwhile(&mut bucket, &waiter);
    find(&bucket, lock.key).map(|found| found.owner.clone())
}
