//! Waking who waits for a word, and moving waiters to another word.
//!
//! Invariant: who is woken is decided under the bucket's lock; the sleepers are called after it. Two buckets are locked in the order
//! of their numbers.

use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::Errno;
use libkernel::address_space::UserAddress;
use sync::TaskContext;

use super::bucket::{self, Bucket, Key, WORD_BYTES, Waiter};

/// Every bit: a wake that concerns all.
pub const ALL_BITS: u32 = u32::MAX;

fn call(cx: &TaskContext, woken: &[Arc<Waiter>]) -> usize {
    for waiter in woken {
        waiter.queue.wake_all(cx);
    }
    woken.len()
}

/// Wakes up to `count` waiters whom one of `bits` concerns; answers how many.
pub fn wake(cx: &mut TaskContext, address: UserAddress, private: bool, bits: u32, count: usize) -> Result<usize, Errno> {
    if bits == 0 || !address.as_u64().is_multiple_of(WORD_BYTES) {
        return Err(Errno::EINVAL);
    }
    let key = Key::of(cx, address, private).ok_or(Errno::EFAULT)?;
    Ok(wake_key(cx, key, bits, count))
}

fn wake_key(cx: &TaskContext, key: Key, bits: u32, count: usize) -> usize {
    let mut woken = Vec::new();
    let mut bucket = bucket::lock(cx, key.bucket());
    bucket::take(&mut bucket, key, bits, count, &mut woken);
    drop(bucket);
    call(cx, &woken)
}

/// Wakes one waiter for a word that processes may share: what a thread's end does.
pub fn wake_one(cx: &mut TaskContext, address: UserAddress) {
    // A word in no place of the program has no waiters either.
    let _ = wake(cx, address, false, ALL_BITS, 1);
}

/// Wakes up to `wake` waiters of one word and moves up to `moved` more to another; answers how many of both kinds.
pub fn requeue(
    cx: &mut TaskContext,
    from: UserAddress,
    to: UserAddress,
    private: bool,
    wake: usize,
    moved: usize,
) -> Result<(usize, usize), Errno> {
    if ![from, to].iter().all(|word| word.as_u64().is_multiple_of(WORD_BYTES)) {
        return Err(Errno::EINVAL);
    }
    let from = Key::of(cx, from, private).ok_or(Errno::EFAULT)?;
    let to = Key::of(cx, to, private).ok_or(Errno::EFAULT)?;
    let mut woken = Vec::new();
    let (here, there) = (from.bucket(), to.bucket());
    let count = if here == there {
        let mut bucket = bucket::lock(cx, here);
        bucket::take(&mut bucket, from, ALL_BITS, wake, &mut woken);
        rename(&mut bucket, from, to, moved)
    } else {
        let (mut source, mut target) = bucket::lock_two(cx, here, there);
        bucket::take(&mut source, from, ALL_BITS, wake, &mut woken);
        carry(&mut source, &mut target, from, to, there, moved)
    };
    Ok((call(cx, &woken), count))
}

/// Waiters that stay in their bucket but wait for another word now.
fn rename(bucket: &mut Bucket, from: Key, to: Key, limit: usize) -> usize {
    if from == to {
        return bucket.iter().filter(|entry| entry.key == from && !entry.tentative).take(limit).count();
    }
    let mut count = 0;
    for entry in bucket.iter_mut().filter(|entry| entry.key == from) {
        if entry.tentative {
            entry.passed_over = true;
        } else if count < limit {
            entry.key = to;
            count += 1;
        }
    }
    count
}

/// Waiters that go to another bucket. Without memory for them they stay, and count as not moved.
fn carry(source: &mut Bucket, target: &mut Bucket, from: Key, to: Key, number: usize, limit: usize) -> usize {
    let waiting = source.iter().filter(|entry| entry.key == from && !entry.tentative).take(limit).count();
    if target.try_reserve(waiting).is_err() {
        return 0;
    }
    let mut count = 0;
    let mut place = 0;
    while let Some(entry) = source.get_mut(place) {
        let concerned = entry.key == from;
        if concerned && entry.tentative {
            entry.passed_over = true;
        }
        if !concerned || entry.tentative || count == limit {
            place += 1;
            continue;
        }
        let mut entry = source.remove(place);
        entry.key = to;
        entry.waiter.bucket.store(number);
        target.push(entry);
        count += 1;
    }
    count
}
