//! Letting go of a lock: the first in line owns it from then on, whether its owner lets go or dies.
//!
//! Invariant: the heir becomes the owner in record and word while it is still asleep; what it owns then is among its holdings before it
//! wakes, and both threads' loans are counted anew after that.

use alloc::sync::Arc;

use abi::Errno;
use abi::constant::*;
use libkernel::address_space::{UserAddress, user};
use sync::TaskContext;
use sync::twin::{self, Twin};

use super::bucket::{Guard, Waits};
use super::lend::settle;
use super::lock::{Claim, check_interruption, forget_unwanted};
use super::owner::{Holdings, Owner};
use super::table::{Home, WORD_BYTES, Word};
use super::wait::call;
use super::waiter::Waiter;
use crate::error::errno;

/// How a lock changes hands.
#[derive(Clone, Copy)]
enum Way {
    /// By its owner's will: the word, and how it looked.
    Given(UserAddress, u32),
    /// By its owner's death.
    Inherited,
}

/// Lets go of a lock.
pub fn unlock(cx: &mut TaskContext, me: &Arc<Owner>, (address, is_private): (UserAddress, bool)) -> Result<(), Errno> {
    loop {
        let seen: u32 = if address.as_u64().is_multiple_of(WORD_BYTES) {
            user::load_u32(cx, address).map_err(errno)?
        } else {
            // Whose it is comes before how it stands.
            user::copy_in_value(cx, address).map_err(errno)?
        };
        if seen & FUTEX_TID_MASK != me.number() {
            return Err(Errno::EPERM);
        }
        let word = Word::at(cx, address, is_private)?;
        let home = Home::of(cx, word.key)?;
        match hand_over(cx, me, &home, Way::Given(address, seen))? {
            Claim::Free | Claim::Owned => return Ok(()),
            Claim::Again => check_interruption(cx)?,
            Claim::Away => user::touch_u32(cx, address).map_err(errno)?,
        }
    }
}

/// A thread lets go of all its locks that somebody waits for: at its end (`gone`), or with its program.
pub fn release_all(cx: &TaskContext, me: &Arc<Owner>, gone: bool) {
    loop {
        let mut holdings = me.holdings.lock(cx);
        holdings.gone |= gone;
        let home = holdings.held.pop();
        drop(holdings);
        let Some(home) = home else { break };
        while let Ok(Claim::Again) = hand_over(cx, me, &home, Way::Inherited) {}
    }
    settle(cx, me.clone());
}

/// Hands a lock to the first in line. `Owned`: it has a new owner; `Free`: nobody waited.
fn hand_over(cx: &TaskContext, me: &Arc<Owner>, home: &Home, way: Way) -> Result<Claim, Errno> {
    let line = home.line().ok_or(Errno::EFAULT)?;
    let heir = line.lock(cx).waiting(home.key).next().map(|entry| entry.waiter.clone());
    let Some(heir) = heir else {
        let mut bucket = line.lock(cx);
        let someone_came = bucket.waiting(home.key).next().is_some() && !twin::is(Twin::FreedUnseen);
        return if someone_came { Ok(Claim::Again) } else { set_free(&mut bucket, home, way) };
    };
    let Some(claim) = heir.claim.as_ref().filter(|_| heir.claims(home.key)) else {
        return Err(Errno::EINVAL);
    };
    let mut holdings = claim.owner.holdings.lock(cx);
    let mut bucket = line.lock(cx);
    let handed = pass_on(&mut bucket, &mut holdings, (me, &heir), home, way);
    drop(bucket);
    drop(holdings);
    if let Ok(Claim::Owned) = handed {
        line.retract(1);
        let owner = claim.owner.clone();
        call(cx, [heir]);
        if !twin::is(Twin::LoanKept) {
            settle(cx, me.clone());
        }
        settle(cx, owner);
    }
    handed
}

fn set_free(bucket: &mut Guard<'_, Waiter>, home: &Home, way: Way) -> Result<Claim, Errno> {
    if let Way::Given(address, seen) = way {
        match user::compare_exchange_u32_at_hand(address, seen, 0) {
            Ok(found) if found == seen => {}
            Ok(_) => return Ok(Claim::Again),
            Err(_) => return Ok(Claim::Away),
        }
    }
    drop(forget_unwanted(bucket, home.key));
    Ok(Claim::Free)
}

fn pass_on(
    bucket: &mut Guard<'_, Waiter>,
    holdings: &mut Holdings,
    (me, heir): (&Arc<Owner>, &Arc<Waiter>),
    home: &Home,
    way: Way,
) -> Result<Claim, Errno> {
    let is_first = bucket.waiting(home.key).next().is_some_and(|entry| Arc::ptr_eq(&entry.waiter, heir));
    let Some(claim) = heir.claim.as_ref().filter(|_| is_first || twin::is(Twin::HeirUnseen)) else {
        return Ok(Claim::Again);
    };
    let Some(lock) = bucket.locks.iter_mut().find(|lock| lock.key == home.key && Arc::ptr_eq(&lock.owner, me)) else {
        return Err(Errno::EINVAL);
    };
    match way {
        Way::Given(address, seen) => match user::compare_exchange_u32_at_hand(address, seen, claim.owner.number() | FUTEX_WAITERS) {
            Ok(found) if found == seen => {}
            Ok(_) => return Ok(Claim::Again),
            Err(_) => return Ok(Claim::Away),
        },
        Way::Inherited => {
            lock.is_unwritten = true;
            claim.inherited.set();
        }
    }
    lock.owner = claim.owner.clone();
    bucket.remove_woken(heir);
    if forget_unwanted(bucket, home.key).is_none() {
        // There is room: whoever waits for a lock has made it.
        holdings.held.push(home.clone());
    }
    Ok(Claim::Owned)
}
