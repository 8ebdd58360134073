//! What a run queue promises, tried on many walks.

use super::*;
use crate::thread::scheduling::{NORMAL_WEIGHT, Scheduling};
use std::collections::BTreeSet;
use std::{format, vec, vec::Vec};
use sync::CpuSet;

pub(super) const HERE: CpuId = CpuId::BOOT;
pub(super) const MILLISECOND: u64 = 1_000_000;

pub(super) fn fair(nice: i8) -> Scheduling {
    Scheduling { nice, ..Scheduling::NORMAL }
}

pub(super) fn real_time(policy: Policy, priority: u8) -> Scheduling {
    Scheduling { policy, nice: 0, priority }
}

/// One CPU without a machine: says who runs, and puts those back that leave.
pub(super) struct Simulation {
    pub(super) queue: RunQueue,
    pub(super) now: u64,
}

impl Simulation {
    pub(super) fn new() -> Self {
        Simulation { queue: RunQueue::new(), now: 0 }
    }

    pub(super) fn add(&mut self, thread: &Arc<Thread>) -> Reaction {
        self.queue.enqueue(thread.clone(), self.now)
    }

    pub(super) fn spawn(&mut self, name: &str, scheduling: Scheduling) -> Arc<Thread> {
        let thread = Thread::for_test(name, scheduling);
        self.add(&thread);
        thread
    }

    /// The CPU changes threads, or not; returns the one that left for good.
    pub(super) fn change(&mut self, departure: Departure) -> Option<Arc<Thread>> {
        let Choice::Change { leaving, afterwards, .. } = self.queue.choose(departure, HERE, self.now) else { return None };
        let leaving = leaving?;
        match afterwards {
            Afterwards::PutBack { first } => {
                self.queue.put_back(leaving, first);
                None
            }
            _ => {
                leaving.set_seat(Seat::Nowhere);
                Some(leaving)
            }
        }
    }

    pub(super) fn runs(&self, thread: &Thread) -> bool {
        self.queue.is_current(thread)
    }

    /// Lets time pass as the slice timer would, and returns how long each thread ran.
    pub(super) fn run_for(&mut self, nanoseconds: u64, threads: &[Arc<Thread>]) -> Vec<u64> {
        let mut ran = vec![0; threads.len()];
        let end = self.now + nanoseconds;
        while self.now < end {
            self.change(Departure::Preempted);
            let until = self.queue.slice_end(self.now).unwrap_or(end).min(end);
            if let Some(running) = threads.iter().position(|thread| self.runs(thread)) {
                ran[running] += until - self.now;
            }
            self.now = until;
        }
        ran
    }
}

#[test]
fn equal_threads_get_equal_time() {
    let mut simulation = Simulation::new();
    let threads: Vec<_> = (0..7).map(|number| simulation.spawn(&format!("t{number}"), fair(0))).collect();
    let ran = simulation.run_for(2_100 * MILLISECOND, &threads);
    for time in &ran {
        assert!(time.abs_diff(300 * MILLISECOND) <= 6 * MILLISECOND, "{ran:?}");
    }
}

#[test]
fn time_is_shared_by_weight() {
    let mut simulation = Simulation::new();
    let nices = [-5, 0, 5, 10];
    let threads: Vec<_> = nices.iter().map(|&nice| simulation.spawn("t", fair(nice))).collect();
    let total = 20_000 * MILLISECOND;
    let ran = simulation.run_for(total, &threads);
    let weights: Vec<u64> = nices.iter().map(|&nice| fair(nice).weight()).collect();
    let sum: u64 = weights.iter().sum();
    for (time, weight) in ran.iter().zip(&weights) {
        let due = total * weight / sum;
        assert!(time.abs_diff(due) < due / 20 + 10 * MILLISECOND, "{ran:?}, due {due}");
    }
}

#[test]
fn nobody_waits_longer_than_a_slice_of_everyone() {
    const COUNT: usize = 10;
    let mut simulation = Simulation::new();
    let threads: Vec<_> = (0..COUNT).map(|_| simulation.spawn("t", fair(0))).collect();
    let mut last_ran = [0; COUNT];
    for _ in 0..1000 {
        let ran = simulation.run_for(MILLISECOND, &threads);
        for (last, time) in last_ran.iter_mut().zip(ran) {
            if time != 0 {
                *last = simulation.now;
            }
            assert!(simulation.now - *last <= 2 * COUNT as u64 * 3 * MILLISECOND, "someone starves");
        }
    }
}

#[test]
fn one_that_sleeps_much_runs_soon_after_it_wakes() {
    let mut simulation = Simulation::new();
    let hogs: Vec<_> = (0..3).map(|_| simulation.spawn("hog", fair(0))).collect();
    let sleeper = simulation.spawn("sleeper", fair(0));
    let mut everyone = hogs.clone();
    everyone.push(sleeper.clone());
    simulation.run_for(50 * MILLISECOND, &everyone);
    for _ in 0..50 {
        while !simulation.runs(&sleeper) {
            simulation.run_for(MILLISECOND / 4, &everyone);
        }
        simulation.now += MILLISECOND / 10;
        assert!(simulation.change(Departure::Asleep).is_some());
        simulation.run_for(20 * MILLISECOND, &hogs);
        simulation.add(&sleeper);
        let woken = simulation.now;
        while !simulation.runs(&sleeper) {
            simulation.run_for(MILLISECOND / 4, &everyone);
        }
        assert!(simulation.now - woken <= 10 * MILLISECOND, "waited {} ns", simulation.now - woken);
    }
}

#[test]
fn sleeping_does_not_wash_away_what_one_had_too_much() {
    let mut simulation = Simulation::new();
    let honest = simulation.spawn("honest", fair(0));
    let cheat = simulation.spawn("cheat", fair(0));
    let both = [honest.clone(), cheat.clone()];
    let mut cheated = 0;
    for _ in 0..400 {
        let ran = simulation.run_for(MILLISECOND, &both);
        cheated += ran[1];
        if simulation.runs(&cheat) && simulation.change(Departure::Asleep).is_some() {
            simulation.add(&cheat);
        }
    }
    assert!(cheated <= 230 * MILLISECOND, "the cheat got {} of 400 ms", cheated / MILLISECOND);
}

#[test]
fn real_time_goes_first_by_priority_and_fifo_runs_on() {
    let mut simulation = Simulation::new();
    let ordinary = simulation.spawn("ordinary", fair(-20));
    simulation.change(Departure::Preempted);
    assert!(simulation.runs(&ordinary));
    let low = Thread::for_test("low", real_time(Policy::Fifo, 10));
    assert_eq!(simulation.add(&low), Reaction::Reschedule);
    simulation.change(Departure::Preempted);
    assert!(simulation.runs(&low));
    let equal = Thread::for_test("equal", real_time(Policy::Fifo, 10));
    assert_eq!(simulation.add(&equal), Reaction::Nothing);
    simulation.now += 1000 * MILLISECOND;
    simulation.change(Departure::Preempted);
    assert!(simulation.runs(&low), "a FIFO thread lost its CPU to an equal");
    let high = Thread::for_test("high", real_time(Policy::RoundRobin, 11));
    assert_eq!(simulation.add(&high), Reaction::Reschedule);
    simulation.change(Departure::Preempted);
    assert!(simulation.runs(&high));
    assert!(simulation.change(Departure::Asleep).is_some());
    assert!(simulation.runs(&low), "the interrupted one lost its place before its equal");
    simulation.change(Departure::Yielding);
    assert!(simulation.runs(&equal), "a yield did not let the equal go first");
}

#[test]
fn round_robin_takes_turns_among_equals() {
    let mut simulation = Simulation::new();
    let threads: Vec<_> = (0..3).map(|_| simulation.spawn("t", real_time(Policy::RoundRobin, 5))).collect();
    let ran = simulation.run_for(900 * MILLISECOND, &threads);
    assert_eq!(ran, [300 * MILLISECOND; 3]);
}

#[test]
fn a_real_time_loop_leaves_the_others_a_twentieth() {
    for policy in [Policy::Fifo, Policy::RoundRobin] {
        let mut simulation = Simulation::new();
        let threads = [("loop", real_time(policy, 50)), ("other", fair(0)), ("low", real_time(Policy::Fifo, 1))];
        let threads: Vec<_> = threads.iter().map(|(name, scheduling)| simulation.spawn(name, *scheduling)).collect();
        let ran = simulation.run_for(10_000 * MILLISECOND, &threads);
        assert!(ran[0].abs_diff(9_500 * MILLISECOND) <= 10 * MILLISECOND, "{policy:?}: {ran:?}");
        assert!(ran[1].abs_diff(500 * MILLISECOND) <= 10 * MILLISECOND, "{policy:?}: {ran:?}");
    }
    let mut alone = Simulation::new();
    let threads = [alone.spawn("loop", real_time(Policy::Fifo, 50))];
    assert_eq!(alone.run_for(5_000 * MILLISECOND, &threads), [5_000 * MILLISECOND], "a CPU idled for the throttle's sake");
}

#[test]
fn an_idle_cpu_reschedules_for_anyone_and_a_lone_thread_is_not_timed() {
    let mut simulation = Simulation::new();
    let lone = Thread::for_test("lone", fair(0));
    assert_eq!(simulation.add(&lone), Reaction::Reschedule);
    simulation.change(Departure::Preempted);
    assert_eq!(simulation.queue.slice_end(simulation.now), None);
    let company = Thread::for_test("company", Scheduling { policy: Policy::Batch, ..fair(0) });
    assert_eq!(simulation.add(&company), Reaction::TimeSlice);
    assert_eq!(simulation.add(&Thread::for_test("more", Scheduling { policy: Policy::Batch, ..fair(0) })), Reaction::Nothing);
    assert!(simulation.queue.slice_end(simulation.now).is_some());
}

#[test]
fn a_thief_gets_only_what_it_may_run() {
    let thief = CpuId::new(1);
    let mut queue = RunQueue::new();
    let pinned = Thread::for_test("pinned", fair(0));
    pinned.store_affinity(CpuSet::single(HERE));
    queue.enqueue(pinned, 0);
    assert!(queue.steal(thief).is_none());
    let free = Thread::for_test("free", fair(0));
    queue.enqueue(free.clone(), 0);
    assert!(queue.steal(thief).is_some_and(|stolen| Arc::ptr_eq(&stolen, &free)));
    assert_eq!((free.seat(), queue.waiting()), (Seat::Nowhere, 1));
}

#[test]
fn one_whose_cpu_was_forbidden_leaves_it() {
    let mut simulation = Simulation::new();
    let thread = simulation.spawn("thread", fair(0));
    simulation.change(Departure::Preempted);
    thread.store_affinity(CpuSet::single(CpuId::new(3)));
    assert!(simulation.queue.should_change(HERE, simulation.now));
    let Choice::Change { leaving, next, afterwards } = simulation.queue.choose(Departure::Preempted, HERE, 0) else { panic!("it stayed") };
    assert!(leaving.is_some() && next.is_none());
    assert_eq!(afterwards, Afterwards::FindCpu);
}

/// A small generator, so that a walk is the same at every run.
struct Walk(u64);

impl Walk {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    fn scheduling(&mut self) -> Scheduling {
        match self.below(5) {
            0 => real_time(Policy::Fifo, 1 + self.below(4) as u8),
            1 => real_time(Policy::RoundRobin, 1 + self.below(4) as u8),
            2 => Scheduling { policy: Policy::Idle, ..fair(0) },
            _ => fair(self.below(40) as i8 - 20),
        }
    }
}

#[test]
fn no_thread_is_lost_or_doubled_on_any_walk() {
    for seed in 0..40 {
        let mut walk = Walk(seed);
        let mut simulation = Simulation::new();
        let threads: Vec<_> = (0..12).map(|_| Thread::for_test("t", walk.scheduling())).collect();
        for _ in 0..2000 {
            let thread = &threads[walk.below(12) as usize];
            match walk.below(8) {
                7 if thread.seat() == Seat::Nowhere => drop(simulation.queue.donate(thread, simulation.now)),
                0 | 1 if thread.seat() == Seat::Nowhere => drop(simulation.add(thread)),
                2 if thread.seat() == Seat::Queued => assert!(simulation.queue.dequeue(thread).is_some()),
                3 => drop(simulation.change(Departure::Asleep)),
                4 => drop(simulation.change(Departure::Yielding)),
                5 => {
                    thread.standing.want(walk.scheduling());
                    if simulation.runs(thread) {
                        simulation.queue.reconsider_current(simulation.now);
                    }
                }
                _ => drop(simulation.change(Departure::Preempted)),
            }
            simulation.now += walk.below(4 * MILLISECOND);
            let queued = threads.iter().filter(|thread| thread.seat() == Seat::Queued).count();
            let running: Vec<_> = threads.iter().filter(|thread| thread.seat() == Seat::Running).collect();
            assert_eq!(queued, simulation.queue.waiting());
            assert!(running.len() <= 1 && running.iter().all(|thread| simulation.runs(thread)));
        }
        let runnable: BTreeSet<_> = threads.iter().filter(|thread| thread.is_runnable()).map(|thread| thread.id()).collect();
        simulation.change(Departure::Preempted);
        let came_out: Vec<_> = core::iter::from_fn(|| simulation.change(Departure::Asleep)).map(|thread| thread.id()).collect();
        assert_eq!(came_out.len(), runnable.len());
        assert_eq!(BTreeSet::from_iter(came_out), runnable);
    }
}

#[test]
fn a_weight_is_the_unit_at_nice_zero() {
    assert_eq!(fair(0).weight(), NORMAL_WEIGHT);
}
