//! Words that are locks: taken, waited for with one's own rights lent to the owner, and handed over to the first in line.
//!
//! Invariant: a word that somebody waits for as a lock has one record in its bucket, which says who owns it; the word says the same, or
//! `is_unwritten` is set. Record and word are changed together under the bucket's lock, except by the heir of a dead owner, who writes
//! the word himself.

use alloc::sync::Arc;
use libkernel::memory::Room;

use abi::Errno;
use abi::constant::*;
use libkernel::KernelError;
use libkernel::address_space::{UserAddress, user};
use libkernel::thread::current;
use sync::TaskContext;
use sync::twin::{self, Twin};

use super::bucket::{self, Key};
use super::lend::{reaches, settle};
use super::owner::{Holdings, Owner, Population};
use super::table::{Home, Word, line_at};
use super::until::Until;
use super::waiter::{Bucket, Entry, Waiter};
use super::wake::ALL_BITS;
use crate::error::errno;

/// A word that is owned and waited for.
pub struct Lock {
    /// The word.
    pub key: Key,
    /// Who owns it.
    pub owner: Arc<Owner>,
    /// The owner has not written its number into the word yet.
    pub is_unwritten: bool,
}

/// What became of a look at a lock.
pub enum Claim {
    /// Nobody owns it.
    Free,
    /// It has an owner, who knows that it is waited for.
    Owned,
    /// Something changed meanwhile: look again.
    Again,
    /// The word's page is to be brought first.
    Away,
}

/// Who waits for what.
pub struct Attempt<'a> {
    /// Who.
    pub me: &'a Arc<Owner>,
    /// The word as the program names it.
    pub address: UserAddress,
    /// The word.
    pub home: &'a Home,
}

/// The record of a word.
pub fn find(bucket: &Bucket, key: Key) -> Option<&Lock> {
    bucket.locks.iter().find(|lock| lock.key == key)
}

/// Takes a lock; waits until it is handed over, unless `only_try`.
pub fn lock(
    cx: &mut TaskContext,
    me: &Arc<Owner>,
    (address, is_private): (UserAddress, bool),
    until: Until,
    only_try: bool,
    population: Population,
) -> Result<(), Errno> {
    let word = Word::at(cx, address, is_private)?;
    let home = Home::of(cx, word.key)?;
    let waiter = Waiter::claiming(me.clone(), home.clone());
    me.begin_wait(cx, &waiter)?;
    let attempt = Attempt { me, address, home: &home };
    let answer = match take(cx, &attempt, &waiter, only_try, population) {
        Ok(Some(owner)) => wait(cx, &attempt, &waiter, until, owner),
        Ok(None) => Ok(()),
        Err(error) => Err(error),
    };
    me.end_wait(cx);
    answer
}

/// Takes the lock, or gets in line for it and answers who owns it.
fn take(
    cx: &mut TaskContext,
    attempt: &Attempt<'_>,
    waiter: &Arc<Waiter>,
    only_try: bool,
    population: Population,
) -> Result<Option<Arc<Owner>>, Errno> {
    loop {
        let seen = user::load_u32(cx, attempt.address).map_err(errno)?;
        if seen & FUTEX_TID_MASK == attempt.me.number() {
            return Err(Errno::EDEADLK);
        }
        let owner = owner_of(cx, attempt.home, seen, population);
        match claim(cx, attempt, waiter, (owner.as_ref(), seen), only_try)? {
            Claim::Free => return Ok(None),
            Claim::Owned => return Ok(owner),
            Claim::Again => check_interruption(cx)?,
            Claim::Away => user::touch_u32(cx, attempt.address).map_err(errno)?,
        }
    }
}

/// Whoever looks again and again, because the program keeps changing the word, can still be called away.
pub fn check_interruption(cx: &TaskContext) -> Result<(), Errno> {
    if current::of(cx).is_interrupted() { Err(Errno::ERESTARTNOINTR) } else { Ok(()) }
}

/// Who owns a word that looks like this.
pub fn owner_of(cx: &mut TaskContext, home: &Home, seen: u32, population: Population) -> Option<Arc<Owner>> {
    let known = home.line().and_then(|line| find(&line.lock(cx), home.key).map(|lock| lock.owner.clone()));
    match seen & FUTEX_TID_MASK {
        _ if known.is_some() => known,
        0 => None,
        number => population(cx, number.cast_signed()),
    }
}

fn claim(
    cx: &TaskContext,
    attempt: &Attempt<'_>,
    waiter: &Arc<Waiter>,
    (owner, seen): (Option<&Arc<Owner>>, u32),
    only_try: bool,
) -> Result<Claim, Errno> {
    let key = attempt.home.key;
    let line = attempt.home.line().ok_or(Errno::EFAULT)?;
    let mut holdings = owner.map(|owner| owner.holdings.lock(cx));
    line.announce();
    let mut bucket = line.lock(cx);
    let found = attach(&mut bucket, holdings.as_deref_mut().zip(owner), attempt, seen);
    let found = match found {
        Ok(Claim::Free) => take_free(attempt, seen),
        Ok(Claim::Owned) if only_try => Err(Errno::EAGAIN),
        Ok(Claim::Owned) => bucket.make_room(1).map(|()| Claim::Owned).map_err(|_| Errno::ENOMEM),
        other => other,
    };
    if let Ok(Claim::Owned) = found {
        waiter.begin(key.place());
        let priority = current::of(cx).effective_scheduling().priority;
        bucket.insert(Entry::new(key, ALL_BITS, priority, waiter.clone()));
        return found;
    }
    let forgotten = forget_unwanted(&mut bucket, key);
    drop(bucket);
    drop(holdings);
    drop(forgotten);
    line.retract(1);
    found
}

/// Writes the taker's number into a word that nobody owns.
fn take_free(attempt: &Attempt<'_>, seen: u32) -> Result<Claim, Errno> {
    let new = seen & FUTEX_OWNER_DIED | attempt.me.number();
    Ok(match user::compare_exchange_u32_at_hand(attempt.address, seen, new) {
        Ok(found) if found == seen => Claim::Free,
        Ok(_) => Claim::Again,
        Err(_) => Claim::Away,
    })
}

/// Makes sure that the owner of a word knows that it is waited for. `holder`: who is thought to own it, with its holdings locked.
pub fn attach(bucket: &mut Bucket, holder: Option<(&mut Holdings, &Arc<Owner>)>, attempt: &Attempt<'_>, seen: u32) -> Result<Claim, Errno> {
    let key = attempt.home.key;
    let Ok(word) = user::load_u32_at_hand(attempt.address) else {
        return Ok(Claim::Away);
    };
    if word != seen {
        return Ok(Claim::Again);
    }
    let number = word & FUTEX_TID_MASK;
    if let Some(lock) = find(bucket, key) {
        if !holder.is_some_and(|(_, owner)| Arc::ptr_eq(owner, &lock.owner)) {
            return Ok(Claim::Again);
        }
        let is_dead = number == 0 && word & FUTEX_OWNER_DIED != 0;
        let fits = lock.is_unwritten || is_dead || number == lock.owner.number();
        return if fits { Ok(Claim::Owned) } else { Err(Errno::EINVAL) };
    }
    if bucket.waiting(key).next().is_some() {
        // Someone waits for the word as for one that is no lock.
        return Err(Errno::EINVAL);
    }
    if number == 0 {
        return Ok(Claim::Free);
    }
    let (holdings, owner) = holder.ok_or(Errno::ESRCH)?;
    if owner.number() != number {
        return Ok(Claim::Again);
    }
    // Its words were marked before it was marked itself: what still names it never will be.
    if holdings.gone && !twin::is(Twin::DeadGetWaiters) {
        return Err(Errno::ESRCH);
    }
    record(bucket, holdings, owner, attempt, word)
}

fn record(bucket: &mut Bucket, holdings: &mut Holdings, owner: &Arc<Owner>, attempt: &Attempt<'_>, word: u32) -> Result<Claim, Errno> {
    holdings.make_room()?;
    bucket.locks.try_room(1).map_err(|_| Errno::ENOMEM)?;
    match user::compare_exchange_u32_at_hand(attempt.address, word, word | FUTEX_WAITERS) {
        Ok(found) if found == word => {}
        Ok(_) => return Ok(Claim::Again),
        Err(_) => return Ok(Claim::Away),
    }
    bucket.locks.push(Lock { key: attempt.home.key, owner: owner.clone(), is_unwritten: false });
    holdings.held.push(attempt.home.clone());
    Ok(Claim::Owned)
}

/// Takes out the record of a lock that nobody waits for; to be dropped unlocked.
pub fn forget_unwanted(bucket: &mut Bucket, key: Key) -> Option<Lock> {
    if bucket.waiting(key).next().is_some() {
        return None;
    }
    let at = bucket.locks.iter().position(|lock| lock.key == key && !lock.is_unwritten)?;
    Some(bucket.locks.swap_remove(at))
}

fn wait(cx: &mut TaskContext, attempt: &Attempt<'_>, waiter: &Arc<Waiter>, until: Until, owner: Arc<Owner>) -> Result<(), Errno> {
    settle(cx, owner.clone());
    // Each looks after it is in line, so no circle is missed; all who close one at once may be told, as on Linux.
    if reaches(cx, &owner, attempt.me) && withdraw(cx, waiter).is_some() {
        return Err(Errno::EDEADLK);
    }
    drop(owner);
    match until.sleep(cx, &[&waiter.queue], || waiter.is_woken()) {
        Ok(()) => finish(cx, attempt, waiter),
        Err(_) if withdraw(cx, waiter).is_none() => finish(cx, attempt, waiter),
        Err(KernelError::TimedOut) => Err(Errno::ETIMEDOUT),
        Err(_) => Err(Errno::ERESTARTNOINTR),
    }
}

/// Takes a waiter out of the line, and its loan from the owner; answers for which word it waited. `None` when it was handed the lock.
pub fn withdraw(cx: &TaskContext, waiter: &Arc<Waiter>) -> Option<Key> {
    let (line, mut bucket) = bucket::lock_of(cx, &**waiter, |place| line_at(cx, place))?;
    let entry = bucket.remove(waiter)?;
    let owner = find(&bucket, entry.key).map(|lock| lock.owner.clone());
    let forgotten = forget_unwanted(&mut bucket, entry.key);
    drop(bucket);
    drop(forgotten);
    line.retract(1);
    if let Some(owner) = owner {
        settle(cx, owner);
    }
    Some(entry.key)
}

/// The lock was handed over. The heir of a dead owner writes its own number into the word.
pub fn finish(cx: &mut TaskContext, attempt: &Attempt<'_>, waiter: &Waiter) -> Result<(), Errno> {
    if !waiter.claim.as_ref().is_some_and(|claim| claim.inherited.is_set()) {
        return Ok(());
    }
    let written = write_heir(cx, attempt);
    if let Some(line) = attempt.home.line() {
        let mut bucket = line.lock(cx);
        if let Some(lock) = bucket.locks.iter_mut().find(|lock| lock.key == attempt.home.key) {
            lock.is_unwritten = false;
        }
        let forgotten = forget_unwanted(&mut bucket, attempt.home.key);
        drop(bucket);
        drop(forgotten);
    }
    written
}

fn write_heir(cx: &mut TaskContext, attempt: &Attempt<'_>) -> Result<(), Errno> {
    let new = attempt.me.number() | FUTEX_WAITERS | FUTEX_OWNER_DIED;
    let mut old = user::load_u32(cx, attempt.address).map_err(errno)?;
    while let Err(found) = user::compare_exchange_u32(cx, attempt.address, old, new).map_err(errno)? {
        old = found;
    }
    Ok(())
}
