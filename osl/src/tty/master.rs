//! The far end of a pseudo-terminal: what a terminal emulator holds.
//!
//! Invariant: there is one opening of it, shared at most by inheritance; when that is closed, the terminal is hung up for good.

use alloc::sync::Arc;
use core::any::Any;

use abi::Errno;
use abi::file::device_number;
use abi::terminal::packet;
use libkernel::address_space::UserAddress;
use libkernel::clock;
use sync::TaskContext;

use super::control;
use super::numbers::{self, Number};
use super::state::Facts;
use super::terminal::Terminal;
use crate::error::restarting;
use crate::file::Readiness;
use crate::file::file::{File, Manner, QueueOwner, Queues, written};
use crate::fs::Attributes;
use crate::fs::buffer::{self, Sink, Source};
use crate::fs::node::{Node, Place, Written};
use crate::process;

/// Device number of the near ends.
pub const MAJOR: u32 = 136;
/// The group that may write to terminals, as distributions have it.
const TTY_GROUP: u32 = 5;
const MODE: u32 = 0o620;
/// The most keys that are typed under the lock at once.
const PIECE: usize = 512;

/// The master of a pseudo-terminal.
pub struct MasterFile {
    terminal: Arc<Terminal>,
    node: Arc<dyn Node>,
}

impl MasterFile {
    /// A new pseudo-terminal, locked; the caller owns it.
    pub fn open(cx: &mut TaskContext, node: &Arc<dyn Node>) -> Result<Arc<Self>, Errno> {
        let task = process::current(cx).ok_or(Errno::EIO)?;
        let user = task.credentials(cx).fsuid;
        let number = Number::take(cx).ok_or(Errno::ENOSPC)?;
        let terminal = Terminal::with_master(device_number(MAJOR, number.get()), number);
        let now = clock::wall_clock();
        let facts = Facts { mode: MODE, user, group: TTY_GROUP, accessed: now, modified: now, changed: now };
        terminal.state.lock(cx).facts = facts;
        numbers::enter(cx, &terminal);
        Ok(Arc::new(Self { terminal, node: node.clone() }))
    }

    /// The near end.
    pub fn terminal(&self) -> &Arc<Terminal> {
        &self.terminal
    }

    fn wait<R>(&self, cx: &mut TaskContext, manner: Manner, mut attempt: impl FnMut(&mut TaskContext) -> Option<R>) -> Result<R, Errno> {
        match attempt(cx) {
            Some(answer) => Ok(answer),
            None if manner.nonblocking => Err(Errno::EAGAIN),
            None => self.terminal.master_changed.wait_until_or_interrupted(cx, attempt).map_err(restarting),
        }
    }
}

impl File for MasterFile {
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
        let most = into.remaining().min(buffer::CHUNK);
        if most == 0 {
            return Ok(0);
        }
        let (bytes, todo) = self.wait(cx, manner, |cx| self.terminal.state.lock(cx).take_output(most))??;
        self.terminal.act(cx, todo);
        into.put(cx, &bytes)?;
        Ok(bytes.len())
    }

    fn write(&self, cx: &mut TaskContext, _place: Place, manner: Manner, from: &mut dyn Source) -> Result<Written, Errno> {
        let mut keys = [0; PIECE];
        let mut done = 0;
        while from.remaining() > 0 {
            let length = from.remaining().min(keys.len());
            let Some(piece) = keys.get_mut(..length) else { break };
            if let Err(error) = from.take(cx, piece) {
                return buffer::partial(done, error).map(written);
            }
            let mut piece: &[u8] = piece;
            while !piece.is_empty() {
                match self.wait(cx, manner, |cx| self.terminal.try_type(cx, piece)).and_then(|typed| typed) {
                    Ok((count, todo)) => {
                        self.terminal.act(cx, todo);
                        done += count;
                        piece = piece.get(count..).unwrap_or(&[]);
                    }
                    Err(error) => return buffer::partial(done, error).map(written),
                }
            }
        }
        Ok(written(done))
    }

    fn readiness(&self, cx: &mut TaskContext) -> Readiness {
        let state = self.terminal.state.lock(cx);
        let has_news = state.master.news.is_some_and(|news| news != packet::DATA);
        let mut ready = Readiness::empty();
        ready.set(Readiness::READ, has_news || !state.master.output.is_empty());
        ready.set(Readiness::PRIORITY, has_news);
        ready.set(Readiness::WRITE, state.input_room() > 0);
        ready.set(Readiness::HANG_UP, state.master.is_alone);
        ready
    }

    fn queues(&self) -> Queues<'_> {
        Queues::from_iter([&self.terminal.master_changed])
    }

    fn queue_owner(&self) -> Option<Arc<dyn QueueOwner>> {
        Some(self.terminal.clone())
    }

    fn events(&self) -> u64 {
        self.terminal.master_events.load()
    }

    fn control(&self, cx: &mut TaskContext, request: u32, argument: UserAddress) -> Result<u64, Errno> {
        control::of_master(cx, &self.terminal, request, argument)
    }
}

impl Drop for MasterFile {
    fn drop(&mut self) {
        self.terminal.close_master();
    }
}
