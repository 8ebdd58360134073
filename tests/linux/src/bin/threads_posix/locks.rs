//! Locks that know their owner, and what processes meet at: mutexes, barriers, semaphores with names.

use linux_tests::process::{Ended, fork, wait};
use linux_tests::{call, check, done, equal, errno, must_equal};
use std::ffi::{CString, c_int, c_void};
use std::mem::{MaybeUninit, zeroed};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicI32, Ordering::SeqCst};

use crate::{join, start};

/// Memory that children share; it stays for good.
fn shared<T>() -> *mut T {
    let (rights, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS);
    done("mmap", call!(SYS_mmap, 0, size_of::<T>().max(1), rights, flags, -1_isize, 0)) as *mut T
}

/// A mutex of a type, a protocol, for one process or for several, robust or not.
fn make_mutex(place: *mut libc::pthread_mutex_t, kind: c_int, protocol: c_int, is_shared: c_int, robust: c_int) {
    let mut attributes = MaybeUninit::uninit();
    let attributes = attributes.as_mut_ptr();
    // SAFETY: both places are ours.
    let all = unsafe {
        [
            libc::pthread_mutexattr_init(attributes),
            libc::pthread_mutexattr_settype(attributes, kind),
            libc::pthread_mutexattr_setprotocol(attributes, protocol),
            libc::pthread_mutexattr_setpshared(attributes, is_shared),
            libc::pthread_mutexattr_setrobust(attributes, robust),
            libc::pthread_mutex_init(place, attributes),
        ]
    };
    must_equal("a mutex is made", all, [0; 6]);
}

extern "C" fn tries(mutex: *mut c_void) -> *mut c_void {
    // SAFETY: it lives in a frame that joins this thread.
    unsafe { libc::pthread_mutex_trylock(mutex.cast()) as usize as *mut c_void }
}

extern "C" fn locks_often(pair: *mut c_void) -> *mut c_void {
    let pair = pair as *mut (libc::pthread_mutex_t, u64);
    for _ in 0..2_000 {
        // SAFETY: the number is touched under the mutex only.
        unsafe {
            libc::pthread_mutex_lock(&raw mut (*pair).0);
            (*pair).1 += 1;
            libc::pthread_mutex_unlock(&raw mut (*pair).0);
        }
    }
    null_mut()
}

pub fn locks_that_know_their_owner() {
    for (name, protocol) in [("a plain", libc::PTHREAD_PRIO_NONE), ("a lending", libc::PTHREAD_PRIO_INHERIT)] {
        // SAFETY: zeroes are a mutex, and soon it is made anew.
        let mut pair: (libc::pthread_mutex_t, u64) = unsafe { zeroed() };
        let mutex = &raw mut pair.0;
        make_mutex(mutex, libc::PTHREAD_MUTEX_ERRORCHECK, protocol, libc::PTHREAD_PROCESS_PRIVATE, libc::PTHREAD_MUTEX_STALLED);
        // SAFETY: the mutex lives in this frame.
        let (own, twice) = unsafe { (libc::pthread_mutex_lock(mutex), libc::pthread_mutex_lock(mutex)) };
        let other = join(start(tries, mutex as usize));
        // SAFETY: as above.
        let (freed, again) = unsafe { (libc::pthread_mutex_unlock(mutex), libc::pthread_mutex_unlock(mutex)) };
        let found = (own, twice, other, freed, again);
        equal(&format!("{name} mutex tells of errors"), found, (0, libc::EDEADLK, libc::EBUSY as usize, 0, libc::EPERM));
        let threads: Vec<_> = (0..6).map(|_| start(locks_often, &raw mut pair as usize)).collect();
        threads.into_iter().for_each(|thread| must_equal("it counted", join(thread), 0));
        // SAFETY: all threads are joined.
        equal(&format!("six threads count under {name} mutex"), unsafe { (&raw const pair.1).read() }, 12_000);
    }
}

pub fn robust_between_processes() {
    for (name, protocol) in [("a plain", libc::PTHREAD_PRIO_NONE), ("a lending", libc::PTHREAD_PRIO_INHERIT)] {
        let mutex = shared::<libc::pthread_mutex_t>();
        make_mutex(mutex, libc::PTHREAD_MUTEX_NORMAL, protocol, libc::PTHREAD_PROCESS_SHARED, libc::PTHREAD_MUTEX_ROBUST);
        // SAFETY: the mutex stays for good, in memory that the child shares.
        let child = fork(|| unsafe { libc::pthread_mutex_lock(mutex) });
        must_equal("the child has it", wait(child), Ended::Exited(0));
        // SAFETY: as above.
        let found = unsafe {
            [
                libc::pthread_mutex_lock(mutex),
                libc::pthread_mutex_consistent(mutex),
                libc::pthread_mutex_unlock(mutex),
                libc::pthread_mutex_lock(mutex),
                libc::pthread_mutex_unlock(mutex),
            ]
        };
        equal(&format!("{name} mutex outlives a process that had it"), found, [libc::EOWNERDEAD, 0, 0, 0, 0]);
    }
}

pub fn barrier_between_processes() {
    let place = shared::<(libc::pthread_barrier_t, AtomicI32)>();
    let mut attributes = MaybeUninit::uninit();
    // SAFETY: the barrier stays for good, in memory that the children share.
    unsafe {
        libc::pthread_barrierattr_init(attributes.as_mut_ptr());
        libc::pthread_barrierattr_setpshared(attributes.as_mut_ptr(), libc::PTHREAD_PROCESS_SHARED);
        must_equal("a barrier", libc::pthread_barrier_init(&raw mut (*place).0, attributes.as_ptr(), 4), 0);
    }
    let meet = || {
        for round in 1..=100 {
            // SAFETY: as above.
            unsafe {
                (*place).1.fetch_add(1, SeqCst);
                libc::pthread_barrier_wait(&raw mut (*place).0);
                must_equal("all are here", (*place).1.load(SeqCst), round * 4);
                libc::pthread_barrier_wait(&raw mut (*place).0);
            }
        }
        0
    };
    let children: Vec<_> = (0..4).map(|_| fork(meet)).collect();
    check("four processes meet a hundred times", children.into_iter().all(|child| wait(child) == Ended::Exited(0)));
}

pub fn named_semaphore() {
    let name = done("a name", CString::new(format!("/braid-threads-{}", std::process::id())));
    // SAFETY: the name ends with a zero; the semaphore is closed last.
    unsafe {
        let semaphore = libc::sem_open(name.as_ptr(), libc::O_CREAT | libc::O_EXCL, 0o600, 2);
        if semaphore == libc::SEM_FAILED {
            linux_tests::fail(&format!("sem_open: errno {}", errno()));
        }
        let twice = libc::sem_open(name.as_ptr(), libc::O_CREAT | libc::O_EXCL, 0o600, 2);
        equal("a name that is taken", (twice == libc::SEM_FAILED, errno()), (true, libc::EEXIST));
        let child = fork(|| {
            let mine = libc::sem_open(name.as_ptr(), 0);
            (0..3).map(|_| libc::sem_post(mine)).sum()
        });
        let taken = (0..5).filter(|_| libc::sem_wait(semaphore) == 0).count();
        must_equal("the child posts", wait(child), Ended::Exited(0));
        equal("two that were there and three of another process", (taken, libc::sem_trywait(semaphore), errno()), (5, -1, libc::EAGAIN));
        equal("its name goes", (libc::sem_unlink(name.as_ptr()), libc::sem_unlink(name.as_ptr()), errno()), (0, -1, libc::ENOENT));
        libc::sem_close(semaphore);
    }
}
