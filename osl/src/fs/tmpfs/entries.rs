//! Names made, removed and moved between directories in memory.
//!
//! Invariant: a directory that loses its last name is first marked dead under its own lock; if the removal then finds that the
//! name has moved on meanwhile, the mark is taken back. Two directories are locked together only by `rename`, in address order.

use alloc::sync::Arc;
use core::ptr;

use abi::Errno;
use sync::TaskContext;

use super::super::node::{Identity, Kind, New, Taken};
use super::directory::Names;
use super::node::TmpNode;

pub(super) fn create(cx: &mut TaskContext, directory: &TmpNode, name: &[u8], new: New<'_>) -> Result<Arc<TmpNode>, Errno> {
    let names = directory.names(cx)?;
    directory.volume.check_room()?;
    let parent = directory.me.upgrade();
    let node = TmpNode::create(&directory.volume, parent.as_ref(), new);
    names.lock(cx).insert(name, node.clone())?;
    if new.kind == Kind::Directory {
        directory.add_links(cx, 1);
    }
    directory.touch(cx);
    Ok(node)
}

pub(super) fn link(cx: &mut TaskContext, directory: &TmpNode, name: &[u8], file: &TmpNode) -> Result<(), Errno> {
    let node = file.me.upgrade().ok_or(Errno::ENOENT)?;
    node.load(cx)?;
    if node.links(cx) == 0 {
        return Err(Errno::ENOENT);
    }
    directory.volume.check_room()?;
    directory.names(cx)?.lock(cx).insert(name, node)?;
    directory.volume.add_name();
    file.add_links(cx, 1);
    directory.touch(cx);
    Ok(())
}

pub(super) fn unlink(cx: &mut TaskContext, directory: &TmpNode, name: &[u8], expected: Identity, is_directory: bool) -> Result<(), Errno> {
    let names = directory.names(cx)?;
    let node = names.lock(cx).find(name).cloned().ok_or(Errno::ENOENT)?;
    if node.identity != expected || (node.kind == Kind::Directory) != is_directory {
        return Err(Errno::ENOENT);
    }
    node.load(cx)?;
    let dying = Dying::begin(cx, &node)?;
    let mut names = names.lock(cx);
    if !names.find(name).is_some_and(|found| Arc::ptr_eq(found, &node)) {
        drop(names);
        dying.revive(cx);
        return Err(Errno::ENOENT);
    }
    let removed = names.remove(name);
    drop(names);
    drop(removed);
    node.lost_name(cx);
    if is_directory {
        directory.add_links(cx, -1);
    }
    directory.touch(cx);
    Ok(())
}

/// A directory marked as removed before its name is.
struct Dying<'a>(Option<&'a TmpNode>);

impl<'a> Dying<'a> {
    fn begin(cx: &mut TaskContext, node: &'a TmpNode) -> Result<Self, Errno> {
        if node.kind != Kind::Directory {
            return Ok(Self(None));
        }
        let names = node.names(cx)?;
        names.lock(cx).kill()?;
        Ok(Self(Some(node)))
    }

    fn revive(self, cx: &mut TaskContext) {
        if let Some(Ok(names)) = self.0.map(TmpNode::own_names) {
            names.lock(cx).revive();
        }
    }
}

type Named<'a> = (&'a TmpNode, &'a [u8]);

pub(super) fn rename(cx: &mut TaskContext, from: Named<'_>, to: Named<'_>, taken: Taken) -> Result<(), Errno> {
    let moved = from.0.names(cx)?.lock(cx).find(from.1).cloned().ok_or(Errno::ENOENT)?;
    let victim = to.0.names(cx)?.lock(cx).find(to.1).cloned();
    moved.load(cx)?;
    if let Some(victim) = &victim {
        victim.load(cx)?;
        if Arc::ptr_eq(victim, &moved) {
            return Ok(());
        }
        if taken == Taken::Refuse {
            return Err(Errno::EEXIST);
        }
    }
    let dying = match &victim {
        Some(victim) if taken == Taken::Replace => Dying::begin(cx, victim)?,
        _ => Dying(None),
    };
    if let Err(error) = swap_names(cx, from, to, &moved, victim.as_ref(), taken) {
        dying.revive(cx);
        return Err(error);
    }
    settle(cx, from.0, to.0, &moved, victim.as_deref(), taken);
    Ok(())
}

/// Changes the names, if both still are what the caller saw.
fn swap_names(
    cx: &mut TaskContext,
    from: Named<'_>,
    to: Named<'_>,
    moved: &Arc<TmpNode>,
    victim: Option<&Arc<TmpNode>>,
    taken: Taken,
) -> Result<(), Errno> {
    let same = |found: Option<&Arc<TmpNode>>, expected: Option<&Arc<TmpNode>>| found.map(Arc::as_ptr) == expected.map(Arc::as_ptr);
    let check = |source: &Names, target: &Names| {
        let is_unchanged = same(source.find(from.1), Some(moved)) && same(target.find(to.1), victim);
        if is_unchanged && !target.is_dead() { Ok(()) } else { Err(Errno::ENOENT) }
    };
    let (source_names, target_names) = (from.0.own_names()?, to.0.own_names()?);
    if ptr::eq(source_names, target_names) {
        let mut names = source_names.lock(cx);
        check(&names, &names)?;
        return match (victim, taken) {
            (Some(victim), Taken::Exchange) => {
                names.replace(from.1, victim.clone());
                names.replace(to.1, moved.clone());
                Ok(())
            }
            (Some(_), _) => {
                names.remove(from.1);
                names.replace(to.1, moved.clone());
                Ok(())
            }
            (None, _) => {
                names.remove(from.1);
                names.insert(to.1, moved.clone())
            }
        };
    }
    let (mut source, mut target) = sync::lock_pair(source_names, target_names, cx);
    check(&source, &target)?;
    match (victim, taken) {
        (Some(victim), Taken::Exchange) => {
            source.replace(from.1, victim.clone());
            target.replace(to.1, moved.clone());
            Ok(())
        }
        (Some(_), _) => {
            source.remove(from.1);
            target.replace(to.1, moved.clone());
            Ok(())
        }
        (None, _) => {
            source.remove(from.1);
            target.insert(to.1, moved.clone())
        }
    }
}

/// Link counts, parents and times after the names have changed.
fn settle(cx: &mut TaskContext, from: &TmpNode, to: &TmpNode, moved: &TmpNode, victim: Option<&TmpNode>, taken: Taken) {
    move_directory(cx, moved, from, to);
    if let Some(victim) = victim {
        if taken == Taken::Exchange {
            move_directory(cx, victim, to, from);
            victim.add_links(cx, 0);
        } else {
            victim.lost_name(cx);
            if victim.kind == Kind::Directory {
                to.add_links(cx, -1);
            }
        }
    }
    moved.add_links(cx, 0);
    from.touch(cx);
    to.touch(cx);
}

fn move_directory(cx: &mut TaskContext, moved: &TmpNode, from: &TmpNode, to: &TmpNode) {
    if moved.kind == Kind::Directory && !ptr::eq(from, to) {
        moved.set_parent(cx, to.me.clone());
        from.add_links(cx, -1);
        to.add_links(cx, 1);
    }
}
