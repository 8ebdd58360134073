//! Waiting for a word to change.
//!
//! Invariant: the word is compared while the bucket is locked; where that would have to wait for its page, the page is brought with no
//! lock held and all begins anew. A waiter that finds itself taken out by a waker was woken, whatever else ended its sleep.

use alloc::sync::Arc;

use abi::Errno;
use libkernel::KernelError;
use libkernel::address_space::{UserAddress, user};
use libkernel::thread::current;
use sync::TaskContext;
use sync::twin::{self, Twin};

use super::bucket;
use super::owner::Owner;
use super::table::{Word, line_at, line_to_wait};
use super::until::Until;
use super::waiter::{Entry, Waiter};
use crate::error::errno;

/// Why a waiter did not enter.
pub enum Miss {
    /// The word has another value.
    Differs,
    /// The word's page is to be brought first.
    Away,
    /// There is no memory for one more.
    NoRoom,
}

/// A word to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Where it is.
    pub address: UserAddress,
    /// What it must be.
    pub value: u32,
    /// Which wakes concern the waiter.
    pub bits: u32,
    /// Whether only threads of this memory are concerned.
    pub is_private: bool,
}

/// Sleeps while the word has its value, until a wake that concerns this wait. `EINTR` when interrupted: the caller knows what may be
/// repeated.
pub fn wait(cx: &mut TaskContext, me: &Owner, wish: Wish, until: Until) -> Result<(), Errno> {
    if wish.bits == 0 {
        return Err(Errno::EINVAL);
    }
    let word = Word::at(cx, wish.address, wish.is_private)?;
    let waiter = me.waiter();
    enter(cx, &word, wish, waiter)?;
    let slept = until.sleep(cx, &[&waiter.queue], || waiter.is_woken());
    match slept {
        Ok(()) => Ok(()),
        // Woken just before it gave up: the wake was for it, and nobody else will get it.
        Err(_) if !leave(cx, waiter) && !twin::is(Twin::ChosenGivesUp) => Ok(()),
        Err(KernelError::TimedOut) => Err(Errno::ETIMEDOUT),
        Err(_) => Err(Errno::EINTR),
    }
}

/// Goes into the bucket, if the word is as expected.
pub fn enter(cx: &mut TaskContext, word: &Word, wish: Wish, waiter: &Arc<Waiter>) -> Result<(), Errno> {
    let place = word.key.place();
    loop {
        waiter.begin(place);
        let priority = current::of(cx).effective_scheduling().priority;
        let entry = Entry::new(word.key, wish.bits, priority, waiter.clone());
        let check = || match user::load_u32_at_hand(wish.address) {
            Ok(found) if found == wish.value => Ok(()),
            Ok(_) => Err(Miss::Differs),
            Err(_) => Err(Miss::Away),
        };
        match line_to_wait(cx, place)?.enter(cx, entry, Miss::NoRoom, check) {
            Ok(()) => return Ok(()),
            Err(Miss::Differs) => return Err(Errno::EAGAIN),
            Err(Miss::NoRoom) => return Err(Errno::ENOMEM),
            Err(Miss::Away) => drop(user::load_u32(cx, wish.address).map_err(errno)?),
        }
    }
}

/// Takes the waiter out. `false` when it was woken before.
pub fn leave(cx: &TaskContext, waiter: &Arc<Waiter>) -> bool {
    let Some((line, mut bucket)) = bucket::lock_of(cx, &**waiter, |place| line_at(cx, place)) else {
        return false;
    };
    let entry = bucket.remove(waiter);
    drop(bucket);
    let was_in = entry.is_some();
    line.retract(usize::from(was_in));
    was_in
}

/// Calls those that were taken out.
pub fn call(cx: &TaskContext, batch: impl IntoIterator<Item = Arc<Waiter>>) {
    for waiter in batch {
        waiter.queue.wake_one(cx);
    }
}
