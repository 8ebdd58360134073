//! CpuMask, fence_full and ReferenceCount, explored: a write here, then a read there, on two CPUs at once.
#![cfg(loom)]

use loom::cell::UnsafeCell;
use loom::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::*};
use loom::sync::{Condvar, Mutex};
use loom::thread;
use std::sync::Arc;
use sync::{CpuId, CpuMask, CpuSet, Flag, ReferenceCount, fence_full};

const OTHER: CpuId = CpuId::new(1);

/// CPU 0 unmaps a page; CPU 1 is just switching to that address space. `enter` says "I may cache its
/// translations", `asked` is what CPU 0 then finds in the mask.
fn unmap_against_switch<M: Send + Sync + 'static>(new: fn() -> M, enter: fn(&M), asked: fn(&M) -> bool) {
    loom::model(move || {
        let space = Arc::new((new(), AtomicUsize::new(1)));
        let theirs = space.clone();
        let cpu = thread::spawn(move || {
            enter(&theirs.0);
            theirs.1.load(Relaxed) // the page walk
        });
        space.1.store(0, Relaxed);
        let told = asked(&space.0);
        let cached = cpu.join().unwrap();
        assert!(told || cached == 0, "STALE TLB: CPU 1 still maps the page, and nobody told it");
    });
}

#[test]
fn a_cpu_that_enters_is_told_or_sees_the_page_gone() {
    let enter = |mask: &CpuMask| assert!(mask.insert(OTHER));
    unmap_against_switch(|| CpuMask::new(CpuSet::EMPTY), enter, |mask| mask.load().contains(OTHER));
}

#[test]
#[should_panic(expected = "STALE TLB")]
fn a_mask_without_barriers_leaves_a_stale_translation() {
    unmap_against_switch(|| AtomicU64::new(0), |mask| mask.store(2, Release), |mask| mask.load(Acquire) & 2 != 0);
}

/// What `sti; hlt` waits for: an interrupt that came before it is not lost.
#[derive(Default)]
struct Interrupt(Mutex<bool>, Condvar);

impl Interrupt {
    fn wait(&self) {
        let mut came = self.0.lock().unwrap();
        while !*came {
            came = self.1.wait(came).unwrap();
        }
        *came = false;
    }

    fn send(&self) {
        *self.0.lock().unwrap() = true;
        self.1.notify_one();
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Idle {
    FlagThenFencedLook,
    FlagThenLockedLook,
    LookThenFlag,
    NoFence,
}

/// One CPU goes idle while another queues a thread for it, and knocks only if it finds it idle.
fn going_idle(how: Idle) {
    loom::model(move || {
        let cpu = Arc::new((Mutex::new(0), AtomicUsize::new(0), Flag::new(false), Interrupt::default()));
        let theirs = cpu.clone();
        let waker = thread::spawn(move || {
            let mut queue = theirs.0.lock().unwrap();
            *queue += 1;
            theirs.1.store(1, Relaxed);
            drop(queue);
            if how == Idle::FlagThenFencedLook {
                fence_full();
            }
            if theirs.2.is_set() {
                theirs.3.send();
            }
        });
        let (queue, length, idle, interrupt) = &*cpu;
        loop {
            let before = *queue.lock().unwrap() == 0;
            idle.set();
            let empty = match how {
                Idle::LookThenFlag => before,
                Idle::NoFence => length.load(Relaxed) == 0,
                Idle::FlagThenLockedLook => *queue.lock().unwrap() == 0,
                Idle::FlagThenFencedLook => {
                    fence_full();
                    length.load(Relaxed) == 0
                }
            };
            if !empty {
                break;
            }
            interrupt.wait();
        }
        waker.join().unwrap();
    });
}

#[test]
fn an_idle_flag_with_fences_is_seen_or_sees() {
    going_idle(Idle::FlagThenFencedLook);
}

#[test]
fn an_idle_flag_with_a_locked_look_is_seen_or_sees() {
    going_idle(Idle::FlagThenLockedLook);
}

#[test]
#[should_panic(expected = "deadlock")]
fn looking_before_the_idle_flag_sleeps_for_ever() {
    going_idle(Idle::LookThenFlag);
}

#[test]
#[should_panic(expected = "deadlock")]
fn an_idle_flag_without_fences_sleeps_for_ever() {
    going_idle(Idle::NoFence);
}

/// One CPU drops the last reference while another, who owns none, looks the thing up.
trait Count: 'static {
    fn new() -> Self;
    fn find(&self) -> bool;
    fn last(&self) -> bool;
}

impl Count for ReferenceCount {
    fn new() -> Self {
        ReferenceCount::new(1)
    }
    fn find(&self) -> bool {
        self.increment_unless_zero()
    }
    fn last(&self) -> bool {
        self.decrement()
    }
}

fn look_up_against_last_drop<C: Count>() {
    loom::model(|| {
        let thing = Arc::new((C::new(), UnsafeCell::new("alive"), AtomicBool::new(false)));
        let leave = |thing: &(C, UnsafeCell<&str>, AtomicBool)| {
            if thing.0.last() {
                // SAFETY: loom checks that nobody else is at it.
                thing.1.with_mut(|body| unsafe { *body = "freed" });
                assert!(!thing.2.swap(true, Relaxed), "FREED TWICE");
            }
        };
        let theirs = thing.clone();
        let reader = thread::spawn(move || {
            if theirs.0.find() {
                // SAFETY: as above.
                theirs.1.with(|body| assert_eq!(unsafe { *body }, "alive", "USED AFTER IT WAS FREED"));
                leave(&theirs);
            }
        });
        leave(&thing);
        reader.join().unwrap();
    });
}

#[test]
fn whoever_finds_a_thing_finds_it_alive() {
    look_up_against_last_drop::<ReferenceCount>();
}

/// Twin: counts up whatever the count was.
struct Blind(AtomicU64);

impl Count for Blind {
    fn new() -> Self {
        Blind(AtomicU64::new(1))
    }
    fn find(&self) -> bool {
        self.0.fetch_add(1, AcqRel);
        true
    }
    fn last(&self) -> bool {
        self.0.fetch_sub(1, AcqRel) == 1
    }
}

#[test]
#[should_panic(expected = "Concurrent read and write accesses")]
fn counting_up_from_zero_wakes_the_dead() {
    look_up_against_last_drop::<Blind>();
}

/// Twin: the last to leave does not wait for what the others did.
struct Relaxing(AtomicU64);

impl Count for Relaxing {
    fn new() -> Self {
        Relaxing(AtomicU64::new(1))
    }
    fn find(&self) -> bool {
        self.0.fetch_update(Relaxed, Relaxed, |count| if count == 0 { None } else { Some(count + 1) }).is_ok()
    }
    fn last(&self) -> bool {
        self.0.fetch_sub(1, Relaxed) == 1
    }
}

#[test]
#[should_panic(expected = "Causality violation: Concurrent")]
fn a_relaxed_count_frees_under_a_reader() {
    look_up_against_last_drop::<Relaxing>();
}
