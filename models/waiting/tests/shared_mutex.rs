//! The shared sleeping lock: who changes is alone, who looks is not disturbed, and nobody is left asleep.
#![cfg(any(loom, shuttle))]

use std::sync::Arc;
use sync::twin::Twin;
use sync::{TaskContext, order};
use waiting_models::actor::Actor;
use waiting_models::explore::Extent::Preemptions;
use waiting_models::explore::{Extent, Tally, fails, holds};
use waiting_models::wait::SharedMutex;

/// Two that are changed together.
type Lock = SharedMutex<[Tally; 2], order::Node>;

fn lock() -> Arc<Lock> {
    Arc::new(Lock::new(Default::default()))
}

fn change(cx: &mut TaskContext, lock: &Lock) {
    lock.lock(cx).iter().for_each(Tally::add);
}

fn look(cx: &mut TaskContext, lock: &Lock) -> u32 {
    let both = lock.share(cx);
    let (one, other) = (both[0].get(), both[1].get());
    assert_eq!(one, other, "a change was seen half done");
    one
}

/// One changes, one looks: before or after, never meanwhile.
fn one_of_each() {
    let lock = lock();
    let theirs = lock.clone();
    let other = Actor::new(1).start(move |cx| change(cx, &theirs));
    Actor::new(0).play(|cx| {
        assert!(look(cx, &lock) <= 1);
        other.join().unwrap();
        assert_eq!(look(cx, &lock), 1, "a change was lost");
    });
}

/// Two change.
fn two_writers() {
    let lock = lock();
    let theirs = lock.clone();
    let other = Actor::new(1).start(move |cx| change(cx, &theirs));
    Actor::new(0).play(|cx| {
        change(cx, &lock);
        other.join().unwrap();
        assert_eq!(look(cx, &lock), 2, "a change was lost");
    });
}

/// Two look, and a third changes.
fn two_readers() {
    let lock = lock();
    let start = |cpu| {
        let lock = lock.clone();
        Actor::new(cpu).start(move |cx| assert!(look(cx, &lock) <= 1))
    };
    let others: Vec<_> = (1..3).map(start).collect();
    Actor::new(0).play(|cx| {
        change(cx, &lock);
        others.into_iter().for_each(|other| other.join().unwrap());
    });
}

#[test]
fn who_looks_sees_all_of_a_change_or_nothing() {
    holds(EXTENT, one_of_each);
}

#[test]
fn two_change_one_after_the_other() {
    holds(EXTENT, two_writers);
}

#[test]
fn two_look_while_a_third_wants_to_change() {
    holds(Preemptions(2), two_readers);
}

/// Every execution of these is more than anyone waits for.
const EXTENT: Extent = Preemptions(5);

#[test]
#[should_panic(expected = "LooksBeforeEntering")]
fn a_reader_that_looks_before_it_counts_meets_a_writer() {
    fails(Twin::LooksBeforeEntering, EXTENT, one_of_each);
}

#[test]
#[should_panic(expected = "LooksBeforeClosing")]
fn a_writer_that_looks_before_it_says_so_meets_a_reader() {
    fails(Twin::LooksBeforeClosing, EXTENT, one_of_each);
}

#[test]
#[should_panic(expected = "LastReaderSilent: deadlock")]
fn a_reader_that_ends_silently_leaves_the_writer_asleep() {
    fails(Twin::LastReaderSilent, EXTENT, one_of_each);
}

#[test]
#[should_panic(expected = "TurnedAwaySilent: deadlock")]
fn a_reader_that_turns_back_silently_leaves_the_writer_asleep() {
    fails(Twin::TurnedAwaySilent, EXTENT, one_of_each);
}
