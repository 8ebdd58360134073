//! All sets of semaphores: made, found, operated on, removed.
//!
//! Invariant: a set that the table has is not removed, and the other way round; both change under the table's lock.

use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::Errno;
use libkernel::error::KernelError;
use libkernel::wait::Deadline;
use sync::{SpinLock, TaskContext, order};

use super::keyed::Keyed;
use super::rights::{READ, Rights, WRITE};
use super::segment::seconds;
use super::semaphore_set::{Operation, Outcome, Semaphore, Set, State, count};
use crate::credentials::Credentials;

/// Limits as /proc/sys/kernel/sem tells them: of one set, of all, of one call, and of sets.
pub const MOST_IN_A_SET: usize = 32000;
pub const MOST_IN_ALL: usize = MOST_IN_A_SET * MOST;
pub const MOST_OPERATIONS: usize = 500;
pub const MOST: usize = 32000;

static ALL: SpinLock<Keyed<Arc<Set>>, order::Keyed> = SpinLock::new(Keyed::new());

/// What `semget` asks for.
#[derive(Clone, Copy)]
pub struct Wish {
    pub key: i32,
    pub length: usize,
    pub mode: u32,
    pub create: bool,
    pub exclusive: bool,
}

/// The number of the set with this key, or of a new one.
pub fn find_or_make(cx: &TaskContext, who: &Credentials, wish: Wish) -> Result<i32, Errno> {
    let mut all = ALL.lock(cx);
    let Some(number) = all.number_of(wish.key).filter(|_| wish.key != 0) else {
        if wish.key != 0 && !wish.create {
            return Err(Errno::ENOENT);
        }
        if wish.length == 0 {
            return Err(Errno::EINVAL);
        }
        if count() + wish.length as u64 > room() {
            return Err(Errno::ENOSPC);
        }
        let state = State::new(Rights::new(who, wish.mode), wish.length, seconds())?;
        return all.add(wish.key, MOST as u64, |number| Arc::new(Set::new(wish.key, number, state))).ok_or(Errno::ENOSPC);
    };
    if wish.create && wish.exclusive {
        return Err(Errno::EEXIST);
    }
    let set = all.get(number).ok_or(Errno::ENOENT)?;
    if wish.length > set.length {
        return Err(Errno::EINVAL);
    }
    let allowed = set.state.lock(cx).rights.allow(who, wish.mode);
    if allowed { Ok(number) } else { Err(Errno::EACCES) }
}

/// So many semaphores fit a sixteenth of all memory.
fn room() -> u64 {
    libkernel::memory::statistics().total * (4096 / 16 / size_of::<Semaphore>() as u64)
}

/// The set with this number.
pub fn get(cx: &TaskContext, number: i32) -> Result<Arc<Set>, Errno> {
    let mut all = ALL.lock(cx);
    let set = all.get(number).ok_or(Errno::EINVAL)?;
    if set.number == number { Ok(Arc::clone(set)) } else { Err(Errno::EINVAL) }
}

/// The set at this place of the list.
pub fn at(cx: &TaskContext, place: u32) -> Result<Arc<Set>, Errno> {
    ALL.lock(cx).at(place).map(|set| Arc::clone(set)).ok_or(Errno::EINVAL)
}

/// Does this with a set's state, if the set was not removed; those whom it lets through are woken.
pub fn with<R>(cx: &TaskContext, set: &Set, work: impl FnOnce(&mut State) -> Result<R, Errno>) -> Result<R, Errno> {
    let (answer, wakes) = {
        let mut state = set.state.lock(cx);
        let answer = if state.is_removed { Err(Errno::EIDRM) } else { work(&mut state) };
        (answer, state.has_answers())
    };
    if wakes {
        set.changed.wake_all(cx);
    }
    answer
}

/// Does all operations, or waits until they can be done.
pub fn operate(
    cx: &mut TaskContext,
    who: &Credentials,
    process: i32,
    set: &Set,
    operations: &[Operation],
    deadline: Deadline,
) -> Result<(), Errno> {
    let changes = operations.iter().any(|operation| operation.change != 0);
    let outcome = with(cx, set, |state| {
        if !state.rights.allow(who, if changes { WRITE } else { READ }) {
            return Err(Errno::EACCES);
        }
        Ok(state.operate(process, operations, seconds()))
    })?;
    let ticket = match outcome {
        Outcome::Done(answer) => return answer,
        Outcome::Waits(ticket) => ticket,
    };
    let waited = set.changed.wait_until_or(cx, deadline, true, |cx| set.state.lock(cx).take_answer(ticket));
    waited.unwrap_or_else(|error| {
        let came_first = set.state.lock(cx).give_up(ticket);
        came_first.unwrap_or(Err(if error == KernelError::TimedOut { Errno::EAGAIN } else { Errno::EINTR }))
    })
}

/// Nobody finds the set any more, and who waits for it is told.
pub fn remove(cx: &TaskContext, who: &Credentials, number: i32) -> Result<(), Errno> {
    let set = get(cx, number)?;
    let gone = {
        let mut all = ALL.lock(cx);
        let mut state = set.state.lock(cx);
        if state.is_removed {
            return Err(Errno::EIDRM);
        }
        if !state.rights.allow_control(who) {
            return Err(Errno::EPERM);
        }
        state.remove();
        all.forget_key(set.key, number);
        all.take(number)
    };
    set.changed.wake_all(cx);
    drop(gone);
    Ok(())
}

/// A process has ended: what it wanted taken back is.
pub fn undo_all(cx: &TaskContext, process: i32) {
    let now = seconds();
    for (_, set) in list(cx) {
        let has_changed = set.state.lock(cx).undo(process, now);
        if has_changed {
            set.changed.wake_all(cx);
        }
    }
}

/// All sets in the order of their places.
pub fn list(cx: &TaskContext) -> Vec<(u32, Arc<Set>)> {
    let mut list = Vec::new();
    let mut from = 0;
    while let Some(place) = next_place(cx, from) {
        if let Ok(set) = at(cx, place) {
            list.push((place, set));
        }
        from = place + 1;
    }
    list
}

fn next_place(cx: &TaskContext, from: u32) -> Option<u32> {
    ALL.lock(cx).next_place(from)
}
