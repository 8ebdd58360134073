//! Wait queues: whoever waits for something that has come goes on.
#![cfg(any(loom, shuttle))]

use std::sync::Arc;
use sync::twin::{self, Twin};
use sync::{CpuId, Flag, Published, order};
use waiting_models::actor::{Actor, handler};
use waiting_models::explore::Extent::{self, All, Preemptions};
use waiting_models::explore::{fails, holds};
use waiting_models::wait::{Deadline, Mutex, WaitQueue, wait_on};
use waiting_models::{KernelError, alarm, thread, wait};

/// One waits for a flag; an interrupt's handler on another CPU sets it and wakes.
fn one_waits() {
    let shared = Arc::new((WaitQueue::new(), Flag::new(false)));
    let theirs = shared.clone();
    let waker = handler(1, move |context| {
        theirs.1.set();
        theirs.0.wake_one(context);
    });
    Actor::new(0).play(|cx| shared.0.wait_until(cx, |_| shared.1.is_set().then_some(())));
    waker.join().unwrap();
}

#[test]
fn who_waits_hears_of_another_cpu() {
    holds(All, one_waits);
}

#[test]
#[should_panic(expected = "RegistersAfterLooking: deadlock")]
fn who_looks_and_then_registers_waits_for_ever() {
    fails(Twin::RegistersAfterLooking, All, one_waits);
}

#[test]
#[should_panic(expected = "BlockedMarkedLate: deadlock")]
fn who_is_marked_blocked_after_looking_forgets_the_wake() {
    fails(Twin::BlockedMarkedLate, All, one_waits);
}

/// Shuttle knows no store buffers.
#[test]
#[cfg(loom)]
#[should_panic(expected = "WakeTestsFirst: deadlock")]
fn a_waker_that_sees_the_thread_running_must_not_leave_it_alone() {
    fails(Twin::WakeTestsFirst, All, one_waits);
}

/// Things that come one by one.
fn take(things: &Published<u32>) -> Option<()> {
    let mut there = things.load();
    while there > 0 {
        match things.compare_exchange(there, there - 1) {
            Ok(_) => return Some(()),
            Err(now) => there = now,
        }
    }
    None
}

/// Two wait on a CPU each; two things come from a third, one wake each.
fn two_wait() {
    let shared = Arc::new((WaitQueue::new(), Published::<u32>::new(0)));
    let theirs = shared.clone();
    let other = Actor::new(1).start(move |cx| theirs.0.wait_until(cx, |_| take(&theirs.1)));
    let theirs = shared.clone();
    let producer = Actor::new(2).start(move |cx| {
        for _ in 0..2 {
            theirs.1.fetch_add(1);
            theirs.0.wake_one(cx);
        }
    });
    Actor::new(0).play(|cx| shared.0.wait_until(cx, |_| take(&shared.1)));
    producer.join().unwrap();
    other.join().unwrap();
}

#[test]
fn two_that_wait_get_a_wake_each() {
    holds(Preemptions(1), two_wait);
}

/// Two wait for one thing, and the first of them is called out: the thing's wake may be for the one who leaves.
fn one_is_interrupted() {
    let shared = Arc::new((WaitQueue::new(), Published::<u32>::new(0)));
    let leaver = Actor::new(0);
    let theirs = shared.clone();
    let stayer = Actor::new(1).start(move |cx| theirs.0.wait_until(cx, |_| take(&theirs.1)));
    let (theirs, called_out) = (shared.clone(), leaver.thread.clone());
    let producer = Actor::new(2).start(move |cx| {
        called_out.interrupt();
        theirs.1.fetch_add(1);
        theirs.0.wake_one(cx);
    });
    leaver.play(|cx| {
        if shared.0.wait_until_or_interrupted(cx, |_| take(&shared.1)).is_ok() {
            // It was the one who got it: one more for who stays.
            shared.1.fetch_add(1);
            shared.0.wake_one(cx);
        }
    });
    producer.join().unwrap();
    stayer.join().unwrap();
}

#[test]
fn who_leaves_after_being_chosen_passes_the_wake_on() {
    holds(Preemptions(1), one_is_interrupted);
}

#[test]
#[should_panic(expected = "ChosenLeavesSilently: deadlock")]
fn who_keeps_the_wake_leaves_the_next_asleep() {
    fails(Twin::ChosenLeavesSilently, Preemptions(2), one_is_interrupted);
}

/// The condition looks, and then takes a lock that sleeps: that wait, further up the stack, may swallow the wake.
fn the_condition_sleeps_too() {
    let shared = Arc::new((WaitQueue::new(), Flag::new(false), Mutex::<(), order::Node>::new(())));
    let theirs = shared.clone();
    let waker = Actor::new(1).start(move |cx| {
        let held = theirs.2.lock(cx);
        theirs.1.set();
        theirs.0.wake_one(cx);
        drop(held);
    });
    Actor::new(0).play(|cx| {
        shared.0.wait_until(cx, |cx| {
            let came = shared.1.is_set();
            drop(shared.2.lock(cx));
            came.then_some(())
        });
    });
    waker.join().unwrap();
}

#[test]
fn a_wake_that_an_inner_wait_swallows_is_not_lost() {
    holds(Preemptions(3), the_condition_sleeps_too);
}

/// The same with the lock in a third CPU's hands.
fn another_holds_the_lock() {
    let shared = Arc::new((WaitQueue::new(), Flag::new(false), Mutex::<(), order::Node>::new(())));
    let theirs = shared.clone();
    let holder = Actor::new(1).start(move |cx| drop(theirs.2.lock(cx)));
    let theirs = shared.clone();
    let waker = handler(2, move |context| {
        theirs.1.set();
        theirs.0.wake_one(context);
    });
    Actor::new(0).play(|cx| {
        shared.0.wait_until(cx, |cx| {
            let came = shared.1.is_set();
            drop(shared.2.lock(cx));
            came.then_some(())
        });
    });
    holder.join().unwrap();
    waker.join().unwrap();
}

#[test]
fn a_wake_swallowed_over_a_third_cpus_lock_is_not_lost() {
    holds(Preemptions(1), another_holds_the_lock);
}

/// One schedule in thousands: too few for shuttle.
#[test]
#[cfg(loom)]
#[should_panic(expected = "WakeBeforeReason: deadlock")]
fn a_wake_without_its_reason_is_lost_in_an_inner_wait() {
    fails(Twin::WakeBeforeReason, Preemptions(3), another_holds_the_lock);
}

/// The first CPU takes its thread off in the middle of falling asleep, each time.
fn preempted_in_the_middle(scenario: fn()) -> impl Fn() {
    fn preempt() {
        if sync::cpu::current() == CpuId::BOOT && sync::cpu::preemption_allowed() {
            thread::current::preempt_here();
        }
    }
    move || {
        twin::interrupt_with(Some(preempt));
        scenario();
    }
}

#[test]
fn who_is_preempted_while_falling_asleep_is_queued() {
    holds(Preemptions(3), preempted_in_the_middle(the_condition_sleeps_too));
}

#[test]
#[should_panic(expected = "PreemptionParks: deadlock")]
fn preemption_that_parks_loses_the_wake() {
    fails(Twin::PreemptionParks, Preemptions(3), preempted_in_the_middle(the_condition_sleeps_too));
}

/// A wake and a deadline at once: the wait ends, with either answer, and nothing is left of it.
fn a_deadline_passes() {
    wait::timers::initialise();
    let shared = Arc::new((WaitQueue::new(), Flag::new(false)));
    let interrupt = waiting_models::explore::spawn(|| {
        sync::cpu::host::play(CpuId::BOOT);
        alarm::play();
    });
    let theirs = shared.clone();
    let waker = handler(1, move |context| {
        theirs.1.set();
        theirs.0.wake_one(context);
    });
    Actor::new(0).play(|cx| {
        let came = shared.0.wait_until_or(cx, Deadline::at(5), false, |_| shared.1.is_set().then_some(()));
        assert!(matches!(came, Ok(()) | Err(KernelError::TimedOut)));
        assert!(!shared.0.has_waiters(cx), "a waiter is left");
    });
    alarm::stop(CpuId::BOOT);
    waker.join().unwrap();
    interrupt.join().unwrap();
}

#[test]
fn a_wait_with_a_deadline_ends() {
    holds(Preemptions(2), a_deadline_passes);
}

/// One watches two queues, another waits exclusively on the first: a wake of the first is for both.
fn one_watches_two() {
    let shared = Arc::new((WaitQueue::new(), WaitQueue::new(), Flag::new(false), Flag::new(false)));
    let theirs = shared.clone();
    let reader = Actor::new(1).start(move |cx| theirs.0.wait_until(cx, |_| theirs.2.is_set().then_some(())));
    let theirs = shared.clone();
    let producer = Actor::new(2).start(move |cx| {
        theirs.2.set();
        theirs.0.wake_one(cx);
        theirs.3.set();
        theirs.1.wake_one(cx);
    });
    Actor::new(0).play(|cx| {
        let both = |_: &mut _| (shared.2.is_set() && shared.3.is_set()).then_some(());
        assert_eq!(wait_on(cx, &[&shared.0, &shared.1], Deadline::NEVER, false, both), Ok(()));
    });
    producer.join().unwrap();
    reader.join().unwrap();
}

#[test]
fn who_watches_takes_no_wake_from_who_waits() {
    let extent: Extent = Preemptions(1);
    holds(extent, one_watches_two);
}

#[test]
#[should_panic(expected = "RegistersAfterLooking: deadlock")]
fn who_watches_and_registers_late_waits_for_ever() {
    fails(Twin::RegistersAfterLooking, Preemptions(2), one_watches_two);
}
