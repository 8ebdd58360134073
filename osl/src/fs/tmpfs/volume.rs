//! One file system in memory: its number, its limit, its root.
//!
//! Invariant: `used` is the number of pages that its files hold, `names` the number of files and of further names that
//! they have; neither stays above `limit`.

use alloc::sync::Arc;

use abi::Errno;
use abi::file::{Statfs, device_number};
use sync::Published;

use super::super::node::{Kind, New, Node};
use super::node::TmpNode;

const PAGE: u64 = 4096;
const TMPFS_MAGIC: i64 = 0x0102_1994;
const NAME_LIMIT: i64 = 255;

static NEXT_MINOR: Published<u64> = Published::<u64>::new(20);

/// A file system whose files live in memory.
pub struct Tmpfs {
    /// Its device number, as `stat` shows it.
    pub(super) device: u64,
    limit: u64,
    used: Published<u64>,
    /// Files, and further names of files.
    names: Published<u64>,
    next_number: Published<u64>,
}

impl Tmpfs {
    /// A new, empty one that holds at most `limit` pages of data; answers its root directory.
    pub fn create(limit: u64, root_mode: u32) -> Arc<dyn Node> {
        let volume = Self::volume(limit);
        let new = New { kind: Kind::Directory, mode: root_mode, user: 0, group: 0, device: 0, target: &[] };
        TmpNode::create(&volume, None, new)
    }

    pub(super) fn volume(limit: u64) -> Arc<Self> {
        let minor = u32::try_from(NEXT_MINOR.fetch_add(1)).unwrap_or(u32::MAX);
        Arc::new(Self {
            device: device_number(0, minor),
            limit,
            used: Published::<u64>::new(0),
            names: Published::<u64>::new(0),
            next_number: Published::<u64>::new(1),
        })
    }

    pub(super) fn limit(&self) -> u64 {
        self.limit
    }

    pub(super) fn take_number(&self) -> u64 {
        self.next_number.fetch_add(1)
    }

    /// Refuses one more file or name when there are as many as pages are allowed: they cost kernel memory too.
    pub(super) fn check_room(&self) -> Result<(), Errno> {
        if self.names.load() < self.limit { Ok(()) } else { Err(Errno::ENOSPC) }
    }

    pub(super) fn add_name(&self) {
        self.names.fetch_add(1);
    }

    pub(super) fn remove_name(&self) {
        self.names.fetch_sub(1);
    }

    /// One more page, if the limit allows.
    pub(super) fn charge(&self) -> Result<(), Errno> {
        if self.used.fetch_add(1) >= self.limit {
            self.used.fetch_sub(1);
            return Err(Errno::ENOSPC);
        }
        Ok(())
    }

    pub(super) fn discharge(&self, pages: u64) {
        self.used.fetch_sub(pages);
    }

    pub(super) fn statistics(&self) -> Statfs {
        let free = self.limit.saturating_sub(self.used.load());
        Statfs {
            kind: TMPFS_MAGIC,
            block_size: i64::try_from(PAGE).unwrap_or(0),
            fragment_size: i64::try_from(PAGE).unwrap_or(0),
            blocks: self.limit,
            blocks_free: free,
            blocks_available: free,
            files: self.limit,
            files_free: self.limit.saturating_sub(self.names.load()),
            name_length: NAME_LIMIT,
            ..Statfs::default()
        }
    }
}
