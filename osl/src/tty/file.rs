//! An opened terminal.
//!
//! Invariant: all state is the terminal's; openings differ only in their flags.

use alloc::sync::Arc;
use core::any::Any;

use abi::Errno;
use abi::constant::{O_NOCTTY, O_PATH};
use libkernel::address_space::UserAddress;
use sync::TaskContext;

use super::terminal::Terminal;
use super::{control, jobs};
use crate::file::file::{File, Manner, Queues, written};
use crate::file::{Access, Readiness};
use crate::fs::Attributes;
use crate::fs::buffer::{Sink, Source};
use crate::fs::node::{Node, Place, Written};

/// One opening of a terminal.
pub struct TerminalFile {
    terminal: Arc<Terminal>,
    node: Arc<dyn Node>,
}

impl TerminalFile {
    /// Opens the terminal by a device file. A session leader without a terminal that may read from it gets it as its own.
    pub fn open(cx: &mut TaskContext, terminal: &Arc<Terminal>, node: &Arc<dyn Node>, flags: u32) -> Result<Arc<dyn File>, Errno> {
        if flags & (O_NOCTTY | O_PATH) == 0 && Access::of_flags(flags).read {
            jobs::take(cx, terminal, true)?;
        }
        Ok(Arc::new(Self { terminal: terminal.clone(), node: node.clone() }))
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
        self.terminal.read(cx, manner, into)
    }

    fn write(&self, cx: &mut TaskContext, _place: Place, manner: Manner, from: &mut dyn Source) -> Result<Written, Errno> {
        Ok(written(self.terminal.write(cx, manner, from)?))
    }

    fn readiness(&self, cx: &mut TaskContext) -> Readiness {
        let (readable, writable, hung_up) = self.terminal.is_ready(cx);
        let mut ready = Readiness::empty();
        ready.set(Readiness::READ, readable);
        ready.set(Readiness::WRITE, writable);
        ready.set(Readiness::HANG_UP, hung_up);
        ready
    }

    fn queues(&self) -> Queues<'_> {
        Queues::from_iter([self.terminal.queue()])
    }

    fn events(&self) -> u64 {
        self.terminal.arrivals()
    }

    fn control(&self, cx: &mut TaskContext, request: u32, argument: UserAddress) -> Result<u64, Errno> {
        control::control(cx, &self.terminal, request, argument)
    }
}
