//! No CPU rests while a thread waits for another that is busy.
#![cfg(shuttle)]

use scheduling_models::boot::{Part, run};
use scheduling_models::explore::Extent::Preemptions;
use scheduling_models::explore::{Condvar, Mutex, fails, holds};
use scheduling_models::wait::WaitQueue;
use std::sync::Arc;
use sync::twin::Twin;
use sync::{Flag, TaskContext};

fn part(part: impl FnOnce(&mut TaskContext) + Send + 'static) -> Part {
    Box::new(part)
}

/// One wakes another and stays on its CPU until that one has run; the second CPU is just done with something else.
fn the_waker_stays_busy() {
    let shared = Arc::new((WaitQueue::new(), Flag::new(false), Mutex::new(false), Condvar::new()));
    let theirs = shared.clone();
    let sleeper = part(move |cx| {
        theirs.0.wait_until(cx, |_| theirs.1.is_set().then_some(()));
        *theirs.2.lock().unwrap() = true;
        theirs.3.notify_one();
    });
    let waker = part(move |cx| {
        scheduling_models::sched::yield_now(cx);
        shared.1.set();
        shared.0.wake_one(cx);
        let mut has_run = shared.2.lock().unwrap();
        while !*has_run {
            has_run = shared.3.wait(has_run).unwrap();
        }
    });
    let something_else = part(|cx| scheduling_models::sched::yield_now(cx));
    run(2, vec![sleeper, waker, something_else]);
}

#[test]
fn an_idle_cpu_takes_what_waits_behind_another() {
    holds(Preemptions(0), the_waker_stays_busy);
}

#[test]
#[should_panic(expected = "IdleLooksThenMarks: deadlock")]
fn a_cpu_that_looks_before_it_marks_itself_idle_sleeps_on() {
    fails(Twin::IdleLooksThenMarks, Preemptions(0), the_waker_stays_busy);
}
