//! Waiting for a word and owning a lock when woken: who is moved into the line for the lock is handed it once, or has left.
#![cfg(any(loom, shuttle))]

use abi::constant::FUTEX_TID_MASK;
use futex_models::actor::Actor;
use futex_models::address_space::user::{exchange, read, word, write};
use futex_models::explore::Extent::Preemptions;
use futex_models::explore::{fails, holds, stop};
use futex_models::futex::condition::{requeue, wait};
use futex_models::futex::hand_over::unlock;
use futex_models::futex::wake::Two;
use futex_models::futex::{ALL_BITS, Owner, Until, Wish};
use futex_models::people::{self, population};
use std::sync::Arc;
use sync::TaskContext;
use sync::twin::Twin;

const SIGNAL: usize = 1;

fn give_back(cx: &mut TaskContext, me: &Arc<Owner>, lock: usize) {
    if !exchange(lock, me.number(), 0) && unlock(cx, me, (word(lock), true)).is_err() {
        stop("a lock stays with who has let go of it");
    }
}

/// One waits for a signal and the lock; the owner of the lock signals and gives it back. Words of two buckets, or of one.
fn signalled(lock: usize, is_called_out: bool) {
    write(lock, 1);
    let (signaller, waiter) = (Actor::new(0), Actor::new(1));
    let (me, them) = (people::enrol(&signaller, 1), people::enrol(&waiter, 2));
    let called_out = waiter.thread.clone();
    let waiter = waiter.start(move |cx| {
        let wish = Wish { address: word(SIGNAL), value: 0, bits: ALL_BITS, is_private: true };
        let answer = wait(cx, &them, wish, Until::Never, word(lock));
        if answer.is_ok() {
            give_back(cx, &them, lock);
        }
        answer.is_ok()
    });
    signaller.play(|cx| {
        write(SIGNAL, 1);
        if is_called_out {
            called_out.interrupt();
        }
        let two = Two { words: [(word(SIGNAL), true), (word(lock), true)], woken: 1, second: 0 };
        let moved = requeue(cx, two, 1, population).unwrap();
        give_back(cx, &me, lock);
        let owned = waiter.join().unwrap();
        if owned && moved == 0 || !owned && moved == 1 && !is_called_out {
            stop("a signal and the wait that it ended do not go together");
        }
        if !people::is_lent_nothing(&me) {
            stop("a loan is left with one who owns nothing");
        }
    });
    if read(lock) & FUTEX_TID_MASK != 0 {
        stop("a lock is left with an owner");
    }
}

#[test]
fn who_is_signalled_owns_the_lock() {
    holds(Preemptions(4), || signalled(0, false));
}

#[test]
fn who_is_signalled_in_the_locks_bucket_owns_it() {
    holds(Preemptions(4), || signalled(2, false));
}

#[test]
fn who_is_signalled_as_it_gives_up_owns_the_lock_or_nothing() {
    holds(Preemptions(3), || signalled(0, true));
}

#[test]
#[should_panic(expected = "WordComparedUnlocked: deadlock")]
fn a_signal_before_the_bucket_is_locked_is_lost() {
    fails(Twin::WordComparedUnlocked, Preemptions(3), || signalled(0, false));
}

#[test]
#[should_panic(expected = "MovedNotFollowed: ")]
fn who_is_looked_for_before_it_was_moved_cannot_give_up() {
    fails(Twin::MovedNotFollowed, Preemptions(3), || signalled(0, true));
}
