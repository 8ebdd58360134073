//! One file in memory.
//!
//! Invariant: `links` is the number of names that lead to the file (for a directory: two, and one for each directory in it).

use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::any::Any;
use core::ops::Range;

use abi::Errno;
use abi::constant::F_SEAL_SEAL;
use abi::file::{Statfs, mode};
use libkernel::address_space::{Gone, PageSource, SourceNumber, Viewers};
use libkernel::census::{Census, Counted};
use libkernel::clock;
use libkernel::wait::Mutex;
use sync::{SpinLock, TaskContext, order};

use super::super::attributes::{Attributes, Change};
use super::super::buffer::{Sink, Source};
use super::super::node::{Entry, Identity, Kind, New, Node, Place, Taken, Written};
use super::super::seals::Seals;
use super::content::{Content, PAGE};
use super::directory::{FIRST_POSITION, Names};
use super::entries;
use super::origin::Origin;
use super::volume::Tmpfs;

pub(super) struct Facts {
    pub(super) attributes: Attributes,
    /// There is no file below, or its attributes are here.
    pub(super) is_known: bool,
    /// The directory that a directory stands in; for the root, itself.
    parent: Weak<TmpNode>,
}

pub(super) enum Body {
    Regular {
        content: Content,
        /// What its pages are known by.
        number: SourceNumber,
        /// Who has it mapped.
        viewers: Viewers,
        /// One writer at a time; above address spaces in the lock order, because a write copies from the program.
        writing: Mutex<(), order::Node>,
        seals: Seals,
    },
    Directory(SpinLock<Names, order::Directory>),
    Link(Vec<u8>),
    Special,
}

/// Files and directories in memory.
pub static LIVING: Census = Census::new("tmpfs nodes");

pub(super) struct TmpNode {
    _counted: Counted,
    pub(super) volume: Arc<Tmpfs>,
    pub(super) identity: Identity,
    pub(super) kind: Kind,
    /// Itself, to hand to children and listings.
    pub(super) me: Weak<TmpNode>,
    pub(super) facts: SpinLock<Facts, order::FileFacts>,
    pub(super) body: Body,
    pub(super) origin: Option<Origin>,
}

impl TmpNode {
    pub(super) fn create(volume: &Arc<Tmpfs>, parent: Option<&Arc<Self>>, new: New<'_>) -> Arc<Self> {
        volume.add_name();
        let number = volume.take_number();
        Self::assemble(volume, parent, new, number, None)
    }

    /// A node in all its parts; `volume` has counted its name.
    pub(super) fn assemble(
        volume: &Arc<Tmpfs>,
        parent: Option<&Arc<Self>>,
        new: New<'_>,
        number: u64,
        origin: Option<Origin>,
    ) -> Arc<Self> {
        let identity = Identity { file_system: volume.device, number };
        let mut attributes = Attributes::plain(identity, new.kind, new.mode & mode::PERMISSIONS, clock::wall_clock());
        attributes.user = new.user;
        attributes.group = new.group;
        attributes.special = new.device;
        attributes.links = if new.kind == Kind::Directory { 2 } else { 1 };
        attributes.size = new.target.len() as u64;
        let body = match new.kind {
            Kind::Regular => Body::Regular {
                content: Content::new(volume.clone()),
                number: SourceNumber::new(),
                viewers: Viewers::new(),
                writing: Mutex::new(()),
                seals: Seals::new(F_SEAL_SEAL),
            },
            Kind::Directory => Body::Directory(SpinLock::new(Names::new(origin.is_none()))),
            Kind::Link => Body::Link(new.target.to_vec()),
            _ => Body::Special,
        };
        Arc::new_cyclic(|me| {
            let parent = parent.map_or_else(|| me.clone(), Arc::downgrade);
            Self {
                _counted: LIVING.count(),
                volume: volume.clone(),
                identity,
                kind: new.kind,
                me: me.clone(),
                facts: SpinLock::new(Facts { attributes, is_known: origin.is_none(), parent }),
                body,
                origin,
            }
        })
    }

    /// The names that are here already.
    pub(super) fn own_names(&self) -> Result<&SpinLock<Names, order::Directory>, Errno> {
        if let Body::Directory(names) = &self.body { Ok(names) } else { Err(Errno::ENOTDIR) }
    }

    fn content(&self) -> Result<&Content, Errno> {
        match &self.body {
            Body::Regular { content, .. } => Ok(content),
            Body::Directory(_) => Err(Errno::EISDIR),
            _ => Err(Errno::EINVAL),
        }
    }

    /// Content (of a file or of a directory) was changed just now.
    pub(super) fn touch(&self, cx: &TaskContext) {
        let now = clock::wall_clock();
        let mut facts = self.facts.lock(cx);
        facts.attributes.modified = now;
        facts.attributes.changed = now;
    }

    pub(super) fn add_links(&self, cx: &TaskContext, added: i64) {
        let mut facts = self.facts.lock(cx);
        facts.attributes.links = facts.attributes.links.saturating_add_signed(added);
        facts.attributes.changed = clock::wall_clock();
    }

    /// Reading counts when nothing was read since the last change, or for a day (Linux's `relatime`).
    fn note_read(&self, cx: &TaskContext) {
        const DAY: u64 = 86_400_000_000_000;
        let now = clock::wall_clock();
        let mut facts = self.facts.lock(cx);
        let seen = facts.attributes.accessed;
        if seen <= facts.attributes.modified || seen <= facts.attributes.changed || seen.saturating_add(DAY) <= now {
            facts.attributes.accessed = now;
        }
    }

    /// Another file of this file system, as what it is.
    fn own<'a>(&self, other: &'a Arc<dyn Node>) -> Result<&'a Self, Errno> {
        let node = other.as_any().downcast_ref::<Self>().ok_or(Errno::EXDEV)?;
        if node.identity.file_system == self.identity.file_system { Ok(node) } else { Err(Errno::EXDEV) }
    }

    /// The directory stands in `parent` from now on.
    pub(super) fn set_parent(&self, cx: &TaskContext, parent: Weak<Self>) {
        let before = core::mem::replace(&mut self.facts.lock(cx).parent, parent);
        drop(before);
    }

    /// How many names lead here.
    pub(super) fn links(&self, cx: &TaskContext) -> u64 {
        self.facts.lock(cx).attributes.links
    }

    /// The name is gone: what the file's link count loses by it.
    pub(super) fn lost_name(&self, cx: &TaskContext) {
        self.add_links(cx, if self.kind == Kind::Directory { -2 } else { -1 });
        let has_others = self.links(cx) > 0;
        if has_others {
            self.volume.remove_name();
        }
        self.keep_below(cx, has_others);
    }

    fn take_children(&mut self) -> Vec<Arc<Self>> {
        match &mut self.body {
            Body::Directory(names) => names.get_mut().take_all(),
            _ => Vec::new(),
        }
    }
}

/// A tree is taken apart from the top without going deeper into the stack, however deep it is.
impl Drop for TmpNode {
    fn drop(&mut self) {
        self.volume.remove_name();
        self.leave_below();
        let mut pending = self.take_children();
        while let Some(node) = pending.pop() {
            if let Some(mut node) = Arc::into_inner(node) {
                pending.append(&mut node.take_children());
            }
        }
    }
}

impl Node for TmpNode {
    fn identity(&self) -> Identity {
        self.identity
    }

    fn kind(&self) -> Kind {
        self.kind
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn file_system(&self) -> Statfs {
        self.volume.statistics()
    }

    fn attributes(&self, cx: &mut TaskContext) -> Result<Attributes, Errno> {
        self.load(cx)?;
        let below = self.blocks_below(cx);
        let extent = match &self.body {
            Body::Regular { content, .. } => Some(content.extent(cx)),
            Body::Directory(_) if self.origin.is_some() => None,
            Body::Directory(names) => Some((names.lock(cx).count() * 20 + 40, 0)),
            _ => None,
        };
        let mut attributes = self.facts.lock(cx).attributes;
        if let Some((size, pages)) = extent {
            attributes.size = size;
            attributes.blocks = below.max(pages * (PAGE / 512));
        }
        Ok(attributes)
    }

    fn change(&self, cx: &mut TaskContext, change: Change) -> Result<(), Errno> {
        self.load(cx)?;
        if let (Some(mode), Body::Regular { seals, .. }) = (change.mode, &self.body) {
            seals.check_mode(self.facts.lock(cx).attributes.mode, mode)?;
        }
        self.facts.lock(cx).attributes.change(change, clock::wall_clock());
        Ok(())
    }

    fn seals(&self) -> Option<&Seals> {
        if let Body::Regular { seals, .. } = &self.body { Some(seals) } else { None }
    }

    fn add_seals(&self, cx: &mut TaskContext, added: u32) -> Result<(), Errno> {
        let Body::Regular { writing, seals, .. } = &self.body else { return Err(Errno::EINVAL) };
        let _no_writer = writing.lock(cx);
        let may_execute = self.facts.lock(cx).attributes.mode & 0o111 != 0;
        seals.add(added, may_execute)
    }

    fn find(&self, cx: &mut TaskContext, name: &[u8]) -> Result<Arc<dyn Node>, Errno> {
        let node = self.names(cx)?.lock(cx).find(name).cloned().ok_or(Errno::ENOENT)?;
        Ok(node)
    }

    fn parent(&self, cx: &mut TaskContext) -> Option<Arc<dyn Node>> {
        let parent = self.facts.lock(cx).parent.upgrade()?;
        if parent.identity == self.identity { None } else { Some(parent) }
    }

    fn list(&self, cx: &mut TaskContext, from: u64, each: &mut dyn FnMut(Entry<'_>) -> bool) -> Result<(), Errno> {
        self.load(cx)?;
        let names = self.names(cx)?;
        let mut from = from;
        if from < FIRST_POSITION - 1 {
            let above = self.facts.lock(cx).parent.upgrade().map_or(self.identity.number, |parent| parent.identity.number);
            for (position, name, number) in [(0, b".".as_slice(), self.identity.number), (1, b"..".as_slice(), above)] {
                if position >= from && !each(Entry { name, number, kind: Kind::Directory, next: position + 1 }) {
                    return Ok(());
                }
            }
            from = FIRST_POSITION;
        }
        self.note_read(cx);
        loop {
            let next = names.lock(cx).next(from);
            let Some((position, name, node)) = next else { return Ok(()) };
            from = position + 1;
            if !each(Entry { name: &name, number: node.identity.number, kind: node.kind, next: from }) {
                return Ok(());
            }
        }
    }

    fn create(&self, cx: &mut TaskContext, name: &[u8], new: New<'_>) -> Result<Arc<dyn Node>, Errno> {
        let node = entries::create(cx, self, name, new)?;
        Ok(node)
    }

    fn link(&self, cx: &mut TaskContext, name: &[u8], file: &Arc<dyn Node>) -> Result<(), Errno> {
        entries::link(cx, self, name, self.own(file)?)
    }

    fn unlink(&self, cx: &mut TaskContext, name: &[u8], expected: Identity, directory: bool) -> Result<(), Errno> {
        entries::unlink(cx, self, name, expected, directory)
    }

    fn rename(&self, cx: &mut TaskContext, name: &[u8], to: &Arc<dyn Node>, new_name: &[u8], taken: Taken) -> Result<(), Errno> {
        let to = self.own(to)?;
        entries::rename(cx, (self, name), (to, new_name), taken)
    }

    fn target(&self, cx: &mut TaskContext) -> Result<Vec<u8>, Errno> {
        let Body::Link(target) = &self.body else { return Err(Errno::EINVAL) };
        let below = self.load(cx)?;
        self.note_read(cx);
        if let Some(below) = below { below.as_node().target(cx) } else { Ok(target.clone()) }
    }

    fn read(&self, cx: &mut TaskContext, at: u64, into: &mut dyn Sink) -> Result<usize, Errno> {
        let content = self.content()?;
        let below = self.load(cx)?;
        let done = content.read(cx, below, at, into)?;
        self.note_read(cx);
        Ok(done)
    }

    fn write(&self, cx: &mut TaskContext, place: Place, from: &mut dyn Source) -> Result<Written, Errno> {
        let Body::Regular { content, writing, seals, .. } = &self.body else { return Err(Errno::EINVAL) };
        let below = self.load(cx)?;
        let guard = writing.lock(cx);
        let size = content.extent(cx).0;
        let begin = match place {
            Place::At(at) => at,
            Place::End => size,
        };
        if from.remaining() > 0 {
            seals.check_write(size, begin.saturating_add(from.remaining() as u64))?;
        }
        let result = content.write(cx, below, begin, from);
        drop(guard);
        let count = result?;
        if count > 0 {
            self.touch(cx);
        }
        Ok(Written { count, end: begin.saturating_add(count as u64) })
    }

    fn set_size(&self, cx: &mut TaskContext, size: u64) -> Result<(), Errno> {
        let Body::Regular { content, writing, viewers, number, seals } = &self.body else { return Err(Errno::EINVAL) };
        let below = self.load(cx)?;
        let guard = writing.lock(cx);
        seals.check_resize(content.extent(cx).0, size)?;
        if let Some(first) = content.set_size(cx, below, size)? {
            // Copies go too: beyond its end a file shows nothing. Who lengthens it again waits until they have.
            viewers.take_out(cx, &Gone { identity: number.get(), pages: first..u64::MAX, goes: &|_, _| true });
        }
        drop(guard);
        self.touch(cx);
        Ok(())
    }

    fn reserve(&self, cx: &mut TaskContext, range: Range<u64>, grow: bool) -> Result<(), Errno> {
        let Body::Regular { content, writing, seals, .. } = &self.body else { return Err(Errno::ENODEV) };
        let below = self.load(cx)?;
        let guard = writing.lock(cx);
        if grow {
            let size = content.extent(cx).0;
            seals.check_resize(size, size.max(range.end))?;
        }
        let result = content.reserve(cx, below, range, grow);
        drop(guard);
        self.touch(cx);
        result
    }

    fn punch(&self, cx: &mut TaskContext, range: Range<u64>) -> Result<(), Errno> {
        let Body::Regular { content, writing, viewers, number, seals } = &self.body else { return Err(Errno::ENODEV) };
        let below = self.load(cx)?;
        let guard = writing.lock(cx);
        seals.check_punch()?;
        let gone = content.punch(cx, below, range.start, range.end)?;
        viewers.take_out_these(cx, number.get(), &gone);
        drop((guard, gone));
        self.touch(cx);
        Ok(())
    }

    fn next_data(&self, cx: &mut TaskContext, from: u64, hole: bool, _size: u64) -> Option<u64> {
        let below = self.load(cx).ok()?;
        self.content().ok()?.next_data(cx, below, from, hole)
    }

    fn pages(self: Arc<Self>) -> Option<Arc<dyn PageSource>> {
        if self.kind == Kind::Regular { Some(self) } else { None }
    }
}
