//! Plain words: whoever waits hears of every change made before a wake, and a wake ends the wait that it counts.
#![cfg(any(loom, shuttle))]

use futex_models::actor::Actor;
use futex_models::address_space::user::{word, write};
use futex_models::explore::Extent::{All, Preemptions};
use futex_models::explore::{fails, holds, stop};
use futex_models::futex::change::Change;
use futex_models::futex::table::line_to_wait;
use futex_models::futex::wake::{Two, wake, wake_and_change};
use futex_models::futex::{ALL_BITS, Until, Wish, several, wait};
use futex_models::people;
use sync::TaskContext;
use sync::twin::Twin;

const fn wish(number: usize) -> Wish {
    Wish { address: word(number), value: 0, bits: ALL_BITS, is_private: true }
}

/// How many were woken.
fn wake_one(cx: &mut TaskContext, number: usize) -> usize {
    wake(cx, word(number), true, ALL_BITS, 1).unwrap()
}

/// One waits while a word is 0; another changes it and wakes. Has anybody waited before, so that there is a table of buckets?
fn one_waits(has_table: bool) {
    let waiter = Actor::new(0);
    let me = people::enrol(&waiter, 1);
    waiter.play(|cx| {
        if has_table {
            line_to_wait(cx, 0).map(|_| ()).unwrap();
        }
        let waker = Actor::new(1).start(|cx| {
            write(0, 1);
            wake_one(cx, 0)
        });
        let slept = wait(cx, &me, wish(0), Until::Never);
        assert_eq!(waker.join().unwrap(), usize::from(slept.is_ok()), "a wake and the wait that it ended go together");
    });
}

#[test]
fn who_waits_for_a_word_hears_of_its_change() {
    holds(All, || one_waits(true));
}

#[test]
fn the_first_to_wait_in_a_space_hears_of_a_change() {
    holds(Preemptions(5), || one_waits(false));
}

#[test]
#[should_panic(expected = "WordComparedUnlocked: deadlock")]
fn a_word_compared_before_its_bucket_is_locked_changes_unheard() {
    fails(Twin::WordComparedUnlocked, All, || one_waits(true));
}

/// One waits and is called out; a wake counts it, or it says that it was called out, never both.
fn one_gives_up() {
    let waiter = Actor::new(0);
    let me = people::enrol(&waiter, 1);
    let called_out = waiter.thread.clone();
    let waker = Actor::new(1).start(move |cx| {
        called_out.interrupt();
        wake_one(cx, 0)
    });
    let slept = waiter.play(|cx| wait(cx, &me, wish(0), Until::Never));
    if waker.join().unwrap() != usize::from(slept.is_ok()) {
        stop("a wake and the wait that it ended do not go together");
    }
}

#[test]
fn a_wake_is_counted_for_a_wait_that_it_ends() {
    holds(Preemptions(4), one_gives_up);
}

#[test]
#[should_panic(expected = "ChosenGivesUp: a wake and the wait that it ended do not go together")]
fn a_waiter_that_gives_up_its_wake_loses_it() {
    fails(Twin::ChosenGivesUp, Preemptions(4), one_gives_up);
}

/// One waits for two words at once; a wake of each comes.
fn one_waits_for_two() {
    let waiter = Actor::new(0);
    let waker = Actor::new(1).start(|cx| {
        write(0, 1);
        wake_one(cx, 0) + wake_one(cx, 1)
    });
    waiter.play(|cx| {
        let answer = several::wait(cx, &[wish(0), wish(1)], Until::Never);
        let woken = waker.join().unwrap();
        assert_eq!(answer.is_ok(), woken > 0, "it was woken by a wake");
        if wake_one(cx, 0) + wake_one(cx, 1) != 0 {
            stop("a wake was for a wait that is over");
        }
    });
}

#[test]
fn who_waits_for_several_words_leaves_them_all() {
    holds(Preemptions(3), one_waits_for_two);
}

#[test]
#[should_panic(expected = "OthersLeftEntered: a wake was for a wait that is over")]
fn a_word_that_is_not_left_takes_a_wake() {
    fails(Twin::OthersLeftEntered, Preemptions(3), one_waits_for_two);
}

/// One waits for the second of two words, which the wake of both changes.
fn one_waits_for_the_changed() {
    let waiter = Actor::new(0);
    let me = people::enrol(&waiter, 1);
    // `*second = 1; if it was 0, wake there too`
    let change = Change::decode(1 << 12).unwrap();
    waiter.play(|cx| {
        line_to_wait(cx, 0).map(|_| ()).unwrap();
        let waker = Actor::new(1).start(move |cx| {
            let two = Two { words: [(word(0), true), (word(1), true)], woken: 1, second: 1 };
            wake_and_change(cx, two, change).unwrap()
        });
        let slept = wait(cx, &me, wish(1), Until::Never);
        assert_eq!(waker.join().unwrap(), usize::from(slept.is_ok()), "a wake and the wait that it ended go together");
    });
}

#[test]
fn who_waits_for_a_word_that_a_wake_changes_is_woken_or_sees_it() {
    holds(All, one_waits_for_the_changed);
}

#[test]
#[should_panic(expected = "WordComparedUnlocked: deadlock")]
fn a_word_compared_unlocked_is_changed_by_a_wake_unheard() {
    fails(Twin::WordComparedUnlocked, All, one_waits_for_the_changed);
}

/// Two wait on a CPU each; the third changes the word and wakes both, one by one.
fn two_wait() {
    let (waiter, other) = (Actor::new(0), Actor::new(1));
    let (me, them) = (people::enrol(&waiter, 1), people::enrol(&other, 2));
    let other = other.start(move |cx| wait(cx, &them, wish(0), Until::Never).is_ok());
    let waker = Actor::new(2).start(|cx| {
        write(0, 1);
        wake_one(cx, 0) + wake_one(cx, 0)
    });
    let slept = waiter.play(|cx| wait(cx, &me, wish(0), Until::Never).is_ok());
    let slept = usize::from(slept) + usize::from(other.join().unwrap());
    assert_eq!(waker.join().unwrap(), slept, "a wake each");
}

#[test]
fn two_that_wait_for_a_word_get_a_wake_each() {
    holds(Preemptions(1), two_wait);
}
