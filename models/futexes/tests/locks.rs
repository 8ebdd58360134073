//! Words that are locks: one owner at a time, and nobody is left in line when an owner goes.
#![cfg(any(loom, shuttle))]

use abi::Errno;
use abi::constant::{FUTEX_OWNER_DIED, FUTEX_TID_MASK, FUTEX_WAITERS};
use futex_models::actor::Actor;
use futex_models::address_space::user::{exchange, read, word, write};
use futex_models::explore::Extent::Preemptions;
use futex_models::explore::{Tally, fails, holds, stop};
use futex_models::futex::hand_over::{release_all, unlock};
use futex_models::futex::lock::lock;
use futex_models::futex::{Owner, Until};
use futex_models::people::{self, population};
use std::sync::Arc;
use sync::TaskContext;
use sync::twin::Twin;

const LOCK: usize = 0;

fn take(cx: &mut TaskContext, me: &Arc<Owner>) -> Result<(), Errno> {
    if exchange(LOCK, 0, me.number()) { Ok(()) } else { lock(cx, me, (word(LOCK), true), Until::Never, false, population) }
}

fn give_back(cx: &mut TaskContext, me: &Arc<Owner>) {
    if !exchange(LOCK, me.number(), 0) && unlock(cx, me, (word(LOCK), true)).is_err() {
        stop("a lock stays with who has let go of it");
    }
}

fn check_free() {
    if read(LOCK) & FUTEX_TID_MASK != 0 {
        stop("a lock is left with an owner");
    }
}

fn check_loan(me: &Owner) {
    if !people::is_lent_nothing(me) {
        stop("a loan is left with one who owns nothing");
    }
}

/// Each takes it, counts, and gives it back; the first owns it when all begin, and somebody may have waited before.
fn contended(cpus: usize, before: u32) {
    let tally = Arc::new(Tally::default());
    let mut living = Vec::new();
    write(LOCK, 1 | before);
    let mut count = |cpu: usize| {
        let (actor, tally) = (Actor::new(cpu), tally.clone());
        let me = people::enrol(&actor, cpu as i32 + 1);
        living.push(me.clone());
        (actor, move |cx: &mut TaskContext| {
            if cpu != 0 {
                take(cx, &me).unwrap();
            }
            tally.add();
            give_back(cx, &me);
            if before == 0 {
                check_loan(&me);
            }
        })
    };
    let (first, part) = count(0);
    let others: Vec<_> = (1..cpus).map(count).map(|(actor, part)| actor.start(part)).collect();
    first.play(part);
    others.into_iter().for_each(|other| other.join().unwrap());
    assert_eq!(tally.get(), cpus as u32, "a count was lost");
    check_free();
}

#[test]
fn two_own_it_one_after_the_other() {
    holds(Preemptions(4), || contended(2, 0));
}

#[test]
fn two_own_it_where_someone_waited_before() {
    holds(Preemptions(3), || contended(2, FUTEX_WAITERS));
}

#[test]
fn three_own_it_one_after_the_other() {
    holds(Preemptions(2), || contended(3, 0));
}

#[test]
#[should_panic(expected = "FreedUnseen: deadlock")]
fn an_owner_that_does_not_look_again_leaves_one_in_line() {
    fails(Twin::FreedUnseen, Preemptions(3), || contended(2, FUTEX_WAITERS));
}

#[test]
#[should_panic(expected = "LoanKept: a loan is left with one who owns nothing")]
fn an_owner_that_keeps_its_loan_is_found() {
    fails(Twin::LoanKept, Preemptions(3), || contended(2, 0));
}

/// One is in line, and is called out as the lock is handed over.
fn the_heir_gives_up() {
    write(LOCK, 1);
    let (owner, heir) = (Actor::new(0), Actor::new(1));
    let (me, them) = (people::enrol(&owner, 1), people::enrol(&heir, 2));
    let called_out = heir.thread.clone();
    let heir = heir.start(move |cx| {
        if take(cx, &them).is_ok() {
            give_back(cx, &them);
        }
    });
    owner.play(|cx| {
        called_out.interrupt();
        give_back(cx, &me);
        heir.join().unwrap();
        check_loan(&me);
    });
    check_free();
}

#[test]
fn an_heir_that_gives_up_owns_nothing() {
    holds(Preemptions(3), the_heir_gives_up);
}

#[test]
#[should_panic(expected = "HeirUnseen: a lock ")]
fn a_lock_handed_to_one_who_has_left_is_stuck() {
    fails(Twin::HeirUnseen, Preemptions(3), the_heir_gives_up);
}

/// The owner dies as another gets in line: that one inherits, or hears that there is no owner.
fn the_owner_dies() {
    write(LOCK, 1);
    let (owner, heir) = (Actor::new(0), Actor::new(1));
    let (me, them) = (people::enrol(&owner, 1), people::enrol(&heir, 2));
    let heir = heir.start(move |cx| match take(cx, &them) {
        Ok(()) => {
            assert_eq!(read(LOCK), 2 | FUTEX_WAITERS | FUTEX_OWNER_DIED, "it says who owned it");
            give_back(cx, &them);
            check_free();
        }
        Err(error) => assert_eq!(error, Errno::ESRCH),
    });
    owner.play(|cx| release_all(cx, &me, true));
    heir.join().unwrap();
}

#[test]
fn a_dead_owners_lock_is_inherited_or_refused() {
    holds(Preemptions(4), the_owner_dies);
}

#[test]
#[should_panic(expected = "DeadGetWaiters: deadlock")]
fn who_waits_for_the_dead_waits_for_ever() {
    fails(Twin::DeadGetWaiters, Preemptions(3), the_owner_dies);
}
