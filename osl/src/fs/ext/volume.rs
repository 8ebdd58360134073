//! A mounted disk: its superblock, its files in use, and the way to their records.
//!
//! Invariant: a number has one node at a time, however it was found; a directory stands in one directory only, so that no way
//! down comes back to where it began.

use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};
use alloc::vec;
use alloc::vec::Vec;

use abi::Errno;
use abi::file::Statfs;
use libkernel::log::warn;
use sync::{SpinLock, TaskContext, order};

use super::super::disk::Disk;
use super::super::node::{Kind, Node};
use super::super::page_cache::PageCache;
use super::super::tmpfs::{Lower, LowerNode};
use super::extents::{self, Run};
use super::indirect;
use super::layout::{Inode, Mapping, ROOT, Refused, SUPERBLOCK_AT, SUPERBLOCK_BYTES, Superblock};
use super::node::ExtNode;

const EXT_MAGIC: i64 = 0xef53;
const NAME_LIMIT: i64 = 255;
const READ_ONLY: i64 = 1;

/// A disk with files on it.
pub struct Volume {
    pub(super) disk: Arc<Disk>,
    pub(super) device: u64,
    pub(super) superblock: Superblock,
    pub(super) pages: Arc<PageCache>,
    nodes: SpinLock<BTreeMap<u32, Weak<ExtNode>>, order::FileFacts>,
    me: Weak<Self>,
}

/// Whether `mount` calls it so.
pub fn is_name(kind: &[u8]) -> bool {
    matches!(kind, b"ext2" | b"ext3" | b"ext4")
}

impl Volume {
    /// The file system on a disk, whose device number is `device`.
    pub fn open(cx: &mut TaskContext, disk: Arc<Disk>, device: u64) -> Result<Arc<Self>, Errno> {
        let mut bytes = vec![0; SUPERBLOCK_BYTES];
        disk.read(cx, SUPERBLOCK_AT, &mut bytes)?;
        let superblock = Superblock::parse(&bytes, disk.length()).map_err(|refused| refusal(&refused))?;
        let pages = PageCache::new(cx);
        let volume = Arc::new_cyclic(|me| Self { disk, device, superblock, pages, nodes: SpinLock::new(BTreeMap::new()), me: me.clone() });
        if volume.node(cx, ROOT, None)?.kind() != Kind::Directory {
            return Err(refusal(&Refused::Damaged));
        }
        Ok(volume)
    }

    /// "ext4", "ext3" or "ext2".
    pub fn kind(&self) -> &'static str {
        self.superblock.kind
    }

    /// The top directory.
    pub fn root(&self, cx: &mut TaskContext) -> Result<Arc<dyn Node>, Errno> {
        Ok(self.node(cx, ROOT, None)?)
    }

    /// The file with this number, found in `parent`.
    pub(super) fn node(&self, cx: &mut TaskContext, number: u32, parent: Option<&Arc<ExtNode>>) -> Result<Arc<ExtNode>, Errno> {
        let known = self.nodes.lock(cx).get(&number).and_then(Weak::upgrade);
        if let Some(node) = known {
            return node.found_in(parent);
        }
        let (inode, record) = self.inode(cx, number)?;
        let volume = self.me.upgrade().ok_or(Errno::EIO)?;
        let fresh = ExtNode::create(volume, number, inode, &record, parent.cloned())?;
        let mut nodes = self.nodes.lock(cx);
        let other = nodes.get(&number).and_then(Weak::upgrade);
        if other.is_none() {
            nodes.insert(number, Arc::downgrade(&fresh));
        }
        drop(nodes);
        match other {
            Some(node) => node.found_in(parent),
            None => Ok(fresh),
        }
    }

    /// The node of that number is gone, or going; its pages may stay.
    pub(super) fn forget(&self, number: u32) {
        let mut nodes = self.nodes.lock_without_context();
        if nodes.get(&number).is_some_and(|node| node.strong_count() == 0) {
            nodes.remove(&number);
        }
    }

    fn inode(&self, cx: &mut TaskContext, number: u32) -> Result<(Inode, Vec<u8>), Errno> {
        let (group, index) = self.superblock.place_of(number)?;
        let mut description = vec![0; self.superblock.group_bytes()];
        self.disk.read(cx, self.superblock.group_at(group), &mut description)?;
        let table = self.superblock.table_of(&description)?;
        let at = table * self.superblock.block_bytes + index * self.superblock.inode_bytes;
        let mut record = vec![0; self.superblock.inode_bytes as usize];
        self.disk.read(cx, at, &mut record)?;
        Ok((Inode::parse(&record, &self.superblock)?, record))
    }

    /// A block that describes a file.
    pub(super) fn block(&self, cx: &mut TaskContext, block: u64) -> Result<Vec<u8>, Errno> {
        let mut bytes = vec![0; self.superblock.block_bytes as usize];
        let at = self.superblock.check_block(block)? * self.superblock.block_bytes;
        self.disk.read(cx, at, &mut bytes)?;
        Ok(bytes)
    }

    /// Where a file's block is.
    pub(super) fn run(&self, cx: &mut TaskContext, inode: &Inode, block: u64) -> Result<Run, Errno> {
        match inode.mapping {
            Mapping::Extents => extents::find(cx, self, inode, block),
            Mapping::Indirect => indirect::find(cx, self, inode, block),
            Mapping::Inline => Err(Errno::EUCLEAN),
        }
    }

    /// As `statfs` tells it.
    pub fn statistics(&self) -> Statfs {
        let superblock = &self.superblock;
        let block_bytes = i64::try_from(superblock.block_bytes).unwrap_or(0);
        Statfs {
            kind: EXT_MAGIC,
            block_size: block_bytes,
            fragment_size: block_bytes,
            blocks: superblock.blocks.saturating_sub(superblock.overhead),
            blocks_free: superblock.free_blocks.min(superblock.blocks),
            blocks_available: superblock.free_blocks.min(superblock.blocks).saturating_sub(superblock.reserved_blocks),
            files: u64::from(superblock.inodes),
            files_free: u64::from(superblock.free_inodes.min(superblock.inodes)),
            identifier: superblock.identifier,
            name_length: NAME_LIMIT,
            flags: READ_ONLY,
            ..Statfs::default()
        }
    }
}

impl Lower for Volume {
    fn top(&self) -> u64 {
        u64::from(ROOT)
    }

    fn node(&self, cx: &mut TaskContext, number: u64) -> Result<Arc<dyn LowerNode>, Errno> {
        let number = u32::try_from(number).map_err(|_| Errno::EUCLEAN)?;
        Ok(Self::node(self, cx, number, None)?)
    }

    fn last_number(&self) -> u64 {
        u64::from(self.superblock.inodes)
    }
}

fn refusal(refused: &Refused) -> Errno {
    match refused {
        Refused::NotExt => {
            warn!("the disk has no ext2, ext3 or ext4 on it");
            Errno::EINVAL
        }
        Refused::Unknown(features) => {
            warn!("the disk uses what this kernel does not know of: features {features:#x}");
            Errno::EINVAL
        }
        Refused::NeedsRecovery => {
            warn!("the disk was not taken out of use well: its journal would have to be written back first");
            Errno::EROFS
        }
        Refused::Damaged => {
            warn!("the disk's superblock or top directory makes no sense");
            Errno::EUCLEAN
        }
    }
}
