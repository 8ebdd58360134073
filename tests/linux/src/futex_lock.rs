//! Words that are locks: taken and let go of without the kernel where that is possible, as the C library does it.

use crate::futex::{PRIVATE, at, futex};
use crate::{Errno, call, done, must_equal, sleep_ms};
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

pub const LOCK: i32 = libc::FUTEX_LOCK_PI | PRIVATE;
pub const UNLOCK: i32 = libc::FUTEX_UNLOCK_PI | PRIVATE;
pub const WAITERS: u32 = libc::FUTEX_WAITERS;
pub const DIED: u32 = libc::FUTEX_OWNER_DIED;
pub const NUMBER: u32 = libc::FUTEX_TID_MASK;

pub fn me() -> u32 {
    done("gettid", call!(SYS_gettid)) as u32
}

pub fn plain(word: &AtomicU32, operation: i32) -> Result<usize, Errno> {
    futex(at(word), operation, 0, 0, 0, 0)
}

pub fn lock(word: &AtomicU32) {
    if word.compare_exchange(0, me(), SeqCst, SeqCst).is_err() {
        must_equal("locked", plain(word, LOCK), Ok(0));
    }
}

pub fn unlock(word: &AtomicU32) {
    if word.compare_exchange(me(), 0, SeqCst, SeqCst).is_err() {
        must_equal("unlocked", plain(word, UNLOCK), Ok(0));
    }
}

pub fn wait_until(condition: impl Fn() -> bool) {
    while !condition() {
        sleep_ms(1);
    }
}
