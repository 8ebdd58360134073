//! RLIMIT_CPU: a program that uses more processor time than it may is told, and then killed.

use linux_tests::process::{Ended, in_a_child};
use linux_tests::{call, check, done, equal, now, signal};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};
use std::thread;

fn main() {
    told_then_killed();
    threads_count_together();
    sleep_is_free();
}

static TIMES_TOLD: AtomicU32 = AtomicU32::new(0);
static TOLD_AT: AtomicU64 = AtomicU64::new(0);

extern "C" fn told(_: i32, _: *mut libc::siginfo_t, _: *mut libc::c_void) {
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

fn told_then_killed() {
    let ended = in_a_child(|| {
        signal::handle(libc::SIGXCPU, told, 0);
        limit(1, 100);
        while TIMES_TOLD.load(SeqCst) == 0 {
            work();
        }
        let at = TOLD_AT.load(SeqCst);
        i32::from(!(900_000_000..3_000_000_000).contains(&at))
    });
    equal("a program is told after a second of its limit", ended, Ended::Exited(0));
    let ended = in_a_child(|| {
        signal::set_disposition(libc::SIGXCPU, libc::SIG_IGN);
        limit(1, 1);
        loop {
            work();
        }
    });
    equal("at the hard limit it is killed, whatever it ignores", ended, Ended::Killed(libc::SIGKILL));
}

fn threads_count_together() {
    let ended = in_a_child(|| {
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
    equal("who has no handler dies of the soft limit, which all threads use up together", ended, Ended::Killed(libc::SIGXCPU));
}

fn sleep_is_free() {
    let ended = in_a_child(|| {
        limit(1, 1);
        linux_tests::sleep_ms(1_200);
        0
    });
    equal("time asleep does not count", ended, Ended::Exited(0));
    check("and the limit is the child's own", true);
}
