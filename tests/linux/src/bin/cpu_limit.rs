//! RLIMIT_CPU: a program that uses more processor time than it may is told, and then killed.

use linux_tests::process::{Ended, fork, wait};
use linux_tests::{call, done, equal, now, signal};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};
use std::thread;

/// What is to become of a child, and what that shows.
type Case = (&'static str, i32, Ended);

fn main() {
    // All at once, since each takes a second.
    let cases = [told(), killed(), threads_count_together(), sleep_is_free()];
    for (what, child, wanted) in cases {
        equal(what, wait(child), wanted);
    }
}

static TIMES_TOLD: AtomicU32 = AtomicU32::new(0);
static TOLD_AT: AtomicU64 = AtomicU64::new(0);

extern "C" fn note(_: i32, _: *mut libc::siginfo_t, _: *mut libc::c_void) {
    if TIMES_TOLD.fetch_add(1, SeqCst) == 0 {
        TOLD_AT.store(now(libc::CLOCK_PROCESS_CPUTIME_ID), SeqCst);
    }
}

fn limit(soft: u64, hard: u64) {
    let value = [soft, hard];
    done("setrlimit", call!(SYS_setrlimit, libc::RLIMIT_CPU, value.as_ptr()));
}

fn work() {
    let mut value = 1_u64;
    for _ in 0..100_000 {
        value = std::hint::black_box(value.wrapping_mul(31).wrapping_add(7));
    }
}

fn told() -> Case {
    let child = fork(|| {
        signal::handle(libc::SIGXCPU, note, 0);
        limit(1, 100);
        while TIMES_TOLD.load(SeqCst) == 0 {
            work();
        }
        let at = TOLD_AT.load(SeqCst);
        i32::from(!(900_000_000..3_000_000_000).contains(&at))
    });
    ("a program is told after a second of its limit", child, Ended::Exited(0))
}

fn killed() -> Case {
    let child = fork(|| {
        signal::set_disposition(libc::SIGXCPU, libc::SIG_IGN);
        limit(1, 1);
        loop {
            work();
        }
    });
    ("at the hard limit it is killed, whatever it ignores", child, Ended::Killed(libc::SIGKILL))
}

fn threads_count_together() -> Case {
    let child = fork(|| {
        limit(1, 3);
        (0..3).for_each(|_| {
            thread::spawn(|| {
                loop {
                    work();
                }
            });
        });
        loop {
            work();
        }
    });
    ("who has no handler dies of the soft limit, which all threads use up together", child, Ended::Killed(libc::SIGXCPU))
}

fn sleep_is_free() -> Case {
    let child = fork(|| {
        limit(1, 1);
        linux_tests::sleep_ms(1_200);
        0
    });
    ("time asleep does not count", child, Ended::Exited(0))
}
