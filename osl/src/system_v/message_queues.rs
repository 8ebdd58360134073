//! All queues of messages: made, found, sent to, received from, removed.
//!
//! Invariant: a queue that the table has is not removed, and the other way round; both change under the table's lock. A message that
//! was taken out of a queue is its receiver's, whatever becomes of the queue.

use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::Errno;
use sync::{Published, SpinLock, TaskContext, order};

use super::keyed::Keyed;
use super::message_queue::{Message, Outcome, Queue, State, Wanted};
use super::rights::{READ, Rights, WRITE};
use super::segment::seconds;
use crate::credentials::Credentials;

/// What is set in /proc/sys/kernel: bytes of one message, bytes that a new queue has room for, and how many queues there may be.
pub static MOST_OF_ONE: Published<u64> = Published::<u64>::new(8192);
pub static MOST_IN_A_QUEUE: Published<u64> = Published::<u64>::new(16384);
pub static MOST: Published<u64> = Published::<u64>::new(32000);

static ALL: SpinLock<Keyed<Arc<Queue>>, order::Keyed> = SpinLock::new(Keyed::new());

/// What `msgget` asks for.
#[derive(Clone, Copy)]
pub struct Wish {
    pub key: i32,
    pub mode: u32,
    pub create: bool,
    pub exclusive: bool,
}

/// The number of the queue with this key, or of a new one.
pub fn find_or_make(cx: &TaskContext, who: &Credentials, wish: Wish) -> Result<i32, Errno> {
    let mut all = ALL.lock(cx);
    let Some(number) = all.number_of(wish.key).filter(|_| wish.key != 0) else {
        if wish.key != 0 && !wish.create {
            return Err(Errno::ENOENT);
        }
        let state = State::new(Rights::new(who, wish.mode), MOST_IN_A_QUEUE.load(), seconds());
        return all.add(wish.key, MOST.load(), |number| Arc::new(Queue::new(wish.key, number, state))).ok_or(Errno::ENOSPC);
    };
    if wish.create && wish.exclusive {
        return Err(Errno::EEXIST);
    }
    let queue = all.get(number).ok_or(Errno::ENOENT)?;
    let allowed = queue.state.lock(cx).rights.allow(who, wish.mode);
    if allowed { Ok(number) } else { Err(Errno::EACCES) }
}

/// The queue with this number.
pub fn get(cx: &TaskContext, number: i32) -> Result<Arc<Queue>, Errno> {
    let mut all = ALL.lock(cx);
    let queue = all.get(number).filter(|queue| queue.number == number).ok_or(Errno::EINVAL)?;
    Ok(Arc::clone(queue))
}

/// The queue at this place of the list.
pub fn at(cx: &TaskContext, place: u32) -> Result<Arc<Queue>, Errno> {
    ALL.lock(cx).at(place).map(|queue| Arc::clone(queue)).ok_or(Errno::EINVAL)
}

/// Does this with a queue's state, if the queue was not removed and `who` has these rights.
pub fn with<R>(
    cx: &TaskContext,
    who: Option<&Credentials>,
    wanted: u32,
    queue: &Queue,
    work: impl FnOnce(&mut State) -> Result<R, Errno>,
) -> Result<R, Errno> {
    let mut state = queue.state.lock(cx);
    if state.is_removed {
        return Err(Errno::EIDRM);
    }
    if who.is_some_and(|who| !state.rights.allow(who, wanted)) {
        return Err(Errno::EACCES);
    }
    work(&mut state)
}

/// Sends, when there is room, or at once.
pub fn send(cx: &mut TaskContext, who: &Credentials, process: i32, queue: &Queue, message: Message, may_wait: bool) -> Result<(), Errno> {
    let mut message = Some(message);
    let mut attempt = |cx: &mut TaskContext| {
        let sent = with(cx, Some(who), WRITE, queue, |state| Ok((state.send(&mut message, process, seconds())?, state.has_answers())));
        match sent {
            Ok((false, _)) if may_wait => None,
            Ok((false, _)) => Some(Err(Errno::EAGAIN)),
            Ok((true, has_answers)) => Some(Ok(has_answers)),
            Err(error) => Some(Err(error)),
        }
    };
    let wakes = queue.senders.wait_until_or_interrupted(cx, &mut attempt).map_err(|_| Errno::ERESTARTNOHAND)??;
    if wakes {
        queue.receivers.wake_all(cx);
    }
    Ok(())
}

/// Receives, when there is such a message, or at once.
pub fn receive(cx: &mut TaskContext, who: &Credentials, queue: &Queue, wanted: Wanted, may_wait: bool) -> Result<Message, Errno> {
    loop {
        let outcome = with(cx, Some(who), READ, queue, |state| state.receive(wanted, may_wait, seconds()))?;
        let ticket = match outcome {
            Outcome::Done(message) => {
                queue.senders.wake_all(cx);
                return Ok(message);
            }
            Outcome::Waits(ticket) => ticket,
        };
        let waited = queue.receivers.wait_until_or_interrupted(cx, |cx| queue.state.lock(cx).take_answer(ticket));
        let answer = waited.unwrap_or_else(|_| {
            let came_first = queue.state.lock(cx).give_up(ticket);
            came_first.unwrap_or(Err(Errno::ERESTARTNOHAND))
        });
        // The queue's rights have changed: who may still read waits again.
        if answer != Err(Errno::EAGAIN) {
            return answer;
        }
    }
}

/// Changes whose a queue is, and how much fits in.
pub fn change(cx: &TaskContext, who: &Credentials, number: i32, work: impl FnOnce(&mut State) -> Result<(), Errno>) -> Result<(), Errno> {
    let queue = get(cx, number)?;
    with(cx, None, 0, &queue, |state| {
        if !state.rights.allow_control(who) {
            return Err(Errno::EPERM);
        }
        work(state)?;
        state.changed_at = seconds();
        state.tell_all(Errno::EAGAIN);
        Ok(())
    })?;
    queue.receivers.wake_all(cx);
    queue.senders.wake_all(cx);
    Ok(())
}

/// Nobody finds the queue any more, and who waits for it is told.
pub fn remove(cx: &TaskContext, who: &Credentials, number: i32) -> Result<(), Errno> {
    let queue = get(cx, number)?;
    let gone = {
        let mut all = ALL.lock(cx);
        let mut state = queue.state.lock(cx);
        if state.is_removed {
            return Err(Errno::EIDRM);
        }
        if !state.rights.allow_control(who) {
            return Err(Errno::EPERM);
        }
        state.is_removed = true;
        state.tell_all(Errno::EIDRM);
        all.forget_key(queue.key, number);
        all.take(number)
    };
    queue.receivers.wake_all(cx);
    queue.senders.wake_all(cx);
    drop(gone);
    Ok(())
}

/// All queues in the order of their places.
pub fn list(cx: &TaskContext) -> Vec<(u32, Arc<Queue>)> {
    let mut list = Vec::new();
    let mut from = 0;
    while let Some(place) = next_place(cx, from) {
        if let Ok(queue) = at(cx, place) {
            list.push((place, queue));
        }
        from = place + 1;
    }
    list
}

fn next_place(cx: &TaskContext, from: u32) -> Option<u32> {
    ALL.lock(cx).next_place(from)
}
