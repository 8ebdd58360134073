//! Mailbox: many CPUs write, one reads, nobody waits.
//!
//! Invariant: a letter box's turn says whose it is: `position` for the writer of that position,
//! `position + 1` for its reader, `position + N` for the writer one round later.

use crate::atomic::{AtomicUsize, Ordering};
use core::cell::UnsafeCell;
use core::mem::MaybeUninit;

struct LetterBox<T> {
    turn: AtomicUsize,
    letter: UnsafeCell<MaybeUninit<T>>,
}

/// A queue of at most `N` letters (a power of two).
pub struct Mailbox<T, const N: usize> {
    boxes: [LetterBox<T>; N],
    write: AtomicUsize,
    read: AtomicUsize,
}

// SAFETY: letters move from writer to reader, each box being one side's at a time (invariant above).
unsafe impl<T: Send, const N: usize> Sync for Mailbox<T, N> {}
// SAFETY: it owns its letters.
unsafe impl<T: Send, const N: usize> Send for Mailbox<T, N> {}

impl<T, const N: usize> Mailbox<T, N> {
    const_unless_loom! {
        pub const fn new() -> Self {
            const { assert!(N.is_power_of_two() && N >= 2, "a mailbox holds a power of two of letters") };
            let mut boxes = [const { MaybeUninit::<LetterBox<T>>::uninit() }; N];
            let mut index = 0;
            while index < N {
                boxes[index] = MaybeUninit::new(LetterBox {
                    turn: AtomicUsize::new(index),
                    letter: UnsafeCell::new(MaybeUninit::uninit()),
                });
                index += 1;
            }
            Mailbox {
                // SAFETY: every box was written above, and `MaybeUninit` has the layout of what it holds.
                boxes: unsafe { core::mem::transmute_copy(&boxes) },
                write: AtomicUsize::new(0),
                read: AtomicUsize::new(0),
            }
        }
    }

    /// Gives the letter back when the mailbox is full.
    pub fn push(&self, letter: T) -> Result<(), T> {
        let mut position = self.write.load(Ordering::Relaxed);
        loop {
            let place = &self.boxes[position % N];
            let ahead = place.turn.load(Ordering::Acquire).wrapping_sub(position).cast_signed();
            if ahead < 0 {
                return Err(letter);
            }
            if ahead > 0 {
                position = self.write.load(Ordering::Relaxed);
                continue;
            }
            match advance(&self.write, position) {
                Ok(()) => {
                    // SAFETY: the turn was ours, and moving `write` on made this position ours alone.
                    unsafe { (*place.letter.get()).write(letter) };
                    place.turn.store(position.wrapping_add(1), Ordering::Release);
                    return Ok(());
                }
                Err(actual) => position = actual,
            }
        }
    }

    /// The oldest letter. A writer that has its place but has not finished holds up those behind it:
    /// then this says `None`, and the writer's own knock comes after it has finished.
    pub fn pop(&self) -> Option<T> {
        let mut position = self.read.load(Ordering::Relaxed);
        loop {
            let place = &self.boxes[position % N];
            let ahead = place.turn.load(Ordering::Acquire).wrapping_sub(position.wrapping_add(1)).cast_signed();
            if ahead < 0 {
                return None;
            }
            if ahead > 0 {
                position = self.read.load(Ordering::Relaxed);
                continue;
            }
            match advance(&self.read, position) {
                Ok(()) => {
                    // SAFETY: the writer has finished (its turn), and this position is ours alone.
                    let letter = unsafe { (*place.letter.get()).assume_init_read() };
                    place.turn.store(position.wrapping_add(N), Ordering::Release);
                    return Some(letter);
                }
                Err(actual) => position = actual,
            }
        }
    }
}

/// Relaxed: positions only say who; the box's turn hands over the letter.
fn advance(position: &AtomicUsize, from: usize) -> Result<(), usize> {
    position.compare_exchange(from, from.wrapping_add(1), Ordering::Relaxed, Ordering::Relaxed).map(drop)
}

impl<T, const N: usize> Default for Mailbox<T, N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T, const N: usize> Drop for Mailbox<T, N> {
    fn drop(&mut self) {
        while self.pop().is_some() {}
    }
}

#[cfg(test)]
#[cfg(not(any(loom, shuttle)))]
mod tests {
    extern crate std;
    use super::*;
    use std::sync::Arc;

    #[test]
    fn letters_come_in_order_and_a_full_box_says_so() {
        let mailbox = Mailbox::<u32, 2>::new();
        for round in 0..5 {
            assert_eq!(mailbox.pop(), None);
            assert_eq!(mailbox.push(round), Ok(()));
            assert_eq!(mailbox.push(round + 10), Ok(()));
            assert_eq!(mailbox.push(99), Err(99));
            assert_eq!((mailbox.pop(), mailbox.pop()), (Some(round), Some(round + 10)));
        }
    }

    #[test]
    fn unread_letters_are_dropped_with_the_mailbox() {
        let letter = Arc::new(());
        let mailbox = Mailbox::<Arc<()>, 4>::new();
        assert!(mailbox.push(letter.clone()).is_ok() && mailbox.push(letter.clone()).is_ok());
        drop(mailbox);
        assert_eq!(Arc::strong_count(&letter), 1);
    }

    #[test]
    fn no_letter_is_lost_or_doubled_among_four_writers() {
        static MAILBOX: Mailbox<u64, 8> = Mailbox::new();
        std::thread::scope(|scope| {
            for writer in 0..4 {
                scope.spawn(move || {
                    for turn in 0..1_000 {
                        while MAILBOX.push(writer * 1_000 + turn).is_err() {
                            std::thread::yield_now();
                        }
                    }
                });
            }
            let mut seen = std::vec![0; 4_000];
            let mut left = seen.len();
            while left > 0 {
                match MAILBOX.pop() {
                    Some(letter) => {
                        seen[letter as usize] += 1;
                        left -= 1;
                    }
                    None => std::thread::yield_now(),
                }
            }
            assert!(seen.iter().all(|times| *times == 1));
        });
    }
}
