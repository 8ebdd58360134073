//! Waking who waits for a word, and moving waiters to another word.
//!
//! Invariant: who is woken is decided under the bucket's lock; the sleepers are called after it. A change of the second word and the
//! question about it are one step with both wakes; a comparison is one step with what it allows.

use abi::Errno;
use libkernel::address_space::{UserAddress, user};
use sync::twin::{self, Twin};
use sync::{TaskContext, fence_full};

use super::bucket::{self, Batch, Guard, Key, Move, Refused};
use super::change::Change;
use super::table::{Word, line_at, line_to_wait};
use super::wait::call;
use super::waiter::{Line, Waiter};
use crate::error::errno;

/// Every bit: a wake that concerns all.
pub const ALL_BITS: u32 = u32::MAX;

/// Two words, and how many waiters of each.
#[derive(Clone, Copy)]
pub struct Two {
    /// The words, and whether only threads of this memory are concerned by each.
    pub words: [(UserAddress, bool); 2],
    /// How many are woken.
    pub woken: usize,
    /// How many of the second are woken, or are moved to it.
    pub second: usize,
}

/// Wakes up to `count` waiters whom one of `bits` concerns; answers how many.
pub fn wake(cx: &mut TaskContext, address: UserAddress, is_private: bool, bits: u32, count: usize) -> Result<usize, Errno> {
    if bits == 0 {
        return Err(Errno::EINVAL);
    }
    let word = Word::at(cx, address, is_private)?;
    wake_word(cx, word.key, bits, count)
}

fn wake_word(cx: &TaskContext, key: Key, bits: u32, count: usize) -> Result<usize, Errno> {
    // The first waiter of a space makes its table, and then looks at the word: a waker that finds no table has written it before.
    fence_full();
    match line_at(cx, key.place()) {
        Some(line) if line.may_have_waiters() => line.wake(cx, (key, bits), count, |batch| call(cx, batch)).map_err(refused),
        _ => Ok(0),
    }
}

/// Wakes one waiter for a word that processes may share: what a thread's end does.
pub fn wake_one(cx: &mut TaskContext, address: UserAddress) {
    // A word in no place of the program has no waiters either.
    let _ = wake(cx, address, false, ALL_BITS, 1);
}

pub(super) fn refused(refused: Refused) -> Errno {
    match refused {
        Refused::ForLock => Errno::EINVAL,
        Refused::NoMemory => Errno::ENOMEM,
    }
}

/// The bucket of two words, or one of each.
pub(super) enum Held<'a> {
    One(Guard<'a, Waiter>),
    Two(Guard<'a, Waiter>, Guard<'a, Waiter>),
}

pub(super) fn lock_both<'a>(cx: &'a TaskContext, one: &'a Line, other: &'a Line) -> Held<'a> {
    if core::ptr::eq(one, other) {
        return Held::One(one.lock(cx));
    }
    let (one, other) = bucket::lock_two(cx, one, other);
    Held::Two(one, other)
}

/// Wakes waiters of one word and moves more to another, if the first word is as expected; answers how many of both kinds.
pub fn requeue(cx: &mut TaskContext, two: Two, expected: Option<u32>) -> Result<usize, Errno> {
    let [(first, _), _] = two.words;
    let [from, to] = words(cx, two)?;
    let (mut woken, mut end) = (0, None);
    loop {
        let (source, target) = (line_to_wait(cx, from.key.place())?, line_to_wait(cx, to.key.place())?);
        // Whoever looks for the moved ones must not pass by.
        target.announce();
        let held = lock_both(cx, source, target);
        let differs = match (end, expected) {
            (None, Some(expected)) => user::load_u32_at_hand(first).map(|word| word != expected),
            _ => Ok(false),
        };
        if differs == Ok(false) {
            let mut batch = Batch::new();
            let (moved, answer) = move_some(held, target, (from.key, to.key), (two.woken - woken, two.second), &mut end, &mut batch);
            let more = batch.is_full() && woken + batch.len() < two.woken;
            woken += batch.len();
            let carried = if core::ptr::eq(source, target) { 0 } else { moved };
            if twin::is(Twin::MovedCountedLate) {
                (0..carried).for_each(|_| target.announce());
            }
            source.retract(batch.len() + carried);
            target.retract(1);
            call(cx, batch);
            answer.map_err(refused)?;
            if !more {
                return Ok(woken + moved);
            }
            continue;
        }
        drop(held);
        target.retract(1);
        if differs == Ok(true) {
            return Err(Errno::EAGAIN);
        }
        user::load_u32(cx, first).map_err(errno)?;
    }
}

/// Takes out who is woken, and moves the rest if all that are to be woken were in this batch. Unlocks.
fn move_some(
    held: Held<'_>,
    goal: &Line,
    (from, to): (Key, Key),
    (wake, limit): (usize, usize),
    end: &mut Option<u64>,
    batch: &mut Batch<Waiter>,
) -> (usize, Result<(), Refused>) {
    let (mut source, target) = match held {
        Held::One(both) => (both, None),
        Held::Two(source, target) => (source, Some(target)),
    };
    let end = *end.get_or_insert(source.end());
    let taken = source.take((from, ALL_BITS), wake, end, batch);
    if taken.is_err() || batch.len() < wake && batch.is_full() {
        return (0, taken);
    }
    let order = Move { from, to, limit, end, to_lock: false };
    match target {
        None => source.rename(order),
        Some(mut target) => goal.receive(&mut source, &mut target, to.place(), order),
    }
}

pub(super) fn words(cx: &mut TaskContext, two: Two) -> Result<[Word; 2], Errno> {
    let [(first, first_private), (second, second_private)] = two.words;
    Ok([Word::at(cx, first, first_private)?, Word::at(cx, second, second_private)?])
}

/// Changes the second word; wakes waiters of the first, and of the second if it was as asked.
pub fn wake_and_change(cx: &mut TaskContext, two: Two, change: Change) -> Result<usize, Errno> {
    let [_, (second, _)] = two.words;
    let [first_word, second_word] = words(cx, two)?;
    loop {
        let (one, other) = (line_to_wait(cx, first_word.key.place())?, line_to_wait(cx, second_word.key.place())?);
        let held = lock_both(cx, one, other);
        let Some(old) = change_at_hand(second, change) else {
            drop(held);
            user::touch_u32(cx, second).map_err(errno)?;
            continue;
        };
        let (mut batch, mut also) = (Batch::new(), Batch::new());
        let second_limit = if change.holds(old) { two.second } else { 0 };
        let taken = take_two(held, (first_word.key, two.woken), (second_word.key, second_limit), (&mut batch, &mut also));
        one.retract(batch.len());
        other.retract(also.len());
        let (full, also_full) = (batch.is_full(), also.is_full());
        let mut woken = batch.len() + also.len();
        let rest = (two.woken - batch.len(), second_limit - also.len());
        call(cx, batch);
        call(cx, also);
        taken.map_err(refused)?;
        // More than a batch: the others are woken for themselves, the change has been made.
        if full && rest.0 > 0 {
            woken += wake_word(cx, first_word.key, ALL_BITS, rest.0)?;
        }
        if also_full && rest.1 > 0 {
            woken += wake_word(cx, second_word.key, ALL_BITS, rest.1)?;
        }
        return Ok(woken);
    }
}

/// Changes a word under a spin lock; answers what it was, or `None` when its page is away.
fn change_at_hand(at: UserAddress, change: Change) -> Option<u32> {
    let mut old = user::load_u32_at_hand(at).ok()?;
    loop {
        let found = user::compare_exchange_u32_at_hand(at, old, change.apply(old)).ok()?;
        if found == old {
            return Some(old);
        }
        old = found;
    }
}

type Batches<'a> = (&'a mut Batch<Waiter>, &'a mut Batch<Waiter>);

fn take_two(held: Held<'_>, one: (Key, usize), other: (Key, usize), (first, second): Batches<'_>) -> Result<(), Refused> {
    match held {
        Held::One(mut both) => {
            let end = both.end();
            both.take((one.0, ALL_BITS), one.1, end, first)?;
            both.take((other.0, ALL_BITS), other.1, end, second)
        }
        Held::Two(mut source, mut target) => {
            let (end, other_end) = (source.end(), target.end());
            source.take((one.0, ALL_BITS), one.1, end, first)?;
            target.take((other.0, ALL_BITS), other.1, other_end, second)
        }
    }
}
