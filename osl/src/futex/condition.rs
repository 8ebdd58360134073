//! Waiting for a word and owning a lock when woken: what condition variables with a lending lock are made of.
//!
//! Invariant: such a waiter names its lock when it begins to wait, and is moved to no other; it is woken only by being handed the lock.

use alloc::sync::Arc;

use abi::Errno;
use abi::constant::*;
use libkernel::KernelError;
use libkernel::address_space::{UserAddress, user};
use sync::TaskContext;

use super::bucket::{Move, Waits};
use super::lend::{reaches, settle};
use super::lock::{Attempt, Claim, attach, check_interruption, finish, forget_unwanted, owner_of, withdraw};
use super::owner::{Owner, Population};
use super::table::{Home, Word, line_to_wait};
use super::until::Until;
use super::wait::{Wish, call, enter};
use super::waiter::Waiter;
use super::wake::{Held, Two, lock_both, refused, words};
use crate::error::errno;

/// Sleeps while the word has its value, and owns the lock at `lock` when it returns.
pub fn wait(cx: &mut TaskContext, me: &Arc<Owner>, wish: Wish, until: Until, lock: UserAddress) -> Result<(), Errno> {
    if wish.bits == 0 || wish.address == lock {
        return Err(Errno::EINVAL);
    }
    let (word, target) = (Word::at(cx, wish.address, wish.is_private)?, Word::at(cx, lock, wish.is_private)?);
    if word.key == target.key {
        return Err(Errno::EINVAL);
    }
    let home = Home::of(cx, target.key)?;
    let waiter = Waiter::claiming(me.clone(), home.clone());
    me.begin_wait(cx, &waiter)?;
    let answer = enter(cx, &word, wish, &waiter).and_then(|()| {
        let attempt = Attempt { me, address: lock, home: &home };
        match until.sleep(cx, &[&waiter.queue], || waiter.is_woken()) {
            Ok(()) => finish(cx, &attempt, &waiter),
            Err(error) => match (withdraw(cx, &waiter), error) {
                (None, _) => finish(cx, &attempt, &waiter),
                (Some(_), KernelError::TimedOut) => Err(Errno::ETIMEDOUT),
                // In line for the lock already, the call cannot begin anew.
                (Some(key), _) if key == home.key => Err(Errno::EAGAIN),
                (Some(_), _) => Err(Errno::ERESTARTNOINTR),
            },
        }
    });
    me.end_wait(cx);
    answer
}

/// What one look at the two words did.
enum Step {
    /// This one is in line for the lock, or nobody is left to move.
    Moved(Option<Arc<Waiter>>),
    /// This one owns the lock, which was free.
    Handed(Arc<Waiter>),
    /// Look again.
    Again,
    /// A word's page is to be brought first.
    Away,
}

/// Hands the lock to the first waiter if it is free, and puts the others in line for it; answers how many of both.
pub fn requeue(cx: &mut TaskContext, two: Two, expected: u32, population: Population) -> Result<usize, Errno> {
    let [(address, _), (lock, _)] = two.words;
    let [from, to] = words(cx, two)?;
    if two.woken != 1 || from.key == to.key {
        return Err(Errno::EINVAL);
    }
    let home = Home::of(cx, to.key)?;
    let (limit, mut done, mut end) = (two.second.saturating_add(1), 0, None);
    while done < limit {
        let seen = user::load_u32(cx, lock).map_err(errno)?;
        let owner = owner_of(cx, &home, seen, population);
        let compare = (done == 0).then_some((address, expected));
        match step(cx, (&from, &home, lock), (owner.as_ref(), seen), compare, (limit - done, &mut end))? {
            Step::Moved(None) => break,
            Step::Moved(Some(waiter)) => {
                if let Some(owner) = owner {
                    stay_in_line(cx, (&from, &home), owner, &waiter)?;
                }
                done += 1;
            }
            Step::Handed(waiter) => {
                call(cx, [waiter]);
                done += 1;
            }
            Step::Again => check_interruption(cx)?,
            Step::Away => {
                user::load_u32(cx, address).map_err(errno)?;
                user::touch_u32(cx, lock).map_err(errno)?;
            }
        }
    }
    Ok(done)
}

/// Whoever is in line now lends to the owner; unless that owner waits for him, over however many others: then he goes back, and it is
/// as if nobody had moved him. Looked at after he is in line, as by whoever else makes a part of that circle.
fn stay_in_line(cx: &TaskContext, (from, home): (&Word, &Home), owner: Arc<Owner>, waiter: &Arc<Waiter>) -> Result<(), Errno> {
    let is_circle = waiter.claim.as_ref().is_some_and(|claim| reaches(cx, &owner, &claim.owner));
    let answer = if is_circle && go_back(cx, (from, home), waiter)? { Err(Errno::EDEADLK) } else { Ok(()) };
    settle(cx, owner);
    answer
}

/// False when he was handed the lock meanwhile, or gave up.
fn go_back(cx: &TaskContext, (from, home): (&Word, &Home), waiter: &Arc<Waiter>) -> Result<bool, Errno> {
    let (source, target) = (line_to_wait(cx, from.key.place())?, home.line().ok_or(Errno::EFAULT)?);
    source.announce();
    let mut held = lock_both(cx, source, target);
    let (Held::One(first) | Held::Two(first, _)) = &mut held;
    let room = first.make_room(1);
    let (Held::One(there) | Held::Two(_, there)) = &mut held;
    let entry = if room.is_ok() { there.remove(waiter) } else { None };
    let is_back = entry.is_some();
    let forgotten = forget_unwanted(there, home.key);
    let (Held::One(first) | Held::Two(first, _)) = &mut held;
    if let Some(mut entry) = entry {
        entry.key = from.key;
        entry.waiter.place().store(from.key.place());
        first.insert(entry);
    }
    drop(held);
    drop(forgotten);
    (if is_back { target } else { source }).retract(1);
    room.map_err(refused)?;
    Ok(is_back)
}

fn step(
    cx: &TaskContext,
    (from, home, address): (&Word, &Home, UserAddress),
    (owner, seen): (Option<&Arc<Owner>>, u32),
    compare: Option<(UserAddress, u32)>,
    bounds: (usize, &mut Option<u64>),
) -> Result<Step, Errno> {
    let (source, target) = (line_to_wait(cx, from.key.place())?, home.line().ok_or(Errno::EFAULT)?);
    let mut holdings = owner.map(|owner| owner.holdings.lock(cx));
    target.announce();
    let mut held = lock_both(cx, source, target);
    let differs = compare.map_or(Ok(false), |(word, expected)| user::load_u32_at_hand(word).map(|found| found != expected));
    let holder = holdings.as_deref_mut().zip(owner);
    let step = match differs {
        Ok(false) => change(&mut held, holder, (from, home, address), seen, bounds),
        Ok(true) => Err(Errno::EAGAIN),
        Err(_) => Ok(Step::Away),
    };
    let forgotten = match &mut held {
        Held::One(both) => forget_unwanted(both, home.key),
        Held::Two(_, there) => forget_unwanted(there, home.key),
    };
    drop(held);
    drop(holdings);
    drop(forgotten);
    match &step {
        Ok(Step::Handed(_)) => source.retract(1),
        Ok(Step::Moved(Some(_))) if !core::ptr::eq(source, target) => source.retract(1),
        _ => {}
    }
    target.retract(1);
    step
}

fn change(
    held: &mut Held<'_>,
    holder: Option<(&mut super::owner::Holdings, &Arc<Owner>)>,
    (from, home, address): (&Word, &Home, UserAddress),
    seen: u32,
    (limit, end): (usize, &mut Option<u64>),
) -> Result<Step, Errno> {
    let source = match held {
        Held::One(both) => both,
        Held::Two(source, _) => source,
    };
    // Who comes after the call began is not moved, so the call ends.
    let end = *end.get_or_insert(source.end());
    let Some(first) = source.waiting(from.key).next().map(|entry| entry.waiter.clone()) else {
        return Ok(Step::Moved(None));
    };
    let Some(claim) = first.claim.as_ref().filter(|_| first.claims(home.key)) else {
        return Err(Errno::EINVAL);
    };
    if seen & FUTEX_TID_MASK == claim.owner.number() {
        return Err(Errno::EDEADLK);
    }
    let others_follow = limit > 1 && source.waiting(from.key).nth(1).is_some();
    let attempt = Attempt { me: &claim.owner, address, home };
    let there = match held {
        Held::One(both) => both,
        Held::Two(_, there) => there,
    };
    match attach(there, holder, &attempt, seen)? {
        Claim::Again => Ok(Step::Again),
        Claim::Away => Ok(Step::Away),
        Claim::Owned => move_first(held, (from, home, end), first),
        Claim::Free => {
            let waiters = if others_follow { FUTEX_WAITERS } else { 0 };
            let new = seen & FUTEX_OWNER_DIED | claim.owner.number() | waiters;
            match user::compare_exchange_u32_at_hand(address, seen, new) {
                Ok(found) if found == seen => {}
                Ok(_) => return Ok(Step::Again),
                Err(_) => return Ok(Step::Away),
            }
            let (Held::One(source) | Held::Two(source, _)) = held;
            source.remove_woken(&first);
            Ok(Step::Handed(first))
        }
    }
}

/// One at a time, since each may close a circle.
fn move_first(held: &mut Held<'_>, (from, home, end): (&Word, &Home, u64), first: Arc<Waiter>) -> Result<Step, Errno> {
    let order = Move { from: from.key, to: home.key, limit: 1, end, to_lock: true };
    let (moved, answer) = match held {
        Held::One(both) => both.rename(order),
        Held::Two(source, there) => home.line().ok_or(Errno::EFAULT)?.receive(source, there, home.key.place(), order),
    };
    answer.map_err(refused)?;
    Ok(Step::Moved((moved > 0).then_some(first)))
}
