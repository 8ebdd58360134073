//! Channels: messages in one direction, through a buffer or from hand to hand.
//!
//! Invariant: a message stands in the queue until a receiver has it. Its sender was let go if the message was within the
//! buffer or a receiver was waiting for it; every other message has a ticket, which is settled once: when the message
//! comes within the buffer or is taken, or when nobody is left to take it.

use super::sender::WaitingSender;
use crate::census::{Census, Counted};
use crate::error::KernelError;
use crate::wait::WaitQueue;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use arrayvec::ArrayVec;
use sync::twin::{self, Twin};
use sync::{Allows, IrqOff, Published, SpinLock, TaskContext, kind, order};

/// Words, and what travels with them.
pub struct Message<L> {
    pub words: [u64; 4],
    pub load: Option<L>,
}

/// Who waits for a message to be taken.
pub trait Ticket: Send + Sync {
    /// Called once, with no lock held: was the message accepted?
    fn settle(&self, accepted: bool);
}

struct Queued<L> {
    message: Message<L>,
    ticket: Option<Arc<dyn Ticket>>,
}

struct State<L> {
    queue: VecDeque<Queued<L>>,
    has_sender: bool,
    has_receiver: bool,
    /// Receivers that wait. Each takes a message before it gives up, if there is one.
    waiting: usize,
}

/// What a look at a channel shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ChannelState {
    pub has_message: bool,
    pub has_room: bool,
    pub has_sender: bool,
    pub has_receiver: bool,
}

/// Channels in use.
pub static LIVING: Census = Census::new("channels");

/// A channel whose messages carry `L`s.
pub struct Channel<L> {
    _counted: Counted,
    capacity: usize,
    state: SpinLock<State<L>, order::Channel>,
    /// How often a message went in or out.
    events: Published<u64>,
    /// All who wait in it would take the first message: one wake for each is enough.
    receivable: WaitQueue,
    sendable: WaitQueue,
}

type Tickets = ArrayVec<Arc<dyn Ticket>, 2>;

impl<L: Send> Channel<L> {
    /// Both ends open. With a capacity of 0 each message goes from hand to hand.
    pub fn new(capacity: usize) -> Arc<Self> {
        Arc::new(Channel {
            _counted: LIVING.count(),
            capacity,
            state: SpinLock::new(State { queue: VecDeque::new(), has_sender: true, has_receiver: true, waiting: 0 }),
            events: Published::<u64>::new(0),
            receivable: WaitQueue::named("a message in a channel"),
            sendable: WaitQueue::named("room in a channel"),
        })
    }

    /// Sends; without room it waits, or says `WouldBlock`. `Gone` when nobody will ever receive.
    pub fn send(&self, cx: &mut TaskContext, message: Message<L>, waits: bool) -> Result<(), KernelError> {
        let message = match self.offer(cx, message, None) {
            Ok(_) => {
                self.tell_a_receiver(cx);
                return Ok(());
            }
            Err((KernelError::WouldBlock, message)) if waits => message,
            Err((error, _)) => return Err(error),
        };
        let sender = Arc::new(WaitingSender::new());
        let ticket: Arc<dyn Ticket> = sender.clone();
        self.post(cx, message, &ticket)?;
        match sender.wait(cx) {
            Err(error) if twin::is(Twin::SenderLeavesMessage) => Err(error),
            Err(_) if self.withdraw(cx, &ticket).is_some() => Err(KernelError::Interrupted),
            // Taken meanwhile: whoever took it is about to say so.
            Err(_) => sender.wait_for_the_word(cx),
            Ok(answer) => answer,
        }
    }

    /// Leaves the message in the channel; `ticket` is settled at once, or later.
    pub fn post(&self, cx: &TaskContext, message: Message<L>, ticket: &Arc<dyn Ticket>) -> Result<(), KernelError> {
        let is_accepted = self.offer(cx, message, Some(ticket)).map_err(|(error, _)| error)?;
        if is_accepted {
            ticket.settle(true);
        }
        self.tell_a_receiver(cx);
        Ok(())
    }

    /// A message is there.
    fn tell_a_receiver(&self, cx: &TaskContext) {
        if !twin::is(Twin::MessageAfterWake) {
            self.receivable.wake_one_donating(cx);
        }
    }

    /// Puts the message into the queue if it is accepted (`true`) or its sender has a ticket.
    fn offer(&self, cx: &TaskContext, message: Message<L>, ticket: Option<&Arc<dyn Ticket>>) -> Result<bool, (KernelError, Message<L>)> {
        if twin::is(Twin::MessageAfterWake) {
            self.receivable.wake_one_donating(cx);
        }
        let mut state = self.state.lock(cx);
        if !state.has_receiver {
            return Err((KernelError::Gone, message));
        }
        let has_room = state.has_room(self.capacity);
        if !has_room && ticket.is_none() {
            return Err((KernelError::WouldBlock, message));
        }
        if state.queue.try_reserve(1).is_err() {
            return Err((KernelError::NoMemory, message));
        }
        let ticket = if has_room { None } else { ticket.cloned() };
        state.queue.push_back(Queued { message, ticket });
        drop(state);
        self.events.fetch_add(1);
        Ok(has_room)
    }

    /// Takes a message back that nobody took yet, for the caller to drop where it may sleep. Its ticket is not settled then.
    pub fn withdraw<X: Allows<kind::Task>>(&self, cx: &X, ticket: &Arc<dyn Ticket>) -> Option<Message<L>> {
        let mut state = self.state.lock(cx);
        let is_ours = |queued: &Queued<L>| queued.ticket.as_ref().is_some_and(|other| Arc::ptr_eq(other, ticket));
        let found = state.queue.iter().position(is_ours);
        let taken = found.and_then(|place| state.queue.remove(place));
        drop(state);
        taken.map(|queued| queued.message)
    }

    /// Receives; without a message it waits, or says `WouldBlock`. `Gone` when all that was sent has been received and
    /// nobody will ever send.
    pub fn receive(&self, cx: &mut TaskContext, waits: bool) -> Result<Message<L>, KernelError> {
        let mut is_counted = false;
        if !waits {
            return self.take(cx, &mut is_counted, false).unwrap_or(Err(KernelError::WouldBlock));
        }
        match self.receivable.wait_until_or_interrupted(cx, |cx| self.take(cx, &mut is_counted, true)) {
            Ok(answer) => answer,
            Err(error) if twin::is(Twin::ReceiverLeavesMessage) => Err(error),
            // A sender may have been let go for this receiver's sake: then the message is taken first.
            Err(error) => self.take(cx, &mut is_counted, false).unwrap_or(Err(error)),
        }
    }

    /// A message, or the end; else the receiver counts as one that waits, or (not `waits`) does no longer.
    fn take(&self, cx: &TaskContext, is_counted: &mut bool, waits: bool) -> Option<Result<Message<L>, KernelError>> {
        let mut state = self.state.lock(cx);
        let taken = state.take(self.capacity);
        let is_over = taken.is_none() && !state.has_sender;
        let counts = waits && taken.is_none() && !is_over;
        let is_new = counts && !*is_counted;
        state.waiting = state.waiting + usize::from(counts) - usize::from(*is_counted);
        *is_counted = counts;
        drop(state);
        if is_new && self.capacity == 0 {
            // There is room now, for those who only look.
            self.sendable.wake_all(cx);
        }
        let Some((message, tickets)) = taken else { return is_over.then_some(Err(KernelError::Gone)) };
        tickets.iter().for_each(|ticket| ticket.settle(true));
        self.events.fetch_add(1);
        if self.capacity != 0 {
            self.sendable.wake_all(cx);
        }
        Some(Ok(message))
    }

    /// One that will receive before long, but not in a thread that waits: senders may count on it until `forgo`.
    pub fn expect(&self, cx: &TaskContext) {
        self.state.lock(cx).waiting += 1;
        self.sendable.wake_all(cx);
    }

    /// As `receive` without waiting, for one that was announced by `expect`: with the message it is expected no longer.
    pub fn receive_expected(&self, cx: &TaskContext, is_expected: &mut bool) -> Result<Message<L>, KernelError> {
        let was_expected = *is_expected;
        let answer = self.take(cx, is_expected, was_expected);
        answer.unwrap_or(Err(KernelError::WouldBlock))
    }

    pub fn forgo(&self) {
        self.state.lock_without_context().waiting -= 1;
    }

    /// A received message could not be delivered: it is the next again.
    pub fn give_back(&self, cx: &TaskContext, message: Message<L>) {
        let mut state = self.state.lock(cx);
        let mut refused = None;
        if state.has_receiver {
            state.queue.push_front(Queued { message, ticket: None });
        } else {
            refused = Some(message);
        }
        drop(state);
        self.events.fetch_add(1);
        drop(refused);
        if !twin::is(Twin::GivenBackSilently) {
            self.receivable.wake_one(cx);
        }
    }

    /// Nobody will send any more.
    pub fn close_sender(&self) {
        if twin::is(Twin::ClosedAfterWake) {
            self.wake_everybody();
        }
        self.state.lock_without_context().has_sender = false;
        if !twin::is(Twin::ClosedAfterWake) {
            self.wake_everybody();
        }
    }

    /// Nobody will receive any more: what was not received is let go of, and its senders are told.
    pub fn close_receiver(&self) {
        let mut state = self.state.lock_without_context();
        state.has_receiver = false;
        let queue = core::mem::take(&mut state.queue);
        drop(state);
        self.refuse(queue);
    }

    /// Lets go of what was not received.
    pub fn clear(&self, cx: &TaskContext) {
        let queue = core::mem::take(&mut self.state.lock(cx).queue);
        self.refuse(queue);
    }

    fn refuse(&self, queue: VecDeque<Queued<L>>) {
        if !twin::is(Twin::RefusedSilently) {
            queue.iter().filter_map(|queued| queued.ticket.as_ref()).for_each(|ticket| ticket.settle(false));
        }
        self.wake_everybody();
        drop(queue);
    }

    fn wake_everybody(&self) {
        self.events.fetch_add(1);
        let off = IrqOff::new();
        self.receivable.wake_all(&off);
        self.sendable.wake_all(&off);
    }

    /// What travels with the messages that wait in the channel. Called under its lock.
    pub fn for_each_load(&self, cx: &TaskContext, visit: impl FnMut(&L)) {
        self.state.lock(cx).queue.iter().filter_map(|queued| queued.message.load.as_ref()).for_each(visit);
    }

    pub fn state(&self, cx: &TaskContext) -> ChannelState {
        let state = self.state.lock(cx);
        ChannelState {
            has_message: !state.queue.is_empty(),
            has_room: state.has_room(self.capacity),
            has_sender: state.has_sender,
            has_receiver: state.has_receiver,
        }
    }

    pub fn events(&self) -> u64 {
        self.events.load()
    }

    /// Woken when a message has come, and when none will come.
    pub fn receivable(&self) -> &WaitQueue {
        &self.receivable
    }

    /// Woken when there is room, and when nobody receives.
    pub fn sendable(&self) -> &WaitQueue {
        &self.sendable
    }
}

impl<L> State<L> {
    fn has_room(&self, capacity: usize) -> bool {
        self.queue.len() < capacity.max(self.waiting)
    }

    /// The first message, with the tickets that this settles.
    fn take(&mut self, capacity: usize) -> Option<(Message<L>, Tickets)> {
        let first = self.queue.pop_front()?;
        let mut tickets = Tickets::new();
        tickets.extend(first.ticket);
        let last_of_buffer = capacity.checked_sub(1).and_then(|last| self.queue.get_mut(last));
        tickets.extend(last_of_buffer.and_then(|queued| queued.ticket.take()));
        Some((first.message, tickets))
    }
}

#[cfg(test)]
#[path = "channel_tests.rs"]
mod tests;
