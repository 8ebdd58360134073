//! Who waits for which word.
//!
//! Invariant: a waiter that has not been woken is in exactly one bucket, the one that its `bucket` names; both change together, under
//! the locks of the buckets concerned. Whoever takes it out sets `woken` under that lock.

use alloc::sync::Arc;
use alloc::vec::Vec;

use libkernel::address_space::{AddressSpace, UserAddress, current_space};
use libkernel::wait::WaitQueue;
use sync::{Flag, Published, SpinGuard, SpinLock, TaskContext, order};

/// Bytes of a futex; its address is a multiple of them.
pub const WORD_BYTES: u64 = 4;
/// How many buckets; a power of two.
pub const BUCKETS: usize = 256;

/// Which word: of which memory (an address space, or what several share), and where in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    memory: usize,
    offset: u64,
}

/// A thread that waits, or is about to.
pub struct Waiter {
    /// The bucket it is in.
    pub bucket: Published<usize>,
    /// It was woken; it is in no bucket any more.
    pub woken: Flag,
    /// Where it sleeps.
    pub queue: WaitQueue,
}

/// A waiter's place in a bucket.
pub struct Entry {
    /// The word it waits for.
    pub key: Key,
    /// Which wakes concern it.
    pub bits: u32,
    /// It has not compared the word yet: it does not count as a waiter.
    pub tentative: bool,
    /// A wake came by while it was tentative: it compares once more.
    pub passed_over: bool,
    /// The waiter.
    pub waiter: Arc<Waiter>,
}

/// Waiters, longest waiting first.
pub type Bucket = Vec<Entry>;
type Guard<'a> = SpinGuard<'a, Bucket, order::Futex>;

static TABLE: [SpinLock<Bucket, order::Futex>; BUCKETS] = [const { SpinLock::new(Vec::new()) }; BUCKETS];

impl Key {
    /// The word at an address of the running program. `None` for a thread without memory.
    pub fn of(cx: &mut TaskContext, address: UserAddress, private: bool) -> Option<Self> {
        let space = current_space(cx)?;
        if !private && let Some((memory, offset)) = space.shared_identity(cx, address) {
            return Some(Self { memory, offset });
        }
        Some(Self { memory: Arc::as_ptr(&space).cast::<AddressSpace>().addr(), offset: address.as_u64() })
    }

    /// The bucket that waiters for the word are in.
    pub fn bucket(self) -> usize {
        let mixed = (self.memory as u64 ^ self.offset.rotate_left(20)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        usize::try_from(mixed >> 48).unwrap_or(0) % BUCKETS
    }
}

/// The bucket with this number, locked.
pub fn lock(cx: &TaskContext, number: usize) -> Guard<'_> {
    let [first, ..] = &TABLE;
    TABLE.get(number).unwrap_or(first).lock(cx)
}

/// Two different buckets, locked in the order of their numbers, answered in the order asked for.
pub fn lock_two(cx: &TaskContext, one: usize, other: usize) -> (Guard<'_>, Guard<'_>) {
    let [first, ..] = &TABLE;
    sync::lock_pair(TABLE.get(one).unwrap_or(first), TABLE.get(other).unwrap_or(first), cx)
}

/// The bucket that a waiter is in, locked; `None` when it was woken.
pub fn lock_of<'a>(cx: &'a TaskContext, waiter: &Waiter) -> Option<Guard<'a>> {
    loop {
        let number = waiter.bucket.load();
        let bucket = lock(cx, number);
        if waiter.woken.is_set() {
            return None;
        }
        if waiter.bucket.load() == number {
            return Some(bucket);
        }
    }
}

/// The place of a waiter in a bucket.
pub fn place(bucket: &Bucket, waiter: &Arc<Waiter>) -> Option<usize> {
    bucket.iter().position(|entry| Arc::ptr_eq(&entry.waiter, waiter))
}

/// Takes out up to `count` waiters for a word whom these bits concern; those that have not compared yet shall do so again.
pub fn take(bucket: &mut Bucket, key: Key, bits: u32, count: usize, taken: &mut Vec<Arc<Waiter>>) {
    let mut left = count;
    bucket.retain_mut(|entry| {
        if left == 0 || entry.key != key || entry.bits & bits == 0 {
            return true;
        }
        if entry.tentative {
            entry.passed_over = true;
            return true;
        }
        left -= 1;
        entry.waiter.woken.set();
        taken.push(entry.waiter.clone());
        false
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(offset: u64, bits: u32, tentative: bool) -> Entry {
        let waiter = Waiter { bucket: Published::<usize>::new(0), woken: Flag::new(false), queue: WaitQueue::new() };
        Entry { key: Key { memory: 1, offset }, bits, tentative, passed_over: false, waiter: Arc::new(waiter) }
    }

    fn woken(bucket: &mut Bucket, bits: u32, count: usize) -> usize {
        let mut taken = Vec::new();
        take(bucket, Key { memory: 1, offset: 4 }, bits, count, &mut taken);
        assert!(taken.iter().all(|waiter| waiter.woken.is_set()));
        taken.len()
    }

    #[test]
    fn a_wake_takes_the_longest_waiting_of_its_word_only() {
        let mut bucket = alloc::vec![entry(8, 1, false), entry(4, 1, false), entry(4, 1, false)];
        let first = bucket[1].waiter.clone();
        assert_eq!(woken(&mut bucket, u32::MAX, 1), 1);
        assert!(first.woken.is_set());
        assert_eq!(bucket.len(), 2);
    }

    #[test]
    fn who_has_not_compared_yet_takes_no_wake_from_another() {
        let mut bucket = alloc::vec![entry(4, 1, true), entry(4, 1, false)];
        assert_eq!(woken(&mut bucket, u32::MAX, 1), 1);
        assert!(bucket[0].tentative && bucket[0].passed_over);
    }

    #[test]
    fn bits_choose_among_waiters() {
        let mut bucket = alloc::vec![entry(4, 0b01, false), entry(4, 0b10, false)];
        assert_eq!(woken(&mut bucket, 0b10, usize::MAX), 1);
        assert_eq!(bucket[0].bits, 0b01);
    }
}
