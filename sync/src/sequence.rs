//! SequenceLock: readers never write and never make the writer wait.
//!
//! Invariant: the sequence is odd exactly while a writer changes the words; a reader that saw the same
//! even sequence before and after has the words of one write.

use crate::atomic::{AtomicU64, Ordering, fence};
use crate::context::IrqOff;
use crate::cpu;
use core::marker::PhantomData;

/// Models use two: enough to tear, few enough to try everything.
pub const WORDS: usize = if cfg!(loom) { 2 } else { 8 };

/// A value that travels as at most eight words.
pub trait Snapshot: Copy {
    fn to_words(self) -> [u64; WORDS];
    fn from_words(words: [u64; WORDS]) -> Self;
}

/// A small value, read often and on every CPU, written rarely. Programs read some of them too: first the sequence, then the words.
#[repr(C)]
pub struct SequenceLock<T: Snapshot> {
    sequence: AtomicU64,
    words: [AtomicU64; WORDS],
    value: PhantomData<T>,
}

impl<T: Snapshot> SequenceLock<T> {
    /// Where the first of the words stands, in bytes behind the sequence.
    #[cfg(not(any(loom, shuttle)))]
    pub const WORDS_AT: usize = core::mem::offset_of!(Self, words);

    /// From the words that `T::to_words` would give; all zero for the usual start.
    #[cfg(not(loom))]
    pub const fn from_words(words: [u64; WORDS]) -> Self {
        let [a, b, c, d, e, f, g, h] = words;
        Self::of([
            AtomicU64::new(a),
            AtomicU64::new(b),
            AtomicU64::new(c),
            AtomicU64::new(d),
            AtomicU64::new(e),
            AtomicU64::new(f),
            AtomicU64::new(g),
            AtomicU64::new(h),
        ])
    }

    #[cfg(loom)]
    pub fn from_words(words: [u64; WORDS]) -> Self {
        Self::of(words.map(AtomicU64::new))
    }

    const_unless_loom! {
        const fn of(words: [AtomicU64; WORDS]) -> Self {
            SequenceLock { sequence: AtomicU64::new(0), words, value: PhantomData }
        }
    }

    pub fn new(value: T) -> Self {
        Self::from_words(value.to_words())
    }

    /// A value that was written as a whole, at some moment during the call.
    pub fn read(&self) -> T {
        loop {
            let before = self.sequence.load(Ordering::Acquire);
            if before.is_multiple_of(2) {
                let words = core::array::from_fn(|index| self.words[index].load(Ordering::Relaxed));
                // Pairs with the fence in `write`: who saw a new word sees the odd sequence too.
                fence(Ordering::Acquire);
                if self.sequence.load(Ordering::Relaxed) == before {
                    return T::from_words(words);
                }
            }
            cpu::relax();
        }
    }

    /// Writers take turns. Interrupts are off meanwhile, so that no reader spins on a writer which its
    /// own CPU has interrupted.
    pub fn write(&self, value: T) {
        let off = IrqOff::new();
        let before = self.begin();
        fence(Ordering::Release);
        for (word, new) in self.words.iter().zip(value.to_words()) {
            word.store(new, Ordering::Relaxed);
        }
        self.sequence.store(before + 2, Ordering::Release);
        drop(off);
    }

    /// Makes the sequence odd; returns what it was.
    fn begin(&self) -> u64 {
        loop {
            let before = self.sequence.load(Ordering::Relaxed);
            if before.is_multiple_of(2) && self.sequence.compare_exchange(before, before + 1, Ordering::Acquire, Ordering::Relaxed).is_ok()
            {
                return before;
            }
            cpu::relax();
        }
    }
}

impl Snapshot for u64 {
    fn to_words(self) -> [u64; WORDS] {
        [self].to_words()
    }

    fn from_words(words: [u64; WORDS]) -> Self {
        words[0]
    }
}

impl<const N: usize> Snapshot for [u64; N] {
    fn to_words(self) -> [u64; WORDS] {
        const { assert!(N <= WORDS, "a snapshot of more than eight words") };
        core::array::from_fn(|index| self.get(index).copied().unwrap_or(0))
    }

    fn from_words(words: [u64; WORDS]) -> Self {
        core::array::from_fn(|index| words[index])
    }
}

#[cfg(test)]
#[cfg(not(any(loom, shuttle)))]
mod tests {
    extern crate std;
    use super::*;

    #[test]
    fn no_reader_sees_half_a_write() {
        static LOCK: SequenceLock<[u64; 8]> = SequenceLock::from_words([0; 8]);
        std::thread::scope(|scope| {
            for writer in 0..2_u64 {
                scope.spawn(move || (0..5_000_u64).for_each(|turn| LOCK.write([turn * 2 + writer; 8])));
            }
            for _ in 0..2 {
                scope.spawn(|| {
                    for _ in 0..5_000 {
                        let seen = LOCK.read();
                        assert!(seen.iter().all(|word| *word == seen[0]), "{seen:?}");
                    }
                });
            }
        });
    }
}
