//! Memory that the processes of a round share: who is busy, and whether it is over.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use linux_tests::done;
use linux_tests::memory::{PAGE, READ_WRITE, map};

use crate::users::USERS;

/// So often each does its work before the end.
const BUSY: u64 = 3;

/// A number that processes share.
#[repr(transparent)]
pub struct Number(AtomicU64);

impl Number {
    pub fn load(&self) -> u64 {
        self.0.load(SeqCst)
    }

    pub fn store(&self, value: u64) {
        self.0.store(value, SeqCst);
    }

    pub fn count(&self) {
        self.0.fetch_add(1, SeqCst);
    }
}

#[repr(C)]
pub struct Board {
    /// How often each thread did its work, and last the visitor.
    pub turns: [Number; USERS + 1],
    pub is_over: Number,
}

impl Board {
    pub fn new() -> &'static Board {
        let at = done("mmap", map(0, PAGE, READ_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS, -1, 0));
        // SAFETY: a page of zeroes that stays as long as this process; all of a board is atomic numbers, for which 0 is valid.
        unsafe { &*(at as *const Board) }
    }

    pub fn clear(&self) {
        self.turns.iter().for_each(|turns| turns.store(0));
        self.is_over.store(0);
    }

    pub fn wait_until_all_are_busy(&self) {
        while self.turns.iter().any(|turns| turns.load() < BUSY) {
            linux_tests::sleep_ms(1);
        }
    }
}
