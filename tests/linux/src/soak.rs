//! What the soak programs share: how long they go on, their random numbers, their signs of life.
//!
//! Invariant: a soak program takes how many seconds it goes on and its seed as its arguments (or nothing: then it is an
//! ordinary short test); what it does is decided by the seed alone, and its standard output is the same everywhere. On
//! standard error it says several times a second that it goes on.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::{check, monotonic};

const SIGN_EVERY_NS: u64 = 200_000_000;

/// xorshift64: one per thread, so that what a thread does is decided by its own seed.
#[derive(Clone)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        let mut mixed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 29).wrapping_mul(0x94d0_49bb_1331_11eb);
        Random(mixed | 1)
    }

    pub fn number(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 11
    }

    pub fn below(&mut self, limit: usize) -> usize {
        (self.number() % limit as u64) as usize
    }

    /// A generator for another thread.
    pub fn fork(&mut self) -> Random {
        Random::new(self.number())
    }

    /// A short time of nothing, or a yield, or nothing at all.
    pub fn dawdle(&mut self) {
        match self.below(8) {
            0 => std::thread::sleep(std::time::Duration::from_nanos(self.number() % 300_000)),
            1 | 2 => std::thread::yield_now(),
            _ => {}
        }
    }
}

static ROUNDS: AtomicU64 = AtomicU64::new(0);
static LAST_SIGN: AtomicU64 = AtomicU64::new(0);

/// Something has been done: says so, but not too often. From any thread.
pub fn sign_of_life() {
    let (now, last) = (monotonic(), LAST_SIGN.load(Ordering::Relaxed));
    if now - last >= SIGN_EVERY_NS && LAST_SIGN.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
        eprintln!("soak: {} rounds", ROUNDS.load(Ordering::Relaxed));
    }
}

/// A scope of threads is left before they have ended for good. One that still ends holds a lock of the library's now and then (the
/// one around what is known of stacks), and a child that is forked then has that lock held for ever.
fn wait_until_alone() {
    while std::fs::read_dir("/proc/self/task").map_or(0, |threads| threads.count()) > 1 {
        std::thread::yield_now();
    }
}

/// Does `round` again and again until time is up, at least once, and then says that `what` held.
pub fn soak(what: &str, mut round: impl FnMut(&mut Random)) {
    let mut arguments = std::env::args().skip(1).map(|word| word.parse::<u64>().unwrap_or(1));
    let (seconds, seed) = (arguments.next().unwrap_or(1), arguments.next().unwrap_or(1));
    let until = monotonic() + seconds * 1_000_000_000;
    let mut random = Random::new(seed);
    loop {
        wait_until_alone();
        round(&mut random);
        ROUNDS.fetch_add(1, Ordering::Relaxed);
        sign_of_life();
        if monotonic() > until {
            break;
        }
    }
    eprintln!("soak: {} rounds", ROUNDS.load(Ordering::Relaxed));
    check(what, true);
}
