//! File: how an open file behaves.
//!
//! Invariant: a file never looks at descriptors or positions: the opening that holds it does.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;

use abi::Errno;
use arrayvec::ArrayVec;
use libkernel::address_space::{PageSource, UserAddress};
use libkernel::wait::WaitQueue;
use sync::TaskContext;

use super::in_flight::InFlight;
use super::open_file::OpenFile;
use super::readiness::Readiness;
use crate::fs::Attributes;
use crate::fs::buffer::{Sink, Source};
use crate::fs::node::{Entry, Node, Place, Written};

/// How a transfer is to be made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Manner {
    /// Fail with `EAGAIN` rather than wait.
    pub nonblocking: bool,
}

/// The wait queues that are woken when a file becomes ready.
pub type Queues<'a> = ArrayVec<&'a WaitQueue, 2>;

/// What lives on when one of its files is closed, and is waited for meanwhile.
pub trait QueueOwner: Send + Sync {
    /// All its queues.
    fn queues(&self) -> Queues<'_>;
}

/// The behaviour of an open file.
pub trait File: Send + Sync {
    /// The file as what it is, for the calls that are about one kind.
    fn as_any(&self) -> &dyn Any;

    /// What `fstat` tells.
    fn attributes(&self, cx: &mut TaskContext) -> Result<Attributes, Errno>;

    /// The node that was opened, if there is one.
    fn node(&self) -> Option<&Arc<dyn Node>> {
        None
    }

    /// Whether the opening keeps a position that reads and writes move.
    fn has_position(&self) -> bool {
        false
    }

    /// Where it ends, for positions counted from there.
    fn length(&self, cx: &mut TaskContext) -> Result<u64, Errno> {
        Ok(self.attributes(cx)?.size)
    }

    /// Reads at `at` (ignored without a position).
    fn read(&self, _cx: &mut TaskContext, _at: u64, _manner: Manner, _into: &mut dyn Sink) -> Result<usize, Errno> {
        Err(Errno::EINVAL)
    }

    /// Writes at `place` (ignored without a position).
    fn write(&self, _cx: &mut TaskContext, _place: Place, _manner: Manner, _from: &mut dyn Source) -> Result<Written, Errno> {
        Err(Errno::EINVAL)
    }

    /// Directory: entries from position `from` on, until `each` answers `false`.
    fn list(&self, _cx: &mut TaskContext, _from: u64, _each: &mut dyn FnMut(Entry<'_>) -> bool) -> Result<(), Errno> {
        Err(Errno::ENOTDIR)
    }

    /// What would not wait now.
    fn readiness(&self, _cx: &mut TaskContext) -> Readiness {
        Readiness::BOTH
    }

    /// Whom to wait on when it is not ready; empty for a file that always is.
    fn queues(&self) -> Queues<'_> {
        Queues::new()
    }

    /// Who has the queues, where the file itself must not be kept by those who wait: closing it is an event.
    fn queue_owner(&self) -> Option<Arc<dyn QueueOwner>> {
        None
    }

    /// For a file that stands for others: these. Their queues are waited on too.
    fn members(&self, _cx: &mut TaskContext) -> Vec<Arc<OpenFile>> {
        Vec::new()
    }

    /// Grows, before its queues are woken, when there are other members than before.
    fn membership(&self) -> u64 {
        0
    }

    /// Grows with every event that may make the file ready, also when it is ready already.
    fn events(&self) -> u64 {
        0
    }

    /// Whether a write that finds nobody to read is told by a signal too.
    fn signals_broken_pipe(&self) -> bool {
        true
    }

    /// Whether a poll says more than "always ready".
    fn can_be_polled(&self) -> bool {
        !self.queues().is_empty()
    }

    /// Device-specific requests (`ioctl`).
    fn control(&self, _cx: &mut TaskContext, _request: u32, _argument: UserAddress) -> Result<u64, Errno> {
        Err(Errno::ENOTTY)
    }

    /// Its pages, for `mmap`.
    fn pages(&self) -> Option<Arc<dyn PageSource>> {
        self.node()?.clone().pages()
    }

    /// Whether it may hold other open files: then the next two are about these.
    fn is_keeper(&self) -> bool {
        false
    }

    /// Shows each of them; called without waiting, and `visit` takes no lock.
    fn for_each_held(&self, _cx: &TaskContext, _visit: &mut dyn FnMut(&InFlight)) {}

    /// Lets go of them: no program can reach this file any more.
    fn let_go(&self, _cx: &mut TaskContext) {}

    /// What `/proc/self/fd` shows for a file without a path, such as `pipe:[7]`.
    fn label(&self) -> Option<alloc::string::String> {
        None
    }
}

/// What a write of `count` bytes did to a file without a position.
pub fn written(count: usize) -> Written {
    Written { count, end: 0 }
}
