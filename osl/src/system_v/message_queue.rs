//! A queue of messages: what is in it, and who waits for a message of which type.
//!
//! Invariant: a message goes to whoever has waited longest for one like it, and is then never in the queue; so nobody waits for a message
//! that the queue has. Answers stay in their tickets' places until the waiter takes them; queues of waiters are woken after the lock.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use abi::Errno;
use libkernel::census::{Census, Counted};
use libkernel::memory::Room as _;
use libkernel::wait::WaitQueue;
use sync::{SpinLock, order};

use super::rights::Rights;

/// Queues that somebody can still reach.
pub static LIVING: Census = Census::new("message queues");

/// A message.
#[derive(Debug, PartialEq, Eq)]
pub struct Message {
    pub kind: i64,
    pub bytes: Vec<u8>,
}

impl Message {
    fn copied(&self) -> Result<Self, Errno> {
        let mut bytes = Vec::new();
        bytes.try_room_exact(self.bytes.len()).map_err(|_| Errno::ENOMEM)?;
        bytes.extend_from_slice(&self.bytes);
        Ok(Self { kind: self.kind, bytes })
    }
}

/// Which message is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Any,
    Equal(i64),
    Other(i64),
    /// The first of the lowest type up to this one.
    Lowest(i64),
}

impl Kind {
    const fn fits(self, kind: i64) -> bool {
        match self {
            Self::Any => true,
            Self::Equal(wanted) => kind == wanted,
            Self::Other(unwanted) => kind != unwanted,
            Self::Lowest(most) => kind <= most,
        }
    }
}

/// A receiver's wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub kind: Kind,
    /// So many bytes have room.
    pub room: usize,
    /// A longer one is cut off, rather than refused.
    pub cut: bool,
    pub process: i32,
}

/// What a call came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    Done(Message),
    /// The answer comes under this ticket.
    Waits(u64),
}

/// All of a queue that changes.
pub struct State {
    pub rights: Rights,
    /// So many bytes may be in it, and so many messages.
    pub most_bytes: u64,
    /// In seconds; 0 is never.
    pub changed_at: i64,
    pub sent_at: i64,
    pub received_at: i64,
    pub last_sender: i32,
    pub last_receiver: i32,
    pub is_removed: bool,
    bytes: u64,
    messages: VecDeque<Message>,
    waiting: BTreeMap<u64, Wanted>,
    answers: BTreeMap<u64, Result<Message, Errno>>,
    tickets: u64,
}

/// A queue.
pub struct Queue {
    _counted: Counted,
    pub state: SpinLock<State, order::MessageQueue>,
    pub receivers: WaitQueue,
    pub senders: WaitQueue,
    pub key: i32,
    pub number: i32,
}

impl Queue {
    pub fn new(key: i32, number: i32, state: State) -> Self {
        let (receivers, senders) = (WaitQueue::named("a message"), WaitQueue::named("room for a message"));
        Self { _counted: LIVING.count(), state: SpinLock::new(state), receivers, senders, key, number }
    }
}

impl State {
    pub const fn new(rights: Rights, most_bytes: u64, now: i64) -> Self {
        Self {
            rights,
            most_bytes,
            changed_at: now,
            sent_at: 0,
            received_at: 0,
            last_sender: 0,
            last_receiver: 0,
            is_removed: false,
            bytes: 0,
            messages: VecDeque::new(),
            waiting: BTreeMap::new(),
            answers: BTreeMap::new(),
            tickets: 0,
        }
    }

    /// Bytes in the queue, and messages.
    pub fn in_it(&self) -> (u64, u64) {
        (self.bytes, self.messages.len() as u64)
    }

    /// Somebody who waits for a message has an answer.
    pub fn has_answers(&self) -> bool {
        !self.answers.is_empty()
    }

    /// Gives the message to who waits for it, or lays it into the queue. It is taken if there is room; else it waits for some.
    pub fn send(&mut self, message: &mut Option<Message>, process: i32, now: i64) -> Result<bool, Errno> {
        let length = message.as_ref().map_or(0, |message| message.bytes.len() as u64);
        let count = self.messages.len() as u64;
        if self.bytes.saturating_add(length) > self.most_bytes || count >= self.most_bytes {
            return Ok(false);
        }
        self.messages.try_room(1).map_err(|_| Errno::ENOMEM)?;
        let Some(message) = message.take() else { return Ok(false) };
        (self.last_sender, self.sent_at) = (process, now);
        if let Some(message) = self.hand_over(message, now) {
            self.bytes += length;
            self.messages.push_back(message);
        }
        Ok(true)
    }

    /// To the oldest receiver that wants it; one that wants it and has too little room is told so. The message, if nobody takes it.
    fn hand_over(&mut self, message: Message, now: i64) -> Option<Message> {
        let mut after = 0;
        while let Some((&ticket, &wanted)) = self.waiting.range(after + 1..).next() {
            after = ticket;
            if !wanted.kind.fits(message.kind) {
                continue;
            }
            self.waiting.remove(&ticket);
            if message.bytes.len() <= wanted.room || wanted.cut {
                (self.last_receiver, self.received_at) = (wanted.process, now);
                self.answers.insert(ticket, Ok(message));
                return None;
            }
            self.answers.insert(ticket, Err(Errno::E2BIG));
        }
        Some(message)
    }

    /// Takes a message out, or waits for one.
    pub fn receive(&mut self, wanted: Wanted, may_wait: bool, now: i64) -> Result<Outcome, Errno> {
        let Some(place) = self.place_of(wanted.kind) else {
            if !may_wait {
                return Err(Errno::ENOMSG);
            }
            self.tickets += 1;
            self.waiting.insert(self.tickets, wanted);
            return Ok(Outcome::Waits(self.tickets));
        };
        if !wanted.cut && self.messages.get(place).is_some_and(|message| message.bytes.len() > wanted.room) {
            return Err(Errno::E2BIG);
        }
        let message = self.messages.remove(place).ok_or(Errno::ENOMSG)?;
        self.bytes -= message.bytes.len() as u64;
        (self.last_receiver, self.received_at) = (wanted.process, now);
        Ok(Outcome::Done(message))
    }

    fn place_of(&self, kind: Kind) -> Option<usize> {
        let mut fitting = self.messages.iter().enumerate().filter(|(_, message)| kind.fits(message.kind));
        let found = match kind {
            Kind::Lowest(_) => fitting.min_by_key(|(_, message)| message.kind),
            _ => fitting.next(),
        };
        found.map(|(place, _)| place)
    }

    /// What stands at a place of the queue, which stays there.
    pub fn copy_of(&self, place: i64, room: usize, cut: bool) -> Result<Message, Errno> {
        let message = usize::try_from(place).ok().and_then(|place| self.messages.get(place)).ok_or(Errno::ENOMSG)?;
        match message.bytes.len() > room {
            // Linux cuts what it takes out, but no copies.
            true => Err(if cut { Errno::EINVAL } else { Errno::E2BIG }),
            false => message.copied(),
        }
    }

    /// The answer under a ticket, once.
    pub fn take_answer(&mut self, ticket: u64) -> Option<Result<Message, Errno>> {
        self.answers.remove(&ticket)
    }

    /// A waiter gives up; its answer, if that came first.
    pub fn give_up(&mut self, ticket: u64) -> Option<Result<Message, Errno>> {
        self.waiting.remove(&ticket);
        self.answers.remove(&ticket)
    }

    /// Whoever waits for a message gets this answer.
    pub fn tell_all(&mut self, error: Errno) {
        for ticket in core::mem::take(&mut self.waiting).into_keys() {
            self.answers.insert(ticket, Err(error));
        }
    }
}

#[cfg(test)]
#[path = "message_queue_tests.rs"]
mod tests;
