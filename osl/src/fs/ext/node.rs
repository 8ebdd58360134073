//! A file on a disk.
//!
//! Invariant: nothing about it ever changes. A node keeps the directory that it was found in, so every way up ends at the top.

use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::any::Any;

use abi::Errno;
use abi::file::{Statfs, device_number};
use libkernel::address_space::{PageSource, SourceNumber};
use libkernel::census::{Census, Counted};
use libkernel::wait::Mutex;
use sync::{TaskContext, order};

use super::super::attributes::{Attributes, Change};
use super::super::buffer::{self, Sink, Source};
use super::super::disk::PAGE;
use super::super::node::{Entry, Identity, Kind, New, Node, Place, Taken, Written};
use super::super::path::PATH_LIMIT;
use super::entries;
use super::inline;
use super::layout::{Inode, Mapping};
use super::volume::Volume;

/// Files of disks in use.
pub static LIVING: Census = Census::new("disk nodes");

pub(super) struct ExtNode {
    _counted: Counted,
    pub(super) volume: Arc<Volume>,
    pub(super) number: u32,
    pub(super) inode: Inode,
    /// All its bytes, where they stand in its record.
    pub(super) inline: Option<Vec<u8>>,
    parent: Option<Arc<ExtNode>>,
    me: Weak<Self>,
    pub(super) source: SourceNumber,
    /// One at a time reads what is missing; the others find it then.
    pub(super) filling: Mutex<(), order::PageCache>,
}

impl ExtNode {
    pub(super) fn create(
        volume: Arc<Volume>,
        number: u32,
        inode: Inode,
        record: &[u8],
        parent: Option<Arc<Self>>,
    ) -> Result<Arc<Self>, Errno> {
        let inline = if inode.mapping == Mapping::Inline { Some(inline::content(record, &inode)?) } else { None };
        Ok(Arc::new_cyclic(|me| Self {
            _counted: LIVING.count(),
            volume,
            number,
            inode,
            inline,
            parent,
            me: me.clone(),
            source: SourceNumber::new(),
            filling: Mutex::new(()),
        }))
    }

    /// The node, if it may stand in that directory too.
    pub(super) fn found_in(self: Arc<Self>, parent: Option<&Arc<Self>>) -> Result<Arc<Self>, Errno> {
        let is_elsewhere = match (parent, &self.parent) {
            (Some(parent), Some(known)) => parent.number != known.number,
            (Some(_), None) => true,
            (None, _) => false,
        };
        if self.inode.kind == Kind::Directory && is_elsewhere { Err(Errno::EUCLEAN) } else { Ok(self) }
    }

    /// Calls `each` with the entries of the directory from position `from` on: name, number, kind if it is told, next position.
    fn walk(&self, cx: &mut TaskContext, from: u64, each: &mut dyn FnMut(&mut TaskContext, Named<'_>) -> Walk) -> Result<(), Errno> {
        if self.inode.kind != Kind::Directory {
            return Err(Errno::ENOTDIR);
        }
        if let Some(bytes) = &self.inline {
            return self.walk_inline(cx, bytes, from, each);
        }
        let block_bytes = self.volume.superblock.block_bytes;
        for index in from / block_bytes..self.inode.size / block_bytes {
            let run = self.volume.run(cx, &self.inode, index)?;
            let bytes = self.volume.block(cx, run.disk.ok_or(Errno::EUCLEAN)?)?;
            if self.walk_block(cx, &bytes, index * block_bytes, from, each)? == Walk::Stop {
                break;
            }
        }
        Ok(())
    }

    /// The entries of one block, which stands at `base`.
    fn walk_block(
        &self,
        cx: &mut TaskContext,
        bytes: &[u8],
        base: u64,
        from: u64,
        each: &mut dyn FnMut(&mut TaskContext, Named<'_>) -> Walk,
    ) -> Result<Walk, Errno> {
        let mut at = 0;
        while at < bytes.len() {
            let found = entries::entry(bytes, at, self.volume.superblock.has_file_types)?;
            let is_wanted = base + at as u64 >= from && !found.name.is_empty();
            at = found.end;
            let named = Named { name: found.name, number: found.inode, kind: found.kind, next: base + at as u64 };
            if is_wanted && each(cx, named) == Walk::Stop {
                return Ok(Walk::Stop);
            }
        }
        Ok(Walk::On)
    }

    /// In its record a directory has no entries for itself and the one above; of that it has the number.
    fn walk_inline(
        &self,
        cx: &mut TaskContext,
        bytes: &[u8],
        from: u64,
        each: &mut dyn FnMut(&mut TaskContext, Named<'_>) -> Walk,
    ) -> Result<(), Errno> {
        let above = super::fields::Fields(bytes).long(0)?;
        for (position, name, number) in [(0, b".".as_slice(), self.number), (1, b"..".as_slice(), above)] {
            let named = Named { name, number, kind: Some(Kind::Directory), next: position + 1 };
            if position >= from && each(cx, named) == Walk::Stop {
                return Ok(());
            }
        }
        let (first, second) =
            bytes.get(4..).unwrap_or_default().split_at_checked(INLINE_FIRST).unwrap_or((bytes.get(4..).unwrap_or_default(), &[]));
        for (part, base) in [(first, 4), (second, 4 + INLINE_FIRST as u64)] {
            if self.walk_block(cx, part, base, from, each)? == Walk::Stop {
                break;
            }
        }
        Ok(())
    }

    fn kind_of(&self, cx: &mut TaskContext, named: &Named<'_>) -> Kind {
        // Who cannot be looked at is listed all the same; using the name then says why.
        named.kind.unwrap_or_else(|| self.volume.node(cx, named.number, None).map_or(Kind::Regular, |node| node.inode.kind))
    }
}

/// Bytes of the first part of a directory in its record.
const INLINE_FIRST: usize = super::layout::MAP_BYTES - 4;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Walk {
    On,
    Stop,
}

struct Named<'a> {
    name: &'a [u8],
    number: u32,
    kind: Option<Kind>,
    next: u64,
}

impl Drop for ExtNode {
    fn drop(&mut self) {
        self.volume.forget(self.number);
    }
}

impl Node for ExtNode {
    fn identity(&self) -> Identity {
        Identity { file_system: self.volume.device, number: u64::from(self.number) }
    }

    fn kind(&self) -> Kind {
        self.inode.kind
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn file_system(&self) -> Statfs {
        self.volume.statistics()
    }

    fn is_read_only(&self) -> bool {
        true
    }

    fn attributes(&self, _cx: &mut TaskContext) -> Result<Attributes, Errno> {
        let inode = &self.inode;
        let is_device = matches!(inode.kind, Kind::Character | Kind::Block);
        let (major, minor) = if is_device { inode.device()? } else { (0, 0) };
        Ok(Attributes {
            identity: Node::identity(self),
            kind: inode.kind,
            mode: inode.mode,
            links: inode.links,
            user: inode.user,
            group: inode.group,
            special: if is_device { device_number(major, minor) } else { 0 },
            size: inode.size,
            blocks: inode.blocks,
            accessed: inode.accessed,
            modified: inode.modified,
            changed: inode.changed,
        })
    }

    fn find(&self, cx: &mut TaskContext, name: &[u8]) -> Result<Arc<dyn Node>, Errno> {
        let mut number = None;
        self.walk(cx, 0, &mut |_, named| {
            if named.name == name {
                number = Some(named.number);
            }
            if number.is_some() { Walk::Stop } else { Walk::On }
        })?;
        let me = self.me.upgrade();
        let node = self.volume.node(cx, number.ok_or(Errno::ENOENT)?, me.as_ref())?;
        Ok(node)
    }

    fn parent(&self, _cx: &mut TaskContext) -> Option<Arc<dyn Node>> {
        let parent = self.parent.clone()?;
        Some(parent)
    }

    fn list(&self, cx: &mut TaskContext, from: u64, each: &mut dyn FnMut(Entry<'_>) -> bool) -> Result<(), Errno> {
        self.walk(cx, from, &mut |cx, named| {
            let kind = self.kind_of(cx, &named);
            let goes_on = each(Entry { name: named.name, number: u64::from(named.number), kind, next: named.next });
            if goes_on { Walk::On } else { Walk::Stop }
        })
    }

    fn target(&self, cx: &mut TaskContext) -> Result<Vec<u8>, Errno> {
        if self.inode.kind != Kind::Link {
            return Err(Errno::EINVAL);
        }
        let length = usize::try_from(self.inode.size).ok().filter(|length| *length < PATH_LIMIT).ok_or(Errno::EUCLEAN)?;
        let mut target = match &self.inline {
            _ if self.inode.is_short_link() => self.inode.map.get(..length).unwrap_or_default().to_vec(),
            Some(bytes) => bytes.clone(),
            None => {
                let mut bytes = alloc::vec![0; length];
                let page = self.data_page(cx, 0)?.ok_or(Errno::EUCLEAN)?;
                page.read(0, &mut bytes);
                bytes
            }
        };
        if let Some(end) = target.iter().position(|byte| *byte == 0) {
            target.truncate(end);
        }
        Ok(target)
    }

    fn read(&self, cx: &mut TaskContext, at: u64, into: &mut dyn Sink) -> Result<usize, Errno> {
        let mut bytes = buffer::chunk(into.remaining())?;
        let mut done = 0;
        while into.remaining() > 0 {
            let Some(from) = at.checked_add(done as u64).filter(|from| *from < self.inode.size) else { break };
            let left = usize::try_from((self.inode.size - from).min(PAGE - from % PAGE)).unwrap_or(0);
            let length = left.min(into.remaining()).min(bytes.len());
            let Some(piece) = bytes.get_mut(..length).filter(|piece| !piece.is_empty()) else { break };
            let step = self.data_page(cx, from / PAGE).and_then(|page| {
                match page {
                    Some(page) => page.read(usize::try_from(from % PAGE).unwrap_or(0), piece),
                    None => piece.fill(0),
                }
                into.put(cx, piece)
            });
            if let Err(error) = step {
                return buffer::partial(done, error);
            }
            done += length;
        }
        Ok(done)
    }

    fn next_data(&self, cx: &mut TaskContext, from: u64, hole: bool, size: u64) -> Option<u64> {
        self.next_data_on_disk(cx, from, hole, size.min(self.inode.size))
    }

    fn pages(self: Arc<Self>) -> Option<Arc<dyn PageSource>> {
        if self.inode.kind == Kind::Regular { Some(self) } else { None }
    }

    fn change(&self, _cx: &mut TaskContext, _change: Change) -> Result<(), Errno> {
        Err(Errno::EROFS)
    }

    fn create(&self, _cx: &mut TaskContext, _name: &[u8], _new: New<'_>) -> Result<Arc<dyn Node>, Errno> {
        Err(Errno::EROFS)
    }

    fn link(&self, _cx: &mut TaskContext, _name: &[u8], _file: &Arc<dyn Node>) -> Result<(), Errno> {
        Err(Errno::EROFS)
    }

    fn unlink(&self, _cx: &mut TaskContext, _name: &[u8], _expected: Identity, _directory: bool) -> Result<(), Errno> {
        Err(Errno::EROFS)
    }

    fn rename(&self, _cx: &mut TaskContext, _name: &[u8], _to: &Arc<dyn Node>, _new_name: &[u8], _taken: Taken) -> Result<(), Errno> {
        Err(Errno::EROFS)
    }

    fn write(&self, _cx: &mut TaskContext, _place: Place, _from: &mut dyn Source) -> Result<Written, Errno> {
        Err(Errno::EROFS)
    }

    fn set_size(&self, _cx: &mut TaskContext, _size: u64) -> Result<(), Errno> {
        Err(Errno::EROFS)
    }
}
