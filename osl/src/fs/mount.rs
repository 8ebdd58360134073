//! Mounts: file systems hung into the tree.
//!
//! Invariant: a mount's root and the place it hangs at never change; the table holds the mounts that can be found now.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use libkernel::memory::Room;

use abi::Errno;
use sync::{SpinLock, TaskContext, order};

use super::node::{Kind, Node};

/// A file system in the tree.
pub struct Mount {
    /// Its number, for `statx` and `/proc`.
    pub number: u64,
    /// Its top directory.
    pub root: Arc<dyn Node>,
    /// The directory it covers; `None` for the root of the whole tree.
    pub covers: Option<Location>,
    /// What was mounted, as `/proc/mounts` shows it.
    pub source: String,
    /// The kind of file system.
    pub kind: &'static str,
}

/// A file as seen through a mount.
#[derive(Clone)]
pub struct Location {
    /// The mount it was reached through.
    pub mount: Arc<Mount>,
    /// The file.
    pub node: Arc<dyn Node>,
}

impl Location {
    /// The top directory of a mount.
    pub fn root_of(mount: &Arc<Mount>) -> Self {
        Self { mount: mount.clone(), node: mount.root.clone() }
    }

    /// Another file of the same mount.
    pub fn beside(&self, node: Arc<dyn Node>) -> Self {
        Self { mount: self.mount.clone(), node }
    }

    /// Whether both are the same file through the same mount.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.mount, &other.mount) && self.node.identity() == other.node.identity()
    }

    /// Whether this is the top of its mount.
    pub fn is_mount_root(&self) -> bool {
        self.node.identity() == self.mount.root.identity()
    }
}

struct Table {
    next_number: u64,
    mounts: Vec<Arc<Mount>>,
}

static TABLE: SpinLock<Table, order::MountTable> = SpinLock::new(Table { next_number: 1, mounts: Vec::new() });

/// Makes a mount and, when it covers a directory, lets it be found there.
pub fn mount(
    cx: &TaskContext,
    root: Arc<dyn Node>,
    covers: Option<Location>,
    source: &str,
    kind: &'static str,
) -> Result<Arc<Mount>, Errno> {
    if covers.as_ref().is_some_and(|place| place.node.kind() != Kind::Directory) {
        return Err(Errno::ENOTDIR);
    }
    let mut table = TABLE.lock(cx);
    table.mounts.try_room(1).map_err(|_| Errno::ENOMEM)?;
    let mount = Arc::new(Mount { number: table.next_number, root, covers, source: String::from(source), kind });
    table.next_number += 1;
    table.mounts.push(mount.clone());
    Ok(mount)
}

/// Takes a mount out of the tree; open files keep it alive.
pub fn unmount(cx: &TaskContext, mount: &Arc<Mount>) -> Result<(), Errno> {
    let mut table = TABLE.lock(cx);
    let carries = |other: &Arc<Mount>| other.covers.as_ref().is_some_and(|place| Arc::ptr_eq(&place.mount, mount));
    if mount.covers.is_none() || table.mounts.iter().any(carries) {
        return Err(Errno::EBUSY);
    }
    let index = table.mounts.iter().position(|other| Arc::ptr_eq(other, mount)).ok_or(Errno::EINVAL)?;
    let gone = table.mounts.remove(index);
    drop(table);
    drop(gone);
    Ok(())
}

/// What is seen at `place`: the root of the last mount hung over it, or the place itself.
pub fn uncover(cx: &TaskContext, mut place: Location) -> Location {
    while let Some(mount) = covering(cx, &place) {
        place = Location::root_of(&mount);
    }
    place
}

fn covering(cx: &TaskContext, place: &Location) -> Option<Arc<Mount>> {
    let table = TABLE.lock(cx);
    table.mounts.iter().rev().find(|mount| mount.covers.as_ref().is_some_and(|covered| covered.is(place))).cloned()
}

/// All mounts, first to last.
pub fn all(cx: &TaskContext) -> Vec<Arc<Mount>> {
    TABLE.lock(cx).mounts.clone()
}

/// Whether something hangs over this directory.
pub fn is_covered(cx: &TaskContext, place: &Location) -> bool {
    covering(cx, place).is_some()
}
