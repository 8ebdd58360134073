//! A descriptor's number that one thread takes, while another's calls are given numbers and fail.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::{answer, check, must};

/// The lowest number that nobody has.
fn lowest_free() -> i32 {
    // SAFETY: a number, and back.
    let number = unsafe { libc::dup(0) };
    must("dup works", number > 2);
    // SAFETY: as above.
    must("close works", unsafe { libc::close(number) } == 0);
    number
}

/// What is put at a number stays there: a call that fails takes back nothing but what it gave.
pub fn must_stay(what: &str, rounds: u32, fails: impl Fn() + Sync) {
    let (number, is_over) = (lowest_free(), AtomicBool::new(false));
    let mut stayed = true;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                fails();
            }
        });
        for _ in 0..rounds {
            // SAFETY: numbers only; nobody else of this program keeps one there.
            match answer(unsafe { libc::dup2(0, number) }) {
                // A call is about to tell of the number.
                Err(libc::EBUSY) => std::thread::yield_now(),
                other => {
                    must("dup2 works", other.is_ok());
                    (0..500).for_each(|_| std::hint::spin_loop());
                    // SAFETY: as above.
                    stayed &= unsafe { libc::close(number) } == 0;
                }
            }
        }
        is_over.store(true, Ordering::Relaxed);
    });
    check(what, stayed);
}
