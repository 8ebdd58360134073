//! `/dev/pts`: the near ends of the pseudo-terminals, by number.
//!
//! Invariant: a name is there as long as its master is open. The files hold no terminal: one that is gone cannot be opened any more.

use alloc::format;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::any::Any;

use abi::Errno;
use abi::file::{Statfs, device_number};
use libkernel::clock;
use sync::{Once, TaskContext};

use crate::file::File;
use crate::fs::mount::{self, Location, Mount};
use crate::fs::node::Entry;
use crate::fs::{Attributes, Change, Found, Identity, Kind, Node};
use crate::tty::{Terminal, TerminalFile, numbers};

const DEVICE: u64 = 6;
const MAGIC: i64 = 0x1cd1;
const BLOCK: i64 = 4096;
const NAME_LIMIT: i64 = 255;

const ROOT: u64 = 1;
const PTMX: u64 = 2;
const FIRST: u64 = 3;

static MOUNT: Once<Arc<Mount>> = Once::new();

/// What stands in the file system.
enum Content {
    Directory,
    /// One more name for the device that makes pseudo-terminals; nobody's but root's.
    Maker,
    Terminal(u32, Weak<Terminal>),
}

struct DeviceNode {
    content: Content,
}

/// Hangs it over `place`, once.
pub fn mount_at(cx: &mut TaskContext, place: Location) -> Result<(), Errno> {
    let mount = mount::mount(cx, Arc::new(DeviceNode { content: Content::Directory }), Some(place), "devpts", "devpts")?;
    MOUNT.set(mount).map_err(|_| Errno::EBUSY)
}

/// Opens the near end that the node stands for.
pub fn open(cx: &mut TaskContext, node: &Arc<dyn Node>, flags: u32) -> Result<Arc<dyn File>, Errno> {
    let Some(DeviceNode { content: Content::Terminal(_, terminal) }) = node.as_any().downcast_ref() else { return Err(Errno::EIO) };
    let terminal = terminal.upgrade().ok_or(Errno::EIO)?;
    TerminalFile::open(cx, &terminal, node, flags)
}

/// The file of a terminal, for those who have its master but not its path.
pub fn found(terminal: &Arc<Terminal>) -> Result<Found, Errno> {
    let (mount, number) = (MOUNT.get().ok_or(Errno::EIO)?, terminal.number().ok_or(Errno::ENOTTY)?);
    let directory = Location::root_of(mount);
    let name = format!("{number}").into_bytes();
    Ok(Found { location: directory.beside(node_of(number, terminal)), entry: Some((directory, name.into())) })
}

fn node_of(number: u32, terminal: &Arc<Terminal>) -> Arc<dyn Node> {
    Arc::new(DeviceNode { content: Content::Terminal(number, Arc::downgrade(terminal)) })
}

impl Node for DeviceNode {
    fn identity(&self) -> Identity {
        let number = match self.content {
            Content::Directory => ROOT,
            Content::Maker => PTMX,
            Content::Terminal(number, _) => FIRST + u64::from(number),
        };
        Identity { file_system: DEVICE, number }
    }

    fn kind(&self) -> Kind {
        if matches!(self.content, Content::Directory) { Kind::Directory } else { Kind::Character }
    }

    fn attributes(&self, cx: &mut TaskContext) -> Result<Attributes, Errno> {
        let plain = |mode| Attributes::plain(self.identity(), self.kind(), mode, clock::wall_clock());
        Ok(match &self.content {
            Content::Directory => Attributes { links: 2, ..plain(0o755) },
            Content::Maker => Attributes { special: device_number(5, 2), ..plain(0) },
            Content::Terminal(_, terminal) => {
                let terminal = terminal.upgrade().ok_or(Errno::EIO)?;
                let facts = terminal.facts(cx);
                Attributes {
                    special: terminal.device(),
                    user: facts.user,
                    group: facts.group,
                    accessed: facts.accessed,
                    modified: facts.modified,
                    changed: facts.changed,
                    ..plain(facts.mode)
                }
            }
        })
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn change(&self, cx: &mut TaskContext, change: Change) -> Result<(), Errno> {
        let Content::Terminal(_, terminal) = &self.content else { return Err(Errno::EPERM) };
        let terminal = terminal.upgrade().ok_or(Errno::EIO)?;
        let now = clock::wall_clock();
        terminal.change_facts(cx, |facts| {
            facts.mode = change.mode.unwrap_or(facts.mode);
            facts.user = change.user.unwrap_or(facts.user);
            facts.group = change.group.unwrap_or(facts.group);
            facts.accessed = change.accessed.unwrap_or(facts.accessed);
            facts.modified = change.modified.unwrap_or(facts.modified);
            facts.changed = now;
        });
        Ok(())
    }

    fn file_system(&self) -> Statfs {
        Statfs { kind: MAGIC, block_size: BLOCK, fragment_size: BLOCK, name_length: NAME_LIMIT, ..Statfs::default() }
    }

    fn find(&self, cx: &mut TaskContext, name: &[u8]) -> Result<Arc<dyn Node>, Errno> {
        if self.kind() != Kind::Directory {
            return Err(Errno::ENOTDIR);
        }
        if name == b"ptmx" {
            return Ok(Arc::new(DeviceNode { content: Content::Maker }));
        }
        let number: u32 = core::str::from_utf8(name).ok().and_then(|name| name.parse().ok()).ok_or(Errno::ENOENT)?;
        let terminal = numbers::find(cx, number).filter(|_| format!("{number}").as_bytes() == name).ok_or(Errno::ENOENT)?;
        if terminal.has_open_master(cx) { Ok(node_of(number, &terminal)) } else { Err(Errno::ENOENT) }
    }

    fn list(&self, cx: &mut TaskContext, from: u64, each: &mut dyn FnMut(Entry<'_>) -> bool) -> Result<(), Errno> {
        if self.kind() != Kind::Directory {
            return Err(Errno::ENOTDIR);
        }
        let living: Vec<u32> =
            numbers::all(cx).iter().filter(|terminal| terminal.has_open_master(cx)).filter_map(|one| one.number()).collect();
        let fixed =
            [(b".".to_vec(), ROOT, Kind::Directory), (b"..".to_vec(), ROOT, Kind::Directory), (b"ptmx".to_vec(), PTMX, Kind::Character)];
        let numbered = living.into_iter().map(|number| (format!("{number}").into_bytes(), FIRST + u64::from(number), Kind::Character));
        let places = [0, 1, 2].into_iter().zip(fixed);
        for (place, (name, number, kind)) in places.chain(numbered.map(|entry| (entry.1, entry))) {
            if place >= from && !each(Entry { name: &name, number, kind, next: place + 1 }) {
                break;
            }
        }
        Ok(())
    }
}
