//! Reads, writes and receives that a port carries out: when the file is ready, by a thread that looks after the port.
//!
//! Invariant: the file's queues are watched before it is tried; so a try that finds it not ready is followed by another when
//! it may be.

use alloc::sync::Arc;

use abi::Errno;
use arrayvec::ArrayVec;
use libkernel::ipc::{Bell, CompletionPort, OperationId};
use libkernel::wait::Watch;
use sync::{IrqOff, TaskContext};
use zerocopy::IntoBytes;

use super::channel::{FileChannel, ReceiveEnd};
use super::messages;
use super::space::Owner;
use crate::error::errno;
use crate::file::OpenFile;
use crate::file::in_flight::InFlight;
use crate::file::watch::Watched;
use crate::fs::buffer::Sink;

/// What is to be done with the file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    Read,
    Write,
    Receive,
}

/// No transfer moves more (`MAX_RW_COUNT`).
const LIMIT: usize = 0x7fff_f000;

/// A transfer, until it has ended.
pub struct Transfer {
    direction: Direction,
    open: InFlight,
    /// The channel that counts on this receive.
    expected: Option<Arc<FileChannel>>,
    owner: Owner,
    buffer: u64,
    length: usize,
    offset: u64,
    watched: Option<(Watched, ArrayVec<Watch, 2>)>,
}

impl Transfer {
    /// Checks that the file is one for it.
    pub fn new(direction: Direction, open: Arc<OpenFile>, owner: Owner, buffer: u64, length: u32, offset: u32) -> Result<Self, Errno> {
        match direction {
            Direction::Read => open.check_read()?,
            Direction::Write => open.check_write()?,
            Direction::Receive => drop(channel_of(&open)?),
        }
        let length = usize::try_from(length).unwrap_or(LIMIT).min(LIMIT);
        let offset = u64::from(offset);
        Ok(Self { direction, open: InFlight::new(open), expected: None, owner, buffer, length, offset, watched: None })
    }

    /// The file, for those who look for circles.
    pub fn held(&self) -> &InFlight {
        &self.open
    }

    /// Tries, without waiting: the result, or `None` when the port is told as soon as another try is worth it.
    pub fn advance(&mut self, cx: &mut TaskContext, port: &Arc<CompletionPort>, id: OperationId) -> Option<i64> {
        let answer = match self.try_now(cx) {
            Err(Errno::EAGAIN) => {
                self.watch(cx, port, id);
                self.try_now(cx)
            }
            other => other,
        };
        match answer {
            Err(Errno::EAGAIN) if self.will_be_told() => None,
            Ok(count) => Some(i64::try_from(count).unwrap_or(i64::MAX)),
            Err(error) => Some(error.as_result()),
        }
    }

    fn try_now(&mut self, cx: &mut TaskContext) -> Result<usize, Errno> {
        let open = self.open.open().ok_or(Errno::EBADF)?;
        match self.direction {
            Direction::Read => open.try_read(cx, self.offset, &mut self.owner.stretch(self.buffer, self.length)?),
            Direction::Write => open.try_write(cx, self.offset, &mut self.owner.stretch(self.buffer, self.length)?),
            Direction::Receive => self.receive(cx),
        }
    }

    fn receive(&mut self, cx: &mut TaskContext) -> Result<usize, Errno> {
        let channel = channel_of(self.open.open().ok_or(Errno::EBADF)?)?;
        let destination = self.owner.destination()?;
        let mut place = self.owner.stretch(self.buffer, size_of::<abi::native::Message>())?;
        let mut is_expected = self.expected.is_some();
        let received = channel.receive_expected(cx, &mut is_expected);
        if !is_expected {
            self.expected = None;
        }
        let message = received.map_err(errno)?;
        let answer = messages::deliver(cx, &destination, &message, |cx, given| place.put(cx, given.as_bytes()));
        if answer.is_err() {
            channel.give_back(cx, message);
        }
        answer.map(|()| 0)
    }

    /// Has the port told of the file's next change.
    fn watch(&mut self, cx: &TaskContext, port: &Arc<CompletionPort>, id: OperationId) {
        let Some(open) = self.open.open() else { return };
        if self.watched.is_none() {
            let watched = Watched::new(open);
            let bell = Arc::new(Bell { port: port.clone(), id });
            let watches = watched.queues().iter().map(|_| Watch::new(bell.clone())).collect();
            self.watched = Some((watched, watches));
            if let (Direction::Receive, Ok(channel)) = (self.direction, channel_of(open)) {
                channel.expect(cx);
                self.expected = Some(channel);
            }
        }
        for (queue, watch) in self.watched.iter().flat_map(|(watched, watches)| watched.queues().into_iter().zip(watches)) {
            queue.watch(cx, watch);
        }
    }

    fn will_be_told(&self) -> bool {
        self.watched.as_ref().is_some_and(|(_, watches)| !watches.is_empty())
    }
}

fn channel_of(open: &OpenFile) -> Result<Arc<FileChannel>, Errno> {
    open.file().as_any().downcast_ref().map(ReceiveEnd::channel).cloned().ok_or(Errno::EBADF)
}

impl Drop for Transfer {
    fn drop(&mut self) {
        let off = IrqOff::new();
        for (queue, watch) in self.watched.iter().flat_map(|(watched, watches)| watched.queues().into_iter().zip(watches)) {
            queue.unwatch(&off, watch);
        }
        drop(off);
        if let Some(channel) = &self.expected {
            channel.forgo();
        }
    }
}
