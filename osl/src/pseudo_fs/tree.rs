//! Files that the kernel makes up: texts, links and directories given by closures.
//!
//! Invariant: a made file holds nothing of what it shows; it asks anew at every look, so it can neither go stale nor keep
//! anything alive.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;

use abi::Errno;
use abi::file::Statfs;
use libkernel::clock;
use sync::TaskContext;

use crate::fs::node::Entry;
use crate::fs::{Attributes, Change, Found, Identity, Kind, Node};

const NAME_LIMIT: i64 = 255;
const BLOCK: i64 = 4096;

/// One made file system.
#[derive(Clone, Copy, Debug)]
pub struct Volume {
    /// Its device number.
    pub device: u64,
    /// The number by which `statfs` tells its kind.
    pub magic: i64,
}

/// A name in a made directory.
#[derive(Clone, Debug)]
pub struct Name {
    /// The name.
    pub name: Vec<u8>,
    /// Position in the listing; names come in the order of their positions, `FIRST_POSITION` and up.
    pub position: u64,
    /// The file's number.
    pub number: u64,
    /// What the file is.
    pub kind: Kind,
}

/// Positions below belong to `.` and `..`.
pub const FIRST_POSITION: u64 = 2;

/// A question to the kernel, put again at every look.
pub type Ask<T> = Box<dyn Fn(&mut TaskContext) -> Result<T, Errno> + Send + Sync>;
type Take = Box<dyn Fn(&mut TaskContext, &[u8]) -> Result<(), Errno> + Send + Sync>;
type Find = Box<dyn Fn(&mut TaskContext, &[u8]) -> Result<Arc<dyn Node>, Errno> + Send + Sync>;

/// What a made file is made of.
pub enum Content {
    /// A text, made when it is read.
    Text(Ask<Vec<u8>>),
    /// A text that takes what is written to it.
    WritableText(Ask<Vec<u8>>, Take),
    /// A link: its path, and the file itself where a path would not lead there.
    Link(Ask<Vec<u8>>, Option<Ask<Found>>),
    /// A directory: its names, and the file of a name.
    Directory { list: Ask<Vec<Name>>, find: Find, parent: Option<Arc<dyn Node>> },
}

/// User and group of a made file.
pub type Owner = Ask<(u32, u32)>;

/// A made file.
pub struct Made {
    volume: Volume,
    number: u64,
    mode: u32,
    owner: Option<Owner>,
    content: Content,
}

impl Made {
    /// A file that belongs to root.
    pub fn node(volume: Volume, number: u64, mode: u32, content: Content) -> Arc<dyn Node> {
        Arc::new(Self { volume, number, mode, owner: None, content })
    }

    /// A file whose owner is asked for at every look.
    pub fn owned(volume: Volume, number: u64, mode: u32, owner: Owner, content: Content) -> Arc<dyn Node> {
        Arc::new(Self { volume, number, mode, owner: Some(owner), content })
    }
}

impl Node for Made {
    fn identity(&self) -> Identity {
        Identity { file_system: self.volume.device, number: self.number }
    }

    fn kind(&self) -> Kind {
        match self.content {
            Content::Text(_) | Content::WritableText(..) => Kind::Regular,
            Content::Link(..) => Kind::Link,
            Content::Directory { .. } => Kind::Directory,
        }
    }

    fn attributes(&self, cx: &mut TaskContext) -> Result<Attributes, Errno> {
        let mut attributes = Attributes::plain(self.identity(), self.kind(), self.mode, clock::wall_clock());
        if let Some(owner) = &self.owner {
            (attributes.user, attributes.group) = owner(cx)?;
        }
        if self.kind() == Kind::Directory {
            attributes.links = 2;
        }
        Ok(attributes)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn change(&self, _cx: &mut TaskContext, _change: Change) -> Result<(), Errno> {
        Err(Errno::EPERM)
    }

    fn file_system(&self) -> Statfs {
        Statfs { kind: self.volume.magic, block_size: BLOCK, fragment_size: BLOCK, name_length: NAME_LIMIT, ..Statfs::default() }
    }

    fn find(&self, cx: &mut TaskContext, name: &[u8]) -> Result<Arc<dyn Node>, Errno> {
        match &self.content {
            Content::Directory { find, .. } => find(cx, name),
            _ => Err(Errno::ENOTDIR),
        }
    }

    fn parent(&self, _cx: &mut TaskContext) -> Option<Arc<dyn Node>> {
        match &self.content {
            Content::Directory { parent, .. } => parent.clone(),
            _ => None,
        }
    }

    fn list(&self, cx: &mut TaskContext, from: u64, each: &mut dyn FnMut(Entry<'_>) -> bool) -> Result<(), Errno> {
        let Content::Directory { list, parent, .. } = &self.content else { return Err(Errno::ENOTDIR) };
        let above = parent.as_ref().map_or(self.number, |parent| parent.identity().number);
        for (position, name, number) in [(0, b".".as_slice(), self.number), (1, b"..".as_slice(), above)] {
            let wanted = position >= from;
            if wanted && !each(Entry { name, number, kind: Kind::Directory, next: position + 1 }) {
                return Ok(());
            }
        }
        for entry in list(cx)?.iter().filter(|entry| entry.position >= from) {
            let next = entry.position.saturating_add(1);
            if !each(Entry { name: &entry.name, number: entry.number, kind: entry.kind, next }) {
                break;
            }
        }
        Ok(())
    }

    fn target(&self, cx: &mut TaskContext) -> Result<Vec<u8>, Errno> {
        match &self.content {
            Content::Link(target, _) => target(cx),
            _ => Err(Errno::EINVAL),
        }
    }

    fn leads_to(&self, cx: &mut TaskContext) -> Option<Result<Found, Errno>> {
        match &self.content {
            Content::Link(_, Some(leads)) => Some(leads(cx)),
            _ => None,
        }
    }

    fn is_text(&self) -> bool {
        self.kind() == Kind::Regular
    }

    fn text(&self, cx: &mut TaskContext) -> Option<Result<Vec<u8>, Errno>> {
        match &self.content {
            Content::Text(read) | Content::WritableText(read, _) => Some(read(cx)),
            _ => None,
        }
    }

    fn accept_text(&self, cx: &mut TaskContext, text: &[u8]) -> Result<(), Errno> {
        match &self.content {
            Content::WritableText(_, take) => take(cx, text),
            _ => Err(Errno::EACCES),
        }
    }
}
