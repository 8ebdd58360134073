//! An opened terminal.
//!
//! Invariant: all state is the terminal's; openings differ only in their flags and in whether a hang-up has cut them off.

use alloc::sync::Arc;
use core::any::Any;

use abi::Errno;
use abi::constant::{O_NOCTTY, O_PATH};
use abi::terminal::request;
use libkernel::address_space::UserAddress;
use sync::TaskContext;

use super::terminal::{Opening, Terminal};
use super::{control, jobs};
use crate::file::file::{File, Manner, QueueOwner, Queues, written};
use crate::file::{Access, Readiness};
use crate::fs::Attributes;
use crate::fs::buffer::{Sink, Source};
use crate::fs::node::{Node, Place, Written};
use crate::process;

/// One opening of a terminal.
pub struct TerminalFile {
    terminal: Arc<Terminal>,
    opening: Opening,
    can_read: bool,
    node: Arc<dyn Node>,
}

impl TerminalFile {
    /// Opens the terminal by a device file. A session leader without a terminal that may read from it gets it as its own.
    pub fn open(cx: &mut TaskContext, terminal: &Arc<Terminal>, node: &Arc<dyn Node>, flags: u32) -> Result<Arc<dyn File>, Errno> {
        let overrides = process::current(cx).is_some_and(|task| task.credentials(cx).is_privileged());
        let opening = terminal.open(cx, overrides)?;
        let can_read = Access::of_flags(flags).read;
        let file = Arc::new(Self { terminal: terminal.clone(), opening, can_read, node: node.clone() });
        if flags & (O_NOCTTY | O_PATH) == 0 && can_read {
            jobs::take_if_free(cx, terminal)?;
        }
        Ok(file)
    }

    /// The terminal behind it.
    pub fn terminal(&self) -> &Arc<Terminal> {
        &self.terminal
    }
}

impl File for TerminalFile {
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
        self.terminal.read(cx, self.opening, manner, into)
    }

    fn write(&self, cx: &mut TaskContext, _place: Place, manner: Manner, from: &mut dyn Source) -> Result<Written, Errno> {
        Ok(written(self.terminal.write(cx, self.opening, manner, from)?))
    }

    fn readiness(&self, cx: &mut TaskContext) -> Readiness {
        if self.terminal.is_hung_up(cx, self.opening) {
            return Readiness::BOTH | Readiness::ERROR | Readiness::HANG_UP;
        }
        let (readable, writable) = self.terminal.is_ready(cx);
        let mut ready = Readiness::empty();
        ready.set(Readiness::READ, readable);
        ready.set(Readiness::WRITE, writable);
        ready
    }

    fn queues(&self) -> Queues<'_> {
        Queues::from_iter([self.terminal.queue()])
    }

    fn queue_owner(&self) -> Option<Arc<dyn QueueOwner>> {
        Some(self.terminal.clone())
    }

    fn events(&self) -> u64 {
        self.terminal.events()
    }

    fn control(&self, cx: &mut TaskContext, request: u32, argument: UserAddress) -> Result<u64, Errno> {
        if self.terminal.is_hung_up(cx, self.opening) {
            return Err(if request == request::TIOCSPGRP { Errno::ENOTTY } else { Errno::EIO });
        }
        control::of_terminal(cx, &self.terminal, self.can_read, request, argument)
    }
}

impl Drop for TerminalFile {
    fn drop(&mut self) {
        self.terminal.close();
    }
}
