//! Pipes.
//!
//! Invariant: bytes leave in the order they came, one reader at a time, and only when they have arrived; a write of at most `ATOMIC` bytes goes in whole or waits.

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::sync::Arc;
use core::any::Any;
use libkernel::memory::Room;

use abi::Errno;
use arrayvec::ArrayVec;
use libkernel::address_space::{UserAddress, user};
use libkernel::census::{Census, Counted};
use libkernel::memory::frames::{self, Shortage};
use libkernel::wait::{Mutex, WaitQueue};
use sync::{IrqOff, Published, SpinLock, TaskContext, order};

use super::file::{File, Manner, QueueOwner, Queues, written};
use super::pipe_node::PipeNode;
use super::readiness::Readiness;
use crate::error::{errno, restarting};
use crate::fs::Attributes;
use crate::fs::buffer::{self, Sink, Source};
use crate::fs::node::{Node, Place, Written};

/// How much a pipe holds before a writer waits.
pub const CAPACITY: usize = 65536;
/// Writes up to this size are never mixed with others (`PIPE_BUF`).
pub const ATOMIC: usize = 4096;

pub(super) struct State {
    pub(super) bytes: VecDeque<u8>,
    pub(super) readers: usize,
    writers: usize,
    /// How often each side was opened: a FIFO's opener waits for the other side to come, even if it leaves again.
    readers_seen: u64,
    writers_seen: u64,
}

/// Pipes and FIFOs in use.
pub static LIVING: Census = Census::new("pipes");

/// Bytes on their way from writers to readers.
pub struct Pipe {
    _counted: Counted,
    pub(super) state: SpinLock<State, order::Pipe>,
    pub(super) turn_to_read: Mutex<(), order::PipeReaders>,
    /// How often something happened to those who read, and to those who write.
    pub(super) events_to_read: Published<u64>,
    pub(super) events_to_write: Published<u64>,
    pub(super) readable: WaitQueue,
    pub(super) writable: WaitQueue,
}

impl Pipe {
    /// A pipe with no ends yet.
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            _counted: LIVING.count(),
            turn_to_read: Mutex::new(()),
            state: SpinLock::new(State { bytes: VecDeque::new(), readers: 0, writers: 0, readers_seen: 0, writers_seen: 0 }),
            events_to_read: Published::<u64>::new(0),
            events_to_write: Published::<u64>::new(0),
            readable: WaitQueue::named("bytes in a pipe"),
            writable: WaitQueue::named("room in a pipe"),
        })
    }

    /// One more end of this pipe.
    pub fn end(self: &Arc<Self>, cx: &TaskContext, reads: bool, writes: bool, node: Arc<dyn Node>) -> PipeEnd {
        let mut state = self.state.lock(cx);
        state.readers += usize::from(reads);
        state.writers += usize::from(writes);
        state.readers_seen += u64::from(reads);
        state.writers_seen += u64::from(writes);
        drop(state);
        self.wake_all();
        PipeEnd { pipe: self.clone(), reads, writes, node }
    }

    /// How many times each side was opened, and how many ends each has: readers, writers.
    pub fn sides(&self, cx: &TaskContext) -> ((u64, usize), (u64, usize)) {
        let state = self.state.lock(cx);
        ((state.readers_seen, state.readers), (state.writers_seen, state.writers))
    }

    /// Woken when a side is opened.
    pub fn arrivals(&self) -> &WaitQueue {
        &self.readable
    }

    fn wake_all(&self) {
        self.events_to_read.fetch_add(1);
        self.events_to_write.fetch_add(1);
        let off = IrqOff::new();
        self.readable.wake_all(&off);
        self.writable.wake_all(&off);
    }

    /// Copies up to `into.len()` of the first bytes, which stay: how many, 0 when no more can come, `None` when there are none yet.
    pub(super) fn peek(&self, cx: &TaskContext, into: &mut [u8]) -> Option<usize> {
        let state = self.state.lock(cx);
        if state.bytes.is_empty() {
            return if state.writers == 0 { Some(0) } else { None };
        }
        copy_front(&state.bytes, into);
        Some(into.len().min(state.bytes.len()))
    }

    fn is_empty_yet(&self, cx: &TaskContext) -> bool {
        let state = self.state.lock(cx);
        state.bytes.is_empty() && state.writers != 0
    }

    pub(super) fn remove(&self, cx: &TaskContext, count: usize) {
        let mut state = self.state.lock(cx);
        let count = count.min(state.bytes.len());
        state.bytes.drain(..count);
    }

    /// Hands one buffer full over: how many bytes have arrived, and why not all. They leave the pipe when they have arrived: a wild
    /// pointer loses nothing, and as readers take turns, nothing is overtaken by what came later. `None` when there are no bytes yet.
    fn hand_over(&self, cx: &mut TaskContext, buffer: &mut [u8], into: &mut dyn Sink) -> Option<(usize, Result<(), Errno>)> {
        if self.is_empty_yet(cx) {
            return None;
        }
        let _turn = self.turn_to_read.lock(cx);
        let wanted = into.remaining().min(buffer.len());
        let count = self.peek(cx, buffer.get_mut(..wanted)?)?;
        let put = into.put(cx, buffer.get(..count)?);
        let arrived = if put.is_ok() { count } else { 0 };
        self.remove(cx, arrived);
        Some((arrived, put))
    }

    /// Puts bytes in: how many, or `None` when there is no room yet. All or nothing when `whole`.
    pub(super) fn put(&self, cx: &TaskContext, bytes: &[u8], whole: bool) -> Option<Result<usize, Errno>> {
        let mut state = self.state.lock(cx);
        if state.readers == 0 {
            return Some(Err(Errno::EPIPE));
        }
        let room = CAPACITY.saturating_sub(state.bytes.len());
        if room == 0 || (whole && room < bytes.len()) {
            return None;
        }
        let count = room.min(bytes.len());
        let is_refused = frames::shortage() == Shortage::Desperate && state.bytes.capacity() < state.bytes.len() + count;
        if is_refused || state.bytes.try_room(count).is_err() {
            return Some(Err(Errno::ENOMEM));
        }
        state.bytes.extend(bytes.get(..count).unwrap_or_default());
        Some(Ok(count))
    }

    fn read(&self, cx: &mut TaskContext, manner: Manner, into: &mut dyn Sink) -> Result<usize, Errno> {
        let mut buffer = buffer::chunk(into.remaining())?;
        let mut done = 0;
        while into.remaining() > 0 {
            let (arrived, put) = if done == 0 && !manner.nonblocking {
                let moved = self.readable.wait_until_or_interrupted(cx, |cx| self.hand_over(cx, &mut buffer, into));
                moved.map_err(restarting)?
            } else {
                match self.hand_over(cx, &mut buffer, into) {
                    Some(moved) => moved,
                    None if done > 0 => break,
                    None => return Err(Errno::EAGAIN),
                }
            };
            done += arrived;
            if arrived > 0 {
                self.events_to_write.fetch_add(1);
                self.writable.wake_all(cx);
            }
            if let Err(error) = put {
                return buffer::partial(done, error);
            }
            if arrived == 0 {
                break;
            }
        }
        Ok(done)
    }

    fn write(&self, cx: &mut TaskContext, manner: Manner, from: &mut dyn Source) -> Result<usize, Errno> {
        let total = from.remaining();
        let whole = total <= ATOMIC;
        let mut bytes = buffer::chunk(total)?;
        let mut done = 0;
        while done < total {
            let length = (total - done).min(bytes.len());
            let Some(piece) = bytes.get_mut(..length) else { break };
            if let Err(error) = from.take(cx, piece) {
                return buffer::partial(done, error);
            }
            match self.write_piece(cx, manner, piece, whole) {
                (count, None) => done += count,
                (count, Some(error)) => return buffer::partial(done + count, error),
            }
        }
        Ok(done)
    }

    /// Writes a piece that is in kernel memory already: how much went in, and why not all.
    fn write_piece(&self, cx: &mut TaskContext, manner: Manner, piece: &[u8], whole: bool) -> (usize, Option<Errno>) {
        let mut done = 0;
        while let Some(rest) = piece.get(done..).filter(|rest| !rest.is_empty()) {
            let put = match self.put(cx, rest, whole) {
                Some(put) => put,
                None if manner.nonblocking => Err(Errno::EAGAIN),
                None => match self.writable.wait_until_or_interrupted(cx, |cx| self.put(cx, rest, whole)) {
                    Ok(put) => put,
                    Err(error) => Err(restarting(error)),
                },
            };
            match put {
                Ok(count) => {
                    done += count;
                    self.events_to_read.fetch_add(1);
                    // Who waits for the bytes is most often waited for in turn.
                    self.readable.wake_all_donating(cx);
                }
                Err(error) => return (done, Some(error)),
            }
        }
        (done, None)
    }
}

impl QueueOwner for Pipe {
    fn queues(&self) -> Queues<'_> {
        Queues::from_iter([&self.readable, &self.writable])
    }
}

/// Copies the first bytes of the queue, as many as both sides have.
fn copy_front(queue: &VecDeque<u8>, into: &mut [u8]) {
    let mut rest = into;
    for part in [queue.as_slices().0, queue.as_slices().1] {
        let (now, later) = rest.split_at_mut(part.len().min(rest.len()));
        now.copy_from_slice(part.get(..now.len()).unwrap_or_default());
        rest = later;
    }
}

/// An open end of a pipe; a FIFO may be opened for both.
pub struct PipeEnd {
    pipe: Arc<Pipe>,
    reads: bool,
    writes: bool,
    node: Arc<dyn Node>,
}

impl PipeEnd {
    /// The pipe that it is an end of.
    pub fn pipe(&self) -> &Arc<Pipe> {
        &self.pipe
    }
}

impl File for PipeEnd {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn attributes(&self, cx: &mut TaskContext) -> Result<Attributes, Errno> {
        self.node.attributes(cx)
    }

    fn node(&self) -> Option<&Arc<dyn Node>> {
        Some(&self.node)
    }

    fn read(&self, cx: &mut TaskContext, _at: u64, manner: Manner, into: &mut dyn Sink) -> Result<usize, Errno> {
        self.pipe.read(cx, manner, into)
    }

    fn write(&self, cx: &mut TaskContext, _place: Place, manner: Manner, from: &mut dyn Source) -> Result<Written, Errno> {
        Ok(written(self.pipe.write(cx, manner, from)?))
    }

    fn readiness(&self, cx: &mut TaskContext) -> Readiness {
        let state = self.pipe.state.lock(cx);
        let mut ready = Readiness::empty();
        if self.reads {
            ready.set(Readiness::READ, !state.bytes.is_empty());
            ready.set(Readiness::HANG_UP, state.writers == 0 && state.writers_seen > 0);
        }
        if self.writes {
            ready.set(Readiness::WRITE, CAPACITY.saturating_sub(state.bytes.len()) >= ATOMIC);
            ready.set(Readiness::ERROR, state.readers == 0);
        }
        ready
    }

    fn queue_owner(&self) -> Option<Arc<dyn QueueOwner>> {
        Some(self.pipe.clone())
    }

    fn queues(&self) -> Queues<'_> {
        let mut queues = ArrayVec::new();
        if self.reads {
            queues.push(&self.pipe.readable);
        }
        if self.writes {
            queues.push(&self.pipe.writable);
        }
        queues
    }

    fn events(&self) -> u64 {
        let read = if self.reads { self.pipe.events_to_read.load() } else { 0 };
        let written = if self.writes { self.pipe.events_to_write.load() } else { 0 };
        read.saturating_add(written)
    }

    fn control(&self, cx: &mut TaskContext, request: u32, argument: UserAddress) -> Result<u64, Errno> {
        if request != abi::terminal::request::FIONREAD {
            return Err(Errno::ENOTTY);
        }
        let waiting = self.pipe.state.lock(cx).bytes.len();
        let waiting = i32::try_from(waiting).unwrap_or(i32::MAX);
        user::copy_out_value(cx, argument, &waiting).map_err(errno)?;
        Ok(0)
    }

    fn label(&self) -> Option<String> {
        self.node.as_any().downcast_ref::<PipeNode>().map(PipeNode::label)
    }
}

impl Drop for PipeEnd {
    fn drop(&mut self) {
        let mut state = self.pipe.state.lock_without_context();
        state.readers -= usize::from(self.reads);
        state.writers -= usize::from(self.writes);
        drop(state);
        self.pipe.wake_all();
    }
}
