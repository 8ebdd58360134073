//! The sleeping lock: one holder at a time, and who waits for it gets it.
#![cfg(any(loom, shuttle))]

use std::sync::Arc;
use sync::twin::Twin;
use sync::{TaskContext, order};
use waiting_models::actor::Actor;
use waiting_models::explore::Extent::{All, Preemptions};
use waiting_models::explore::{Tally, fails, holds};
use waiting_models::wait::Mutex;

type Lock = Mutex<Tally, order::Node>;

fn count(cx: &mut TaskContext, lock: &Lock) {
    lock.lock(cx).add();
}

fn contended(cpus: usize) {
    let lock = Arc::new(Lock::new(Tally::default()));
    let start = |cpu| {
        let lock = lock.clone();
        Actor::new(cpu).start(move |cx| count(cx, &lock))
    };
    let others: Vec<_> = (1..cpus).map(start).collect();
    Actor::new(0).play(|cx| {
        count(cx, &lock);
        others.into_iter().for_each(|other| other.join().unwrap());
        assert_eq!(lock.lock(cx).get(), cpus as u32, "a count was lost");
    });
}

#[test]
fn two_hold_it_one_after_the_other() {
    holds(All, || contended(2));
}

#[test]
fn three_hold_it_one_after_the_other() {
    holds(Preemptions(2), || contended(3));
}

#[test]
#[should_panic(expected = "ReleaseLooksFirst: deadlock")]
fn a_holder_that_looks_for_waiters_before_it_lets_go_leaves_one_asleep() {
    fails(Twin::ReleaseLooksFirst, All, || contended(2));
}

#[test]
#[should_panic(expected = "LockForgetsOthers: deadlock")]
fn who_had_to_wait_and_forgets_the_others_leaves_them_asleep() {
    fails(Twin::LockForgetsOthers, Preemptions(2), || contended(3));
}

/// One only tries, and gives back what it must not have.
fn tried() {
    let lock = Arc::new(Lock::new(Tally::default()));
    let theirs = lock.clone();
    let other = Actor::new(1).start(move |cx| count(cx, &theirs));
    Actor::new(0).play(|cx| {
        let had = lock.try_lock(cx).map(|tally| tally.add()).is_some();
        other.join().unwrap();
        assert_eq!(lock.lock(cx).get(), 1 + u32::from(had), "a count was lost");
    });
}

#[test]
fn who_only_tries_leaves_nobody_asleep() {
    holds(All, tried);
}
