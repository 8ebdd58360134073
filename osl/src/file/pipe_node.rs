//! PipeNode: the file that the ends of an unnamed pipe are openings of.
//!
//! Invariant: it stands in no directory: whoever has an end reaches it through that (`/proc/PID/fd`), nobody else.

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use core::any::Any;

use abi::Errno;
use abi::file::Statfs;
use libkernel::clock;
use sync::{Published, SpinLock, TaskContext, order};

use super::pipe::{Pipe, PipeEnd};
use crate::credentials::Credentials;
use crate::fs::node::{Identity, Kind, Node};
use crate::fs::{Attributes, Change};

/// The number that pipes are told apart by.
static NEXT_NUMBER: Published<u64> = Published::<u64>::new(1);
/// The file system number that pipes show.
const DEVICE: u64 = 13;
/// `PIPEFS_MAGIC`.
const FILE_SYSTEM: i64 = 0x5049_5045;
const BLOCK: i64 = 4096;
const NAME_LIMIT: i64 = 255;

/// An unnamed pipe, as a file.
pub struct PipeNode {
    identity: Identity,
    pipe: Arc<Pipe>,
    attributes: SpinLock<Attributes, order::FileFacts>,
}

impl PipeNode {
    /// A new pipe that belongs to its maker: the end to read from, and the end to write to.
    pub fn ends(cx: &TaskContext, maker: &Credentials) -> (PipeEnd, PipeEnd) {
        let identity = Identity { file_system: DEVICE, number: NEXT_NUMBER.fetch_add(1) };
        let mut attributes = Attributes::plain(identity, Kind::Fifo, 0o600, clock::wall_clock());
        (attributes.user, attributes.group) = (maker.fsuid, maker.fsgid);
        let pipe = Pipe::new();
        let node: Arc<dyn Node> = Arc::new(Self { identity, pipe: pipe.clone(), attributes: SpinLock::new(attributes) });
        (pipe.end(cx, true, false, node.clone()), pipe.end(cx, false, true, node))
    }

    /// The pipe behind it.
    pub fn pipe(&self) -> &Arc<Pipe> {
        &self.pipe
    }

    /// As a link to it is shown.
    pub fn label(&self) -> String {
        format!("pipe:[{}]", self.identity.number)
    }
}

impl Node for PipeNode {
    fn identity(&self) -> Identity {
        self.identity
    }

    fn kind(&self) -> Kind {
        Kind::Fifo
    }

    fn attributes(&self, cx: &mut TaskContext) -> Result<Attributes, Errno> {
        Ok(*self.attributes.lock(cx))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn change(&self, cx: &mut TaskContext, change: Change) -> Result<(), Errno> {
        self.attributes.lock(cx).change(change, clock::wall_clock());
        Ok(())
    }

    fn file_system(&self) -> Statfs {
        Statfs { kind: FILE_SYSTEM, block_size: BLOCK, fragment_size: BLOCK, name_length: NAME_LIMIT, ..Statfs::default() }
    }

    fn has_place(&self) -> bool {
        false
    }
}
