//! Waiters that are moved to another word: one wake there is for one of them, wherever each is just then.
#![cfg(any(loom, shuttle))]

use futex_models::actor::Actor;
use futex_models::address_space::user::word;
use futex_models::explore::Extent::{All, Preemptions};
use futex_models::explore::{fails, holds, stop};
use futex_models::futex::table::Word;
use futex_models::futex::wait::enter;
use futex_models::futex::waiter::Waiter;
use futex_models::futex::wake::{Two, requeue, wake};
use futex_models::futex::{ALL_BITS, Until, Wish, wait};
use futex_models::people;
use sync::TaskContext;
use sync::twin::Twin;

const WISH: Wish = Wish { address: word(0), value: 0, bits: ALL_BITS, is_private: true };

/// All that wait for the first word wait for the second then; how many?
fn move_all(cx: &mut TaskContext) -> usize {
    let two = Two { words: [(word(0), true), (word(1), true)], woken: 0, second: 9 };
    requeue(cx, two, None).unwrap()
}

fn wake_moved(cx: &mut TaskContext) -> usize {
    wake(cx, word(1), true, ALL_BITS, 1).unwrap()
}

/// One CPU moves two waiters, the other wakes where they go.
fn two_are_moved() {
    Actor::new(0).play(|cx| {
        let word = Word::at(cx, WISH.address, true).unwrap();
        let waiters = [Waiter::new(), Waiter::new()];
        waiters.iter().for_each(|waiter| enter(cx, &word, WISH, waiter).unwrap());
        let mover = Actor::new(1).start(|cx| assert_eq!(move_all(cx), 2));
        let (first, second) = (wake_moved(cx), wake_moved(cx));
        if first > second {
            stop("a wake passed by one who had been moved");
        }
        mover.join().unwrap();
        let later = (first + second..2).map(|_| wake_moved(cx)).sum::<usize>();
        assert_eq!(first + second + later, 2, "a wake each");
        assert!(waiters.iter().all(|waiter| waiter.is_woken()) && wake_moved(cx) == 0);
    });
}

#[test]
fn who_is_moved_is_found_there() {
    holds(All, two_are_moved);
}

#[test]
#[should_panic(expected = "MovedCountedLate: a wake passed by one who had been moved")]
fn waiters_counted_late_are_passed_by() {
    fails(Twin::MovedCountedLate, All, two_are_moved);
}

/// One waits and is called out while another moves it, and perhaps wakes it there.
fn the_moved_one_gives_up(is_woken: bool) {
    let waiter = Actor::new(0);
    let me = people::enrol(&waiter, 1);
    let called_out = waiter.thread.clone();
    let mover = Actor::new(1).start(move |cx| {
        called_out.interrupt();
        move_all(cx);
        if is_woken { wake_moved(cx) } else { 0 }
    });
    waiter.play(|cx| {
        let slept = wait(cx, &me, WISH, Until::Never);
        if mover.join().unwrap() != usize::from(slept.is_ok()) {
            stop("a wake and the wait that it ended do not go together");
        }
        if wake_moved(cx) + wake(cx, word(0), true, ALL_BITS, 1).unwrap() != 0 {
            stop("a wake was for a wait that is over");
        }
    });
}

#[test]
fn who_is_moved_and_woken_gives_up_or_is_woken() {
    holds(Preemptions(3), || the_moved_one_gives_up(true));
}

#[test]
fn who_is_moved_finds_itself_to_give_up() {
    holds(Preemptions(4), || the_moved_one_gives_up(false));
}

#[test]
#[should_panic(expected = "MovedNotFollowed: a wake and the wait that it ended do not go together")]
fn who_looks_for_itself_where_it_was_stays_entered() {
    fails(Twin::MovedNotFollowed, Preemptions(4), || the_moved_one_gives_up(false));
}

#[test]
#[should_panic(expected = "ChosenGivesUp: a wake and the wait that it ended do not go together")]
fn a_moved_waiter_that_gives_up_its_wake_loses_it() {
    fails(Twin::ChosenGivesUp, Preemptions(4), || the_moved_one_gives_up(true));
}

/// Two wait on a CPU each; the third moves who is there, and wakes both words until each wait has ended.
fn two_wait_and_are_moved() {
    let (waiter, other) = (Actor::new(0), Actor::new(1));
    let (me, them) = (people::enrol(&waiter, 1), people::enrol(&other, 2));
    let other = other.start(move |cx| wait(cx, &them, WISH, Until::Never).is_ok());
    let mover = Actor::new(2).start(|cx| {
        let moved = move_all(cx);
        let woken = (0..moved).map(|_| wake_moved(cx)).sum::<usize>();
        assert_eq!(woken, moved, "a wake each");
        futex_models::address_space::user::write(0, 1);
        woken + wake(cx, word(0), true, ALL_BITS, 2).unwrap()
    });
    let slept = waiter.play(|cx| wait(cx, &me, WISH, Until::Never).is_ok());
    let slept = usize::from(slept) + usize::from(other.join().unwrap());
    assert_eq!(mover.join().unwrap(), slept, "a wake and the wait that it ended go together");
}

#[test]
fn two_that_are_moved_get_a_wake_each() {
    holds(Preemptions(1), two_wait_and_are_moved);
}
