//! The names in one directory.
//!
//! Invariant: each name has a position that never changes and is never used again, so a listing that is interrupted goes on
//! where it was, whatever was removed meanwhile. `is_dead` is set only when there is no name, and then none is ever added.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::Errno;

use super::node::TmpNode;

/// Positions below belong to `.` and `..`.
pub(super) const FIRST_POSITION: u64 = 3;

#[derive(Clone)]
struct Slot {
    position: u64,
    node: Arc<TmpNode>,
}

/// What one directory holds.
pub(super) struct Names {
    by_name: BTreeMap<Arc<[u8]>, Slot>,
    by_position: BTreeMap<u64, Arc<[u8]>>,
    next_position: u64,
    is_dead: bool,
    /// The names of the directory below are here too.
    is_filled: bool,
}

impl Names {
    /// Empty; `is_filled`: there is no directory below.
    pub(super) const fn new(is_filled: bool) -> Self {
        Self { by_name: BTreeMap::new(), by_position: BTreeMap::new(), next_position: FIRST_POSITION, is_dead: false, is_filled }
    }

    pub(super) const fn is_filled(&self) -> bool {
        self.is_filled
    }

    /// Takes in the names of the directory below.
    pub(super) fn fill(&mut self, names: Vec<(Vec<u8>, Arc<TmpNode>)>) {
        for (name, node) in names {
            // A name that stands there twice leads to the first file.
            let _taken = self.insert(&name, node);
        }
        self.is_filled = true;
    }

    pub(super) fn find(&self, name: &[u8]) -> Option<&Arc<TmpNode>> {
        self.by_name.get(name).map(|slot| &slot.node)
    }

    pub(super) fn count(&self) -> u64 {
        self.by_name.len() as u64
    }

    /// Adds a name that is free.
    pub(super) fn insert(&mut self, name: &[u8], node: Arc<TmpNode>) -> Result<(), Errno> {
        if self.is_dead {
            return Err(Errno::ENOENT);
        }
        if self.by_name.contains_key(name) {
            return Err(Errno::EEXIST);
        }
        let name: Arc<[u8]> = name.into();
        let position = self.next_position;
        self.next_position += 1;
        self.by_position.insert(position, name.clone());
        self.by_name.insert(name, Slot { position, node });
        Ok(())
    }

    pub(super) fn remove(&mut self, name: &[u8]) -> Option<Arc<TmpNode>> {
        let slot = self.by_name.remove(name)?;
        self.by_position.remove(&slot.position);
        Some(slot.node)
    }

    /// Gives a name to another file; answers the one that had it.
    pub(super) fn replace(&mut self, name: &[u8], node: Arc<TmpNode>) -> Option<Arc<TmpNode>> {
        let slot = self.by_name.get_mut(name)?;
        Some(core::mem::replace(&mut slot.node, node))
    }

    /// Takes everything out: the directory itself is gone.
    pub(super) fn take_all(&mut self) -> Vec<Arc<TmpNode>> {
        self.by_position.clear();
        core::mem::take(&mut self.by_name).into_values().map(|slot| slot.node).collect()
    }

    /// Marks an empty directory as removed.
    pub(super) fn kill(&mut self) -> Result<(), Errno> {
        if self.is_dead {
            return Err(Errno::ENOENT);
        }
        if !self.by_name.is_empty() {
            return Err(Errno::ENOTEMPTY);
        }
        self.is_dead = true;
        Ok(())
    }

    /// Takes the mark back.
    pub(super) fn revive(&mut self) {
        self.is_dead = false;
    }

    pub(super) fn is_dead(&self) -> bool {
        self.is_dead
    }

    /// The first name at or after a position.
    pub(super) fn next(&self, from: u64) -> Option<(u64, Arc<[u8]>, Arc<TmpNode>)> {
        let (&position, name) = self.by_position.range(from..).next()?;
        let slot = self.by_name.get(name)?;
        Some((position, name.clone(), slot.node.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::node::{Kind, New};
    use crate::fs::tmpfs::volume::Tmpfs;

    fn file() -> Arc<TmpNode> {
        let new = New { kind: Kind::Regular, mode: 0o644, user: 0, group: 0, device: 0, target: &[] };
        TmpNode::create(&Tmpfs::volume(10), None, new)
    }

    #[test]
    fn a_listing_goes_on_where_it_was_after_removals() {
        let mut names = Names::new(true);
        for name in [b"a", b"b", b"c", b"d"] {
            names.insert(name, file()).expect("a free name");
        }
        let (first, ..) = names.next(0).expect("a name");
        names.remove(b"a");
        names.remove(b"b");
        let (_, name, _) = names.next(first + 1).expect("a name");
        assert_eq!(&*name, b"c");
    }

    #[test]
    fn a_dead_directory_takes_no_names_until_it_is_revived() {
        let mut names = Names::new(true);
        names.kill().expect("it is empty");
        assert_eq!(names.insert(b"a", file()), Err(Errno::ENOENT));
        names.revive();
        assert_eq!(names.insert(b"a", file()), Ok(()));
        assert_eq!(names.kill(), Err(Errno::ENOTEMPTY));
    }
}
