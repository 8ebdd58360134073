//! Signals for one thread and for all, and what a fork by one of many leaves.

use linux_tests::process::{Ended, exit_now, fork, wait};
use linux_tests::{call, done, equal, must_equal};
use std::ffi::{c_int, c_void};
use std::mem::zeroed;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering::SeqCst};

use crate::{ENDED, doubled, join, start, waits_for_good};

static CAUGHT_BY: AtomicI32 = AtomicI32::new(0);

extern "C" fn catches(_: c_int) {
    CAUGHT_BY.store(own_number(), SeqCst);
}

fn own_number() -> i32 {
    done("gettid", call!(SYS_gettid)) as i32
}

/// Waits for a signal that every thread blocks.
extern "C" fn takes_a_signal(_: *mut c_void) -> *mut c_void {
    let mut signal = 0;
    // SAFETY: the places are ours.
    unsafe {
        let mut set = zeroed();
        libc::sigemptyset(&mut set);
        libc::sigaddset(&mut set, libc::SIGUSR1);
        must_equal("sigwait", libc::sigwait(&set, &mut signal), 0);
    }
    signal as usize as *mut c_void
}

extern "C" fn is_interrupted(number: *mut c_void) -> *mut c_void {
    // SAFETY: an atomic of the thread that joins this one.
    let number = unsafe { &*(number as *const AtomicI32) };
    number.store(own_number(), SeqCst);
    while CAUGHT_BY.load(SeqCst) == 0 {
        std::thread::yield_now();
    }
    usize::from(CAUGHT_BY.load(SeqCst) == own_number()) as *mut c_void
}

pub fn signals() {
    // SAFETY: the places are ours, the handler touches an atomic only.
    unsafe {
        let mut set = zeroed();
        libc::sigemptyset(&mut set);
        libc::sigaddset(&mut set, libc::SIGUSR1);
        libc::pthread_sigmask(libc::SIG_BLOCK, &set, null_mut());
        libc::signal(libc::SIGUSR2, catches as *const () as usize);
    }
    let threads: Vec<_> = (0..6).map(|_| start(takes_a_signal, 0)).collect();
    // SAFETY: none is joined yet.
    threads.iter().for_each(|&thread| must_equal("pthread_kill", unsafe { libc::pthread_kill(thread, libc::SIGUSR1) }, 0));
    equal("each thread waits for its own signal", threads.into_iter().map(join).sum::<usize>(), 6 * libc::SIGUSR1 as usize);
    let threads: Vec<_> = (0..6).map(|_| start(takes_a_signal, 0)).collect();
    for _ in &threads {
        must_equal("kill", call!(SYS_kill, std::process::id(), libc::SIGUSR1), Ok(0));
        // Two that nobody took yet would be one.
        while pending() {
            std::thread::yield_now();
        }
    }
    equal("a process's signal goes to one that waits", threads.into_iter().map(join).sum::<usize>(), 6 * libc::SIGUSR1 as usize);
    let number = AtomicI32::new(0);
    let thread = start(is_interrupted, &raw const number as usize);
    while number.load(SeqCst) == 0 {
        std::thread::yield_now();
    }
    // SAFETY: it is not joined yet.
    must_equal("pthread_kill", unsafe { libc::pthread_kill(thread, libc::SIGUSR2) }, 0);
    equal("a handler runs in the thread that was meant", join(thread), 1);
}

fn pending() -> bool {
    // SAFETY: the set is ours.
    unsafe {
        let mut set = zeroed();
        libc::sigpending(&mut set);
        libc::sigismember(&set, libc::SIGUSR1) == 1
    }
}

static STEPS: AtomicU32 = AtomicU32::new(0);

extern "C" fn before() {
    STEPS.fetch_add(1, SeqCst);
}

extern "C" fn in_the_parent() {
    STEPS.fetch_add(10, SeqCst);
}

extern "C" fn in_the_child() {
    STEPS.fetch_add(100, SeqCst);
}

extern "C" fn forks_here(_: *mut c_void) -> *mut c_void {
    let child = fork(|| {
        let threads = std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count);
        let is_first = std::process::id() as i32 == own_number();
        if (STEPS.load(SeqCst), threads, is_first) == (101, 1, true) { join(start(doubled, 6)) as i32 } else { 1 }
    });
    usize::from(wait(child) == Ended::Exited(12)) as *mut c_void
}

pub fn forks() {
    // SAFETY: the handlers touch an atomic only.
    must_equal("pthread_atfork", unsafe { libc::pthread_atfork(Some(before), Some(in_the_parent), Some(in_the_child)) }, 0);
    let forked = join(start(forks_here, 0));
    equal("a thread forks: handlers run, its copy is the child's first and only one", (forked, STEPS.load(SeqCst)), (1, 11));
    let child = fork(|| {
        start(waits_for_good, &raw const ENDED as usize);
        join(start(ends_all, 0)) as i32
    });
    equal("a thread ends its process", wait(child), Ended::Exited(33));
}

extern "C" fn ends_all(_: *mut c_void) -> *mut c_void {
    exit_now(33)
}
