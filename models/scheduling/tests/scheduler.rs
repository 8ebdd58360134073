//! Threads, wait queues and CPUs together: whoever may run, runs, once, and to the end.
#![cfg(any(loom, shuttle))]

use scheduling_models::apic::interrupt_may_come;
use scheduling_models::boot::{Part, run};
use scheduling_models::explore::Extent::Preemptions;
use scheduling_models::explore::{fails, holds};
#[cfg(shuttle)]
use scheduling_models::wait::Mutex;
use scheduling_models::wait::WaitQueue;
use std::sync::Arc;
use sync::twin::Twin;
use sync::{Flag, SpinLock, TaskContext, order};

const CPUS: usize = if cfg!(loom) { 2 } else { 3 };

fn part(part: impl FnOnce(&mut TaskContext) + Send + 'static) -> Part {
    Box::new(part)
}

/// One thread waits for the other.
fn one_wakes_another() {
    let shared = Arc::new((WaitQueue::new(), Flag::new(false)));
    let theirs = shared.clone();
    run(
        CPUS,
        vec![
            part(move |cx| shared.0.wait_until(cx, |_| shared.1.is_set().then_some(()))),
            part(move |cx| {
                theirs.1.set();
                theirs.0.wake_one(cx);
            }),
        ],
    );
}

#[test]
fn a_woken_thread_runs() {
    holds(Preemptions(1), one_wakes_another);
}

#[test]
#[should_panic(expected = "NoKnock: deadlock")]
fn a_cpu_that_nobody_knocks_at_sleeps_on() {
    fails(Twin::NoKnock, Preemptions(2), one_wakes_another);
}

/// With three preemptions at least: too many for loom.
#[test]
#[cfg(shuttle)]
#[should_panic(expected = "QueuedBeforeSaved: a thread runs on")]
fn a_thread_queued_before_it_is_saved_runs_on_half_a_context() {
    fails(Twin::QueuedBeforeSaved, Preemptions(2), one_wakes_another);
}

#[test]
#[cfg(shuttle)]
#[should_panic(expected = "RegistersAfterLooking: deadlock")]
fn registering_late_loses_the_wake_in_the_whole_machine_too() {
    fails(Twin::RegistersAfterLooking, Preemptions(2), one_wakes_another);
}

/// A value goes to and fro, the CPU with it; other CPUs steal.
fn ping_pong() {
    let shared = Arc::new((WaitQueue::new(), SpinLock::<u32, order::Pipe>::new(0)));
    let play = |shared: Arc<(WaitQueue, SpinLock<u32, order::Pipe>)>, mine: u32| {
        part(move |cx: &mut TaskContext| {
            let rounds = if cfg!(loom) { 1 } else { 3 };
            for _ in 0..rounds {
                shared.0.wait_until(cx, |cx| (*shared.1.lock(cx) % 2 == mine).then_some(()));
                *shared.1.lock(cx) += 1;
                shared.0.wake_all_donating(cx);
                interrupt_may_come();
            }
        })
    };
    run(CPUS, vec![play(shared.clone(), 0), play(shared, 1)]);
}

#[test]
fn a_donated_cpu_is_used_or_given_back() {
    holds(Preemptions(2), ping_pong);
}

/// A turn goes round among more threads than a CPU can be donated to at once.
#[cfg(shuttle)]
fn players_take_turns() {
    const PLAYERS: u32 = 4;
    let shared = Arc::new((WaitQueue::new(), SpinLock::<u32, order::Pipe>::new(0)));
    let play = |mine: u32| {
        let shared = shared.clone();
        part(move |cx: &mut TaskContext| {
            for _ in 0..3 {
                shared.0.wait_until(cx, |cx| (*shared.1.lock(cx) % PLAYERS == mine).then_some(()));
                *shared.1.lock(cx) += 1;
                shared.0.wake_all_donating(cx);
                interrupt_may_come();
            }
        })
    };
    run(CPUS, (0..PLAYERS).map(play).collect());
}

#[test]
#[cfg(shuttle)]
fn the_turn_goes_round() {
    holds(Preemptions(0), players_take_turns);
}

/// Several of them, with a lock between, on fewer CPUs than threads.
#[cfg(shuttle)]
fn many_at_work() {
    struct Shared {
        total: Mutex<u32, order::Node>,
        slot: SpinLock<Option<u32>, order::Pipe>,
        filled: WaitQueue,
        emptied: WaitQueue,
    }
    const ROUNDS: u32 = 3;
    let shared = Arc::new(Shared { total: Mutex::new(0), slot: SpinLock::new(None), filled: WaitQueue::new(), emptied: WaitQueue::new() });
    let count = |cx: &mut TaskContext, shared: &Shared| {
        let mut total = shared.total.lock(cx);
        let before = *total;
        scheduling_models::sched::yield_now(cx);
        *total = before + 1;
    };
    let producer = |shared: Arc<Shared>| {
        part(move |cx: &mut TaskContext| {
            for round in 0..ROUNDS {
                shared.emptied.wait_until(cx, |cx| {
                    let mut slot = shared.slot.lock(cx);
                    slot.is_none().then(|| *slot = Some(round))
                });
                shared.filled.wake_one_donating(cx);
                interrupt_may_come();
                count(cx, &shared);
            }
        })
    };
    let consumer = |shared: Arc<Shared>| {
        part(move |cx: &mut TaskContext| {
            for _ in 0..ROUNDS {
                shared.filled.wait_until(cx, |cx| shared.slot.lock(cx).take());
                shared.emptied.wake_one(cx);
                interrupt_may_come();
                count(cx, &shared);
            }
            if *shared.total.lock(cx) > 4 * ROUNDS {
                panic!("counted too much");
            }
        })
    };
    let parts = vec![producer(shared.clone()), consumer(shared.clone()), producer(shared.clone()), consumer(shared)];
    run(CPUS, parts);
}

#[test]
#[cfg(shuttle)]
fn everybody_comes_to_the_end() {
    holds(Preemptions(0), many_at_work);
}

#[test]
#[cfg(shuttle)]
#[should_panic(expected = "DonationKept: ")]
fn a_donation_that_stays_behind_is_found() {
    fails(Twin::DonationKept, Preemptions(0), players_take_turns);
}

#[test]
#[cfg(shuttle)]
#[should_panic(expected = "DonationForgotten: deadlock")]
fn a_donation_that_is_dropped_is_found() {
    fails(Twin::DonationForgotten, Preemptions(0), players_take_turns);
}

#[test]
#[cfg(shuttle)]
#[should_panic(expected = "NoKnock: deadlock")]
fn a_missing_knock_is_found_among_many() {
    fails(Twin::NoKnock, Preemptions(0), players_take_turns);
}
