//! SocketNode: the file that a socket is an opening of.
//!
//! Invariant: it stands in no directory and cannot be opened again; the file that a name made is another.

use alloc::format;
use alloc::string::String;
use core::any::Any;

use abi::Errno;
use abi::file::Statfs;
use libkernel::clock;
use sync::{SpinLock, TaskContext, order};

use crate::credentials::Credentials;
use crate::fs::node::{Identity, Kind, Node};
use crate::fs::{Attributes, Change};

/// The file system number that sockets show.
const DEVICE: u64 = 8;
/// `SOCKFS_MAGIC`.
const FILE_SYSTEM: i64 = 0x534f_434b;
const BLOCK: i64 = 4096;
const NAME_LIMIT: i64 = 255;

/// A socket, as a file.
pub struct SocketNode {
    identity: Identity,
    attributes: SpinLock<Attributes, order::FileFacts>,
}

impl SocketNode {
    /// The file of the socket with this number, which belongs to its maker.
    pub fn new(number: u64, maker: &Credentials) -> Self {
        let identity = Identity { file_system: DEVICE, number };
        let mut attributes = Attributes::plain(identity, Kind::Socket, 0o777, clock::wall_clock());
        (attributes.user, attributes.group) = (maker.fsuid, maker.fsgid);
        Self { identity, attributes: SpinLock::new(attributes) }
    }

    /// As a link to it is shown.
    pub fn label(&self) -> String {
        format!("socket:[{}]", self.identity.number)
    }
}

impl Node for SocketNode {
    fn identity(&self) -> Identity {
        self.identity
    }

    fn kind(&self) -> Kind {
        Kind::Socket
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
