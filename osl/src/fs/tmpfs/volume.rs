//! One file system in memory: its number, its limit, its root, and what it stands on.
//!
//! Invariant: `used` is the number of pages that its files hold, `names` the number of files and of further names that
//! they have; neither stays above `limit`, to which for names come those from below.

use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};

use abi::Errno;
use abi::file::{Statfs, device_number};
use libkernel::wait::Mutex;
use sync::{Once, Published, SpinLock, TaskContext, order};

use super::super::node::{Kind, New, Node};
use super::lower::Lower;
use super::node::TmpNode;

const PAGE: u64 = 4096;
const TMPFS_MAGIC: i64 = 0x0102_1994;
const OVERLAY_MAGIC: i64 = 0x794c_7630;
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
    below: Option<Below>,
}

/// The file system that this one stands on.
pub(super) struct Below {
    pub(super) lower: Arc<dyn Lower>,
    /// Names that were taken over from it.
    names: Published<u64>,
    /// The nodes of its files, by its numbers: one each, however many names it has.
    nodes: SpinLock<BTreeMap<u64, Weak<TmpNode>>, order::FileFacts>,
    /// Those that lost a name and have others where nobody has looked yet.
    kept: SpinLock<BTreeMap<u64, Arc<TmpNode>>, order::FileFacts>,
    /// Held while a directory's names are taken over.
    pub(super) filling: Mutex<(), order::Node>,
}

impl Below {
    /// The node of a file below, if there is one.
    pub(super) fn known(&self, cx: &TaskContext, number: u64) -> Option<Arc<TmpNode>> {
        self.nodes.lock(cx).get(&number).and_then(Weak::upgrade)
    }

    pub(super) fn know(&self, cx: &TaskContext, number: u64, node: &Arc<TmpNode>) {
        self.nodes.lock(cx).insert(number, Arc::downgrade(node));
    }

    /// The node has lost a name, and has others still, or none.
    pub(super) fn keep(&self, cx: &TaskContext, number: u64, node: Option<Arc<TmpNode>>) {
        let mut kept = self.kept.lock(cx);
        let before = match node {
            Some(node) => kept.insert(number, node),
            None => kept.remove(&number),
        };
        drop(kept);
        drop(before);
    }

    pub(super) fn add_name(&self) {
        self.names.fetch_add(1);
    }

    pub(super) fn forget(&self, number: u64) {
        let mut nodes = self.nodes.lock_without_context();
        if nodes.get(&number).is_some_and(|node| node.strong_count() == 0) {
            nodes.remove(&number);
        }
    }
}

impl Tmpfs {
    /// A new, empty one that holds at most `limit` pages of data; answers its root directory.
    pub fn create(limit: u64, root_mode: u32) -> Arc<dyn Node> {
        let volume = Self::volume(limit);
        let new = New { kind: Kind::Directory, mode: root_mode, user: 0, group: 0, device: 0, target: &[] };
        TmpNode::create(&volume, None, new)
    }

    /// One whose files are at first those of `lower`, and change here only.
    pub fn over(cx: &mut TaskContext, limit: u64, lower: Arc<dyn Lower>) -> Result<Arc<dyn Node>, Errno> {
        let (top, first_number) = (lower.top(), lower.last_number() + 1);
        let below = Below {
            lower,
            names: Published::<u64>::new(0),
            nodes: SpinLock::new(BTreeMap::new()),
            kept: SpinLock::new(BTreeMap::new()),
            filling: Mutex::new(()),
        };
        let volume = Self::with(limit, first_number, Some(below));
        let root = TmpNode::take_over(cx, &volume, None, top, Kind::Directory);
        root.attributes(cx)?;
        Ok(root)
    }

    pub(super) fn volume(limit: u64) -> Arc<Self> {
        Self::with(limit, 1, None)
    }

    fn with(limit: u64, first_number: u64, below: Option<Below>) -> Arc<Self> {
        let minor = u32::try_from(NEXT_MINOR.fetch_add(1)).unwrap_or(u32::MAX);
        Arc::new(Self {
            device: device_number(0, minor),
            limit,
            used: Published::<u64>::new(0),
            names: Published::<u64>::new(0),
            next_number: Published::<u64>::new(first_number),
            below,
        })
    }

    pub(super) fn limit(&self) -> u64 {
        self.limit
    }

    pub(super) fn below(&self) -> Option<&Below> {
        self.below.as_ref()
    }

    pub(super) fn take_number(&self) -> u64 {
        self.next_number.fetch_add(1)
    }

    /// Refuses one more file or name when there are as many as pages are allowed: they cost kernel memory too.
    pub(super) fn check_room(&self) -> Result<(), Errno> {
        let taken_over = self.below.as_ref().map_or(0, |below| below.names.load());
        if self.names.load() < self.limit.saturating_add(taken_over) { Ok(()) } else { Err(Errno::ENOSPC) }
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
            kind: if self.below.is_some() { OVERLAY_MAGIC } else { TMPFS_MAGIC },
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

/// The file system of files that never have a name. Only memory itself limits it.
static HIDDEN: Once<Arc<Tmpfs>> = Once::new();

/// A new file without a name, which may get none.
pub fn nameless(cx: &TaskContext, mode: u32, user: u32, group: u32, seals: u32) -> Arc<dyn Node> {
    let new = New { kind: Kind::Regular, mode, user, group, device: 0, target: &[] };
    let node = TmpNode::create(hidden(), None, new);
    node.add_links(cx, -1);
    if let Some(own) = node.seals() {
        own.begin_with(seals);
    }
    node
}

/// Made at boot, with the first root.
pub fn start_hidden() {
    let _there_is_one_already = HIDDEN.set(Tmpfs::volume(u64::MAX >> 12));
}

fn hidden() -> &'static Arc<Tmpfs> {
    let Some(hidden) = HIDDEN.get() else { panic!("a file without a name was asked for before boot made room for it") };
    hidden
}
