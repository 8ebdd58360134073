//! What a donation promises, and what it must not do.

use super::tests::{HERE, MILLISECOND, Simulation, fair, real_time};
use super::*;
use std::vec::Vec;
use sync::CpuSet;

const TRIP: u64 = MILLISECOND / 50;

/// One thread runs; others wait here, each with a better right than one that comes later.
fn one_runs_before(waiting: usize) -> (Simulation, Arc<Thread>, Vec<Arc<Thread>>) {
    let mut simulation = Simulation::new();
    let donor = simulation.spawn("donor", fair(0));
    simulation.change(Departure::Preempted);
    let others = (0..waiting).map(|_| simulation.spawn("other", fair(0))).collect();
    simulation.now += TRIP;
    (simulation, donor, others)
}

fn donee() -> Arc<Thread> {
    Thread::for_test("donee", fair(0))
}

#[test]
fn the_next_switch_goes_to_whom_the_cpu_was_donated() {
    for departure in [Departure::Asleep, Departure::Dead, Departure::Yielding] {
        let (mut simulation, donor, others) = one_runs_before(3);
        let donee = donee();
        assert!(simulation.queue.donate(&donee, simulation.now));
        assert_eq!((donee.seat(), simulation.queue.waiting()), (Seat::Queued, 4));
        simulation.change(departure);
        assert!(simulation.runs(&donee), "{departure:?} gave the CPU to another");
        assert!(!simulation.runs(&donor) && others.iter().all(|other| other.seat() == Seat::Queued));
    }
}

#[test]
fn the_donee_comes_in_the_donors_place_and_nobody_else_notices() {
    let (mut simulation, donor, _others) = one_runs_before(1);
    let donee = donee();
    donee.standing.set_lag(-5);
    let deadline = donor.standing.virtual_deadline();
    assert!(simulation.queue.donate(&donee, simulation.now));
    simulation.now += TRIP;
    simulation.change(Departure::Asleep);
    assert_eq!((donee.standing.virtual_deadline(), donor.standing.lag()), (deadline, -5));
    let runtime = donee.standing.virtual_runtime();
    simulation.queue.charge(simulation.now);
    assert_eq!(donee.standing.virtual_runtime() - runtime, 2 * TRIP.cast_signed(), "the donor's last moments are nobody's");
}

#[test]
fn a_donee_of_another_weight_is_counted_as_what_it_is() {
    let (mut simulation, _donor, _others) = one_runs_before(1);
    let heavy = Thread::for_test("heavy", fair(-10));
    assert!(simulation.queue.donate(&heavy, simulation.now));
    simulation.change(Departure::Asleep);
    assert!(simulation.runs(&heavy));
    assert_eq!(heavy.standing.counted(), fair(-10));
}

#[test]
fn without_a_donation_the_newcomer_waits_for_its_turn() {
    let (mut simulation, _, _others) = one_runs_before(3);
    let newcomer = donee();
    simulation.add(&newcomer);
    simulation.change(Departure::Asleep);
    assert!(!simulation.runs(&newcomer));
}

#[test]
fn a_donation_is_for_one_switch_only() {
    let (mut simulation, donor, _others) = one_runs_before(2);
    let donee = donee();
    assert!(simulation.queue.donate(&donee, simulation.now));
    simulation.change(Departure::Asleep);
    assert!(simulation.runs(&donee));
    simulation.add(&donor);
    simulation.change(Departure::Asleep);
    assert!(!simulation.runs(&donor), "the first donation served twice");
}

#[test]
fn a_donor_that_is_preempted_has_dropped_the_donation() {
    let (mut simulation, donor, others) = one_runs_before(1);
    let donee = donee();
    assert!(simulation.queue.donate(&donee, simulation.now));
    simulation.now += 4 * MILLISECOND;
    assert!(simulation.queue.should_change(HERE, simulation.now));
    simulation.change(Departure::Preempted);
    assert!(simulation.runs(&others[0]), "preemption went to the donee, out of turn");
    assert_eq!((donee.seat(), donor.seat(), simulation.queue.waiting()), (Seat::Queued, Seat::Queued, 2));
}

#[test]
fn who_is_stolen_meanwhile_takes_the_donation_along() {
    let (mut simulation, _, _) = one_runs_before(0);
    let donee = donee();
    assert!(simulation.queue.donate(&donee, simulation.now));
    assert!(simulation.queue.steal(CpuId::new(1)).is_none(), "an idle CPU was faster than the donor");
    let stolen = simulation.queue.steal_donee_too(CpuId::new(1));
    assert!(stolen.is_some_and(|stolen| Arc::ptr_eq(&stolen, &donee)));
    assert_eq!((donee.seat(), simulation.queue.waiting()), (Seat::Nowhere, 0));
    simulation.change(Departure::Asleep);
    assert!(simulation.queue.is_idle(), "a thread ran here that another CPU has");
}

#[test]
fn thieves_take_others_first_and_only_what_they_may_run() {
    let (mut simulation, _, others) = one_runs_before(1);
    let donee = donee();
    donee.store_affinity(CpuSet::single(HERE));
    assert!(simulation.queue.donate(&donee, simulation.now));
    assert!(simulation.queue.steal_donee_too(CpuId::new(1)).is_some_and(|stolen| Arc::ptr_eq(&stolen, &others[0])));
    assert!(simulation.queue.steal_donee_too(CpuId::new(1)).is_none(), "the donee may not run there");
    simulation.change(Departure::Asleep);
    assert!(simulation.runs(&donee));
}

#[test]
fn one_that_is_taken_out_for_a_new_affinity_takes_the_donation_along() {
    let (mut simulation, _, others) = one_runs_before(1);
    let donee = donee();
    assert!(simulation.queue.donate(&donee, simulation.now));
    assert!(simulation.queue.dequeue(&donee).is_some());
    assert_eq!((donee.seat(), simulation.queue.waiting()), (Seat::Nowhere, 1));
    simulation.change(Departure::Asleep);
    assert!(simulation.runs(&others[0]));
}

#[test]
fn nobody_is_preferred_to_a_waiting_real_time_thread() {
    for departure in [Departure::Asleep, Departure::Yielding] {
        let (mut simulation, _, _others) = one_runs_before(1);
        let donee = donee();
        assert!(simulation.queue.donate(&donee, simulation.now));
        let urgent = simulation.spawn("urgent", real_time(Policy::Fifo, 1));
        simulation.change(departure);
        assert!(simulation.runs(&urgent));
        assert_eq!(donee.seat(), Seat::Queued);
    }
}

#[test]
fn real_time_idle_and_batch_threads_are_queued_as_usual() {
    let (mut simulation, _, _) = one_runs_before(0);
    for scheduling in [real_time(Policy::RoundRobin, 5), Scheduling { policy: Policy::Idle, ..fair(0) }] {
        let thread = Thread::for_test("t", scheduling);
        assert!(!simulation.queue.donate(&thread, simulation.now));
        assert_eq!((thread.seat(), simulation.queue.waiting()), (Seat::Nowhere, 0));
    }
    let mut idle = Simulation::new();
    assert!(!idle.queue.donate(&donee(), 0), "an idle CPU must be knocked at");
}

#[test]
fn a_second_donation_puts_the_first_into_the_queue() {
    let (mut simulation, _, _) = one_runs_before(0);
    let (first, second) = (donee(), donee());
    assert!(simulation.queue.donate(&first, simulation.now) && simulation.queue.donate(&second, simulation.now));
    assert_eq!((first.seat(), second.seat(), simulation.queue.waiting()), (Seat::Queued, Seat::Queued, 2));
    simulation.change(Departure::Asleep);
    assert!(simulation.runs(&second));
    simulation.change(Departure::Asleep);
    assert!(simulation.runs(&first));
}

#[test]
fn a_donor_that_does_not_sleep_is_timed_for_the_donee() {
    for policy in [fair(0), real_time(Policy::Fifo, 3)] {
        let mut simulation = Simulation::new();
        simulation.spawn("donor", policy);
        simulation.change(Departure::Preempted);
        assert_eq!(simulation.queue.slice_end(simulation.now), None);
        assert!(simulation.queue.donate(&donee(), simulation.now));
        let end = simulation.queue.slice_end(simulation.now);
        assert!(end.is_some_and(|end| end <= simulation.now + PATIENCE_NS), "idle CPUs are not offered the donee: {end:?}");
    }
}

/// Two hand the CPU to and fro, each running a moment; a third only runs. How long did each run, and how long did the
/// third wait at most?
fn ping_pong_beside(third: Scheduling, total: u64) -> ([u64; 3], u64) {
    let mut simulation = Simulation::new();
    let pair = [simulation.spawn("ping", fair(0)), Thread::for_test("pong", fair(0))];
    let third = simulation.spawn("third", third);
    let (mut ran, mut third_ran_at, mut longest) = ([0; 3], 0, 0);
    simulation.change(Departure::Preempted);
    while simulation.now < total {
        let until = simulation.queue.slice_end(simulation.now).unwrap_or(u64::MAX);
        let step = TRIP.min(until - simulation.now);
        simulation.now += step;
        match pair.iter().position(|thread| simulation.runs(thread)) {
            Some(number) => {
                ran[number] += step;
                let other = &pair[1 - number];
                if other.seat() == Seat::Nowhere {
                    assert!(simulation.queue.donate(other, simulation.now));
                }
                simulation.change(Departure::Asleep);
            }
            None => {
                ran[2] += step;
                third_ran_at = simulation.now;
                if simulation.queue.should_change(HERE, simulation.now) {
                    simulation.change(Departure::Preempted);
                }
            }
        }
        longest = longest.max(simulation.now - third_ran_at);
        assert!(simulation.runs(&third) || pair.iter().any(|thread| simulation.runs(thread)), "everyone sleeps");
    }
    (ran, longest)
}

#[test]
fn a_pair_that_donates_to_each_other_starves_nobody() {
    let (ran, longest) = ping_pong_beside(fair(0), 3_000 * MILLISECOND);
    let third = ran[2] / MILLISECOND;
    assert!((1_300..=1_700).contains(&third), "the pair has one share: of 3000 ms it and the third had {ran:?}");
    assert!(longest <= 7 * MILLISECOND, "the third waited {longest} ns");
}

#[test]
fn a_light_third_still_gets_its_share_and_a_heavy_one_its_own() {
    let (light, _) = ping_pong_beside(fair(10), 6_000 * MILLISECOND);
    let (heavy, _) = ping_pong_beside(fair(-10), 6_000 * MILLISECOND);
    assert!(light[2] >= 6_000 * MILLISECOND / 40, "nice 10 had {light:?}");
    assert!(heavy[2] >= 3_000 * MILLISECOND, "nice -10 had {heavy:?}");
}
