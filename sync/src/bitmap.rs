//! SlotMap: take and free small numbers without a lock.
//!
//! Invariant: a set bit is a slot that somebody owns; the one whose atomic `or` set it.

use crate::atomic::{AtomicU64, Ordering};

const BITS: usize = u64::BITS as usize;

/// Slots 0 to `64 * WORDS - 1`, all free at first.
pub struct SlotMap<const WORDS: usize = 1024> {
    words: [AtomicU64; WORDS],
}

impl<const WORDS: usize> SlotMap<WORDS> {
    pub const CAPACITY: usize = WORDS * BITS;

    #[cfg(not(loom))]
    pub const fn new() -> Self {
        SlotMap { words: [const { AtomicU64::new(0) }; WORDS] }
    }

    #[cfg(loom)]
    pub fn new() -> Self {
        SlotMap { words: core::array::from_fn(|_| AtomicU64::new(0)) }
    }

    /// Takes a free slot, looking first in the word of `start_hint` and then onward, around the end.
    /// CPUs that start far apart do not meet.
    pub fn take(&self, start_hint: usize) -> Option<usize> {
        let start = start_hint / BITS;
        (0..WORDS).map(|step| (start + step) % WORDS).find_map(|word| self.take_in(word))
    }

    fn take_in(&self, word: usize) -> Option<usize> {
        let mut seen = self.words[word].load(Ordering::Relaxed);
        while seen != u64::MAX {
            let bit = seen.trailing_ones() as usize;
            // Acquire pairs with `free`: what the former owner did with the slot is done.
            seen = self.words[word].fetch_or(1 << bit, Ordering::Acquire);
            if seen & (1 << bit) == 0 {
                return Some(word * BITS + bit);
            }
        }
        None
    }

    /// Takes this slot and no other; false when somebody has it.
    pub fn take_this(&self, slot: usize) -> bool {
        let bit = 1 << (slot % BITS);
        // Acquire: as in `take`.
        self.words[slot / BITS].fetch_or(bit, Ordering::Acquire) & bit == 0
    }

    /// The first slot from `from` on that somebody owned just now.
    pub fn next_taken(&self, from: usize) -> Option<usize> {
        let below = (1 << (from % BITS)) - 1;
        (from / BITS..WORDS).find_map(|word| {
            let seen = self.words[word].load(Ordering::Relaxed);
            let seen = if word == from / BITS { seen & !below } else { seen };
            (seen != 0).then(|| word * BITS + seen.trailing_zeros() as usize)
        })
    }

    /// Gives back a slot that `take` gave. Giving back a free one is a mistake of ours.
    pub fn free(&self, slot: usize) {
        let bit = 1 << (slot % BITS);
        let before = self.words[slot / BITS].fetch_and(!bit, Ordering::Release);
        assert!(before & bit != 0, "slot {slot} was given back twice");
    }

    pub fn taken(&self) -> usize {
        self.words.iter().map(|word| word.load(Ordering::Relaxed).count_ones() as usize).sum()
    }
}

impl<const WORDS: usize> Default for SlotMap<WORDS> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
#[cfg(not(any(loom, shuttle)))]
mod tests {
    extern crate std;
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_slot_is_given_once_and_then_none() {
        let map = SlotMap::<2>::new();
        let taken: BTreeSet<usize> = std::iter::from_fn(|| map.take(70)).collect();
        assert_eq!(taken.len(), SlotMap::<2>::CAPACITY);
        map.free(5);
        assert_eq!(map.take(70), Some(5));
        assert_eq!(map.taken(), 128);
    }

    #[test]
    fn the_hint_says_where_to_start() {
        let map = SlotMap::<3>::new();
        assert_eq!(map.take(64), Some(64));
        assert_eq!(map.take(64), Some(65));
        assert_eq!(map.take(5 * 64), Some(128), "a hint beyond the end starts around it");
    }

    #[test]
    fn a_certain_slot_is_had_by_one_and_found_among_the_taken() {
        let map = SlotMap::<3>::new();
        assert!(map.take_this(130));
        assert!(!map.take_this(130));
        assert_eq!(map.next_taken(0), Some(130));
        assert_eq!(map.next_taken(130), Some(130));
        assert_eq!(map.next_taken(131), None);
        assert_eq!(map.next_taken(192), None);
    }

    #[test]
    #[should_panic(expected = "slot 3 was given back twice")]
    fn a_free_slot_cannot_be_given_back() {
        SlotMap::<1>::new().free(3);
    }
}
