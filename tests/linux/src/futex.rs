//! The futex call, and sleepers that are known to sleep.

use crate::{Errno, call, done, must, must_equal, sleep_ms};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::thread;

pub const WAIT: i32 = libc::FUTEX_WAIT;
pub const WAKE: i32 = libc::FUTEX_WAKE;
pub const PRIVATE: i32 = libc::FUTEX_PRIVATE_FLAG;

pub type Limit = Option<[u64; 2]>;

pub fn futex(at: usize, operation: i32, value: u32, fourth: usize, second: usize, third: u32) -> Result<usize, Errno> {
    call!(SYS_futex, at, operation, value, fourth, second, third)
}

pub fn wait_on(word: &AtomicU32, value: u32, limit: Limit) -> Result<usize, Errno> {
    let limit = limit.as_ref().map_or(0, |limit| limit.as_ptr() as usize);
    futex(word.as_ptr() as usize, WAIT | PRIVATE, value, limit, 0, 0)
}

pub fn wake(word: &AtomicU32, count: i32) -> usize {
    done("wake", futex(word.as_ptr() as usize, WAKE | PRIVATE, count as u32, 0, 0, 0))
}

pub fn at(word: &AtomicU32) -> usize {
    word.as_ptr() as usize
}

/// Sleepers on one word, each of which counts itself when it is woken.
pub struct Sleepers {
    pub word: Arc<AtomicU32>,
    woken: Arc<AtomicU32>,
    threads: Vec<thread::JoinHandle<()>>,
}

impl Sleepers {
    /// So many that sleep for sure: nobody is on the way to it any more.
    pub fn new(count: usize, bits: u32) -> Self {
        let mut sleepers = Sleepers { word: Arc::new(AtomicU32::new(0)), woken: Arc::new(AtomicU32::new(0)), threads: Vec::new() };
        sleepers.add(count, bits);
        sleepers
    }

    pub fn add(&mut self, count: usize, bits: u32) {
        let before = self.asleep();
        for _ in 0..count {
            let (word, woken) = (self.word.clone(), self.woken.clone());
            self.threads.push(thread::spawn(move || {
                must_equal("woken", futex(at(&word), libc::FUTEX_WAIT_BITSET | PRIVATE, 0, 0, 0, bits), Ok(0));
                woken.fetch_add(1, SeqCst);
            }));
        }
        while self.asleep() < before + count {
            sleep_ms(1);
        }
    }

    /// How many sleep: as many as can be moved from the word to itself.
    pub fn asleep(&self) -> usize {
        done("count", futex(at(&self.word), libc::FUTEX_REQUEUE | PRIVATE, 0, 1000, at(&self.word), 0))
    }

    pub fn woken_become(&self, count: u32) {
        while self.woken.load(SeqCst) < count {
            sleep_ms(1);
        }
        sleep_ms(3);
        must_equal("no more", self.woken.load(SeqCst), count);
    }

    pub fn join(self) {
        self.threads.into_iter().for_each(|thread| must("joined", thread.join().is_ok()));
    }
}
