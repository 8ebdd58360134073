//! A thread is known to the kernel from its first instruction on: its own calls find it, and whoever writes to it wakes it.

use linux_tests::process::{Ended, fork, in_a_child, kill, wait};
use linux_tests::{call, done, must_equal};
use std::thread;

const ROUNDS: usize = 150;
const ALL_CPUS: u64 = u64::MAX;

fn main() {
    children_find_themselves();
    threads_find_themselves();
    children_are_ended_as_soon_as_they_are_there();
}

/// Calls that look for the caller's own thread.
fn finds_itself() -> bool {
    let parameter = 0_i32;
    let mut cpus = 0_u64;
    call!(SYS_sched_setaffinity, 0, 8, &ALL_CPUS as *const u64).is_ok()
        && call!(SYS_sched_getaffinity, 0, 8, &mut cpus as *mut u64).is_ok()
        && call!(SYS_sched_setscheduler, 0, libc::SCHED_OTHER, &parameter as *const i32).is_ok()
        && call!(SYS_tgkill, std::process::id(), call!(SYS_gettid).unwrap_or(0), 0).is_ok()
}

fn children_find_themselves() {
    let lost = (0..ROUNDS).filter(|_| in_a_child(|| i32::from(!finds_itself())) != Ended::Exited(0)).count();
    must_equal("children that did not find themselves", lost, 0);
}

fn threads_find_themselves() {
    let lost = (0..ROUNDS).filter(|_| !thread::spawn(finds_itself).join().unwrap_or(false)).count();
    must_equal("threads that did not find themselves", lost, 0);
}

fn children_are_ended_as_soon_as_they_are_there() {
    let others = (0..ROUNDS).filter(|_| {
        let child = fork(|| {
            loop {
                let _ended_by_a_signal = call!(SYS_pause);
            }
        });
        done("kill", kill(child, libc::SIGTERM));
        wait(child) != Ended::Killed(libc::SIGTERM)
    });
    must_equal("children that ended in another way", others.count(), 0);
}
