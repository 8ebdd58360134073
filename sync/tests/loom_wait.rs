//! How to wait, explored: wait queues over the park word's sticky wake, and a parent that waits for its
//! child. The rules in `libkernel::wait` come from here.
#![cfg(loom)]

use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering::*};
use loom::sync::{Condvar, Mutex};
use loom::thread;
use std::collections::VecDeque;
use std::sync::Arc;
use sync::Park;

/// A thread with the kernel's park word; a lock and a condition stand for "the scheduler runs it again".
/// loom reports a deadlock for one that nobody wakes.
struct Sleeper {
    park: Park,
    queued: Mutex<bool>,
    scheduler: Condvar,
}

impl Sleeper {
    fn new() -> Arc<Self> {
        Arc::new(Sleeper { park: Park::new(), queued: Mutex::new(false), scheduler: Condvar::new() })
    }

    /// Until a wake, or not at all if one came since the last sleep.
    fn sleep(&self) {
        if self.park.prepare() && !self.park.switched_out(true) {
            let mut queued = self.queued.lock().unwrap();
            while !*queued {
                queued = self.scheduler.wait(queued).unwrap();
            }
            *queued = false;
        }
        self.park.finish();
    }

    fn wake(&self) {
        if self.park.wake() {
            *self.queued.lock().unwrap() = true;
            self.scheduler.notify_one();
        }
    }
}

/// How a waker finds out that nobody waits.
#[derive(Clone, Copy, PartialEq)]
enum Empty {
    ChangesTheCount,
    LoadsTheCount,
    TakesTheLock,
}

struct Queue {
    waiting: Mutex<VecDeque<Arc<Sleeper>>>,
    count: AtomicUsize,
    empty: Empty,
    passes_on: bool,
}

impl Queue {
    fn new(empty: Empty, passes_on: bool) -> Self {
        Queue { waiting: Mutex::new(VecDeque::new()), count: AtomicUsize::new(0), empty, passes_on }
    }

    fn add(&self, sleeper: &Arc<Sleeper>) {
        self.waiting.lock().unwrap().push_back(sleeper.clone());
        self.count.fetch_add(1, AcqRel);
    }

    /// False when a waker had chosen the sleeper already; then the wake goes to the next.
    fn leave(&self, sleeper: &Arc<Sleeper>) {
        let mut waiting = self.waiting.lock().unwrap();
        let at = waiting.iter().position(|other| Arc::ptr_eq(other, sleeper));
        if let Some(at) = at {
            waiting.remove(at);
            self.count.fetch_sub(1, AcqRel);
        }
        drop(waiting);
        if at.is_none() && self.passes_on {
            self.wake_one();
        }
    }

    fn wake_one(&self) {
        let nobody = match self.empty {
            Empty::ChangesTheCount => self.count.fetch_add(0, AcqRel) == 0,
            Empty::LoadsTheCount => self.count.load(Acquire) == 0,
            Empty::TakesTheLock => false,
        };
        if nobody {
            return;
        }
        let chosen = self.waiting.lock().unwrap().pop_front();
        if let Some(chosen) = chosen {
            self.count.fetch_sub(1, AcqRel);
            chosen.wake();
        }
    }

    /// True when the condition came true, false when interrupted.
    fn wait(&self, me: &Arc<Sleeper>, condition: impl Fn() -> bool, interrupted: impl Fn() -> bool) -> bool {
        loop {
            if condition() {
                return true;
            }
            self.add(me);
            let came = condition();
            if came || interrupted() {
                self.leave(me);
                return came;
            }
            me.sleep();
            let chosen = !self.waiting.lock().unwrap().iter().any(|other| Arc::ptr_eq(other, me));
            if chosen && condition() {
                return true; // the wake was for this
            }
            self.leave(me);
            if interrupted() {
                return false;
            }
        }
    }
}

fn one_waits(empty: Empty) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(move || {
        let shared = Arc::new((Queue::new(empty, true), AtomicBool::new(false)));
        let theirs = shared.clone();
        let waker = thread::spawn(move || {
            theirs.1.store(true, Release);
            theirs.0.wake_one();
        });
        assert!(shared.0.wait(&Sleeper::new(), || shared.1.load(Acquire), || false));
        waker.join().unwrap();
    });
}

#[test]
fn a_waker_that_takes_the_lock_finds_the_waiter() {
    one_waits(Empty::TakesTheLock);
}

#[test]
fn a_waker_that_changes_the_count_finds_the_waiter() {
    one_waits(Empty::ChangesTheCount);
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_waker_that_only_loads_the_count_misses_the_waiter() {
    one_waits(Empty::LoadsTheCount);
}

/// Two readers on one queue, one item, and a signal for the first reader.
fn one_is_interrupted(passes_on: bool) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(2);
    model.check(move || {
        let queue = Queue::new(Empty::TakesTheLock, passes_on);
        let shared = Arc::new((queue, AtomicUsize::new(0), AtomicBool::new(false), Sleeper::new()));
        let second = shared.clone();
        let reader = thread::spawn(move || {
            let take = || second.1.fetch_update(AcqRel, Acquire, |items| items.checked_sub(1)).is_ok();
            assert!(second.0.wait(&Sleeper::new(), take, || false));
        });
        let third = shared.clone();
        let producer = thread::spawn(move || {
            third.2.store(true, Release);
            third.3.wake();
            third.1.fetch_add(1, AcqRel);
            third.0.wake_one();
        });
        assert!(!shared.0.wait(&shared.3, || false, || shared.2.load(Acquire)));
        producer.join().unwrap();
        reader.join().unwrap();
    });
}

#[test]
fn whoever_leaves_after_being_chosen_passes_the_wake_on() {
    one_is_interrupted(true);
}

#[test]
#[should_panic(expected = "deadlock")]
fn whoever_keeps_the_wake_leaves_the_next_asleep() {
    one_is_interrupted(false);
}

/// A parent waits for its child, looking and registering in one critical section or in two.
fn parent_waits(one_section: bool) {
    loom::model(move || {
        let table = Arc::new(Mutex::new((false, None::<Arc<Sleeper>>)));
        let theirs = table.clone();
        let child = thread::spawn(move || {
            let mut table = theirs.lock().unwrap();
            table.0 = true;
            let parent = table.1.take();
            drop(table);
            if let Some(parent) = parent {
                parent.wake();
            }
        });
        let me = Sleeper::new();
        loop {
            let mut seen = table.lock().unwrap();
            if seen.0 {
                break;
            }
            if !one_section {
                drop(seen);
                seen = table.lock().unwrap();
            }
            seen.1 = Some(me.clone());
            drop(seen);
            me.sleep();
        }
        child.join().unwrap();
    });
}

#[test]
fn a_parent_that_looks_and_registers_at_once_sees_its_child_die() {
    parent_waits(true);
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_parent_that_looks_and_then_registers_waits_for_ever() {
    parent_waits(false);
}
