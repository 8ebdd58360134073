//! Waiting for a word to change.
//!
//! ```text
//! waiter                                         waker
//! bucket lock { in the bucket, tentative }
//! read the word (may sleep)                      write the word
//! word differs: out, EAGAIN                      bucket lock { tentative ones are passed over, others woken }
//! bucket lock { passed over? read again
//!               else: counts as a waiter }
//! sleep until woken
//! ```
//!
//! Invariant: a waiter counts only if the word had the expected value when it was read and no wake for it came since; so comparing and
//! queueing are one step to every waker, though no lock is held while the word is read.

use alloc::sync::Arc;

use abi::Errno;
use libkernel::KernelError;
use libkernel::address_space::{UserAddress, user};
use libkernel::wait::{Deadline, WaitQueue};
use sync::{Flag, Published, TaskContext};

use super::bucket::{self, Entry, Key, WORD_BYTES, Waiter};
use crate::error::errno;

/// Sleeps while the word at `address` is `value`, until a wake that one of `bits` concerns. `EINTR` when interrupted: the caller
/// knows what may be repeated.
pub fn wait(cx: &mut TaskContext, address: UserAddress, value: u32, deadline: Deadline, bits: u32, private: bool) -> Result<(), Errno> {
    if bits == 0 || !address.as_u64().is_multiple_of(WORD_BYTES) {
        return Err(Errno::EINVAL);
    }
    let key = Key::of(cx, address, private).ok_or(Errno::EFAULT)?;
    let waiter =
        Arc::new(Waiter { bucket: Published::<usize>::new(key.bucket()), woken: Flag::new(false), queue: WaitQueue::named("a futex") });
    enter(cx, key, bits, &waiter)?;
    if let Err(error) = compare(cx, address, value, &waiter) {
        leave(cx, &waiter);
        return Err(error);
    }
    let slept = waiter.queue.wait_until_or(cx, deadline, true, |_| waiter.woken.is_set().then_some(()));
    match slept {
        Ok(()) => Ok(()),
        // Woken just before it gave up: the wake was for it, and nobody else will get it.
        Err(_) if !leave(cx, &waiter) => Ok(()),
        Err(KernelError::TimedOut) => Err(Errno::ETIMEDOUT),
        Err(_) => Err(Errno::EINTR),
    }
}

fn enter(cx: &TaskContext, key: Key, bits: u32, waiter: &Arc<Waiter>) -> Result<(), Errno> {
    let mut bucket = bucket::lock(cx, key.bucket());
    bucket.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
    bucket.push(Entry { key, bits, tentative: true, passed_over: false, waiter: waiter.clone() });
    Ok(())
}

/// Reads the word until no wake has come between reading and counting.
fn compare(cx: &mut TaskContext, address: UserAddress, value: u32, waiter: &Arc<Waiter>) -> Result<(), Errno> {
    loop {
        if user::load_u32(cx, address).map_err(errno)? != value {
            return Err(Errno::EAGAIN);
        }
        let Some(mut bucket) = bucket::lock_of(cx, waiter) else {
            return Ok(());
        };
        let place = bucket::place(&bucket, waiter);
        let Some(entry) = place.and_then(|place| bucket.get_mut(place)) else {
            return Ok(());
        };
        if !core::mem::take(&mut entry.passed_over) {
            entry.tentative = false;
            return Ok(());
        }
    }
}

/// Takes the waiter out. `false` when it was woken before.
fn leave(cx: &TaskContext, waiter: &Arc<Waiter>) -> bool {
    let Some(mut bucket) = bucket::lock_of(cx, waiter) else {
        return false;
    };
    let entry = bucket::place(&bucket, waiter).map(|place| bucket.remove(place));
    drop(bucket);
    entry.is_some()
}
