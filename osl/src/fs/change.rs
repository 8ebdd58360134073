//! Names made, removed and moved, with the rights to do so.
//!
//! Invariant: every function here checks first, in Linux's order of errors, and only then asks the node; renames are one at a time.

use alloc::sync::Arc;

use abi::Errno;
use libkernel::wait::Mutex;
use sync::{TaskContext, order};

use super::attributes::Attributes;
use super::lookup::{self, Last, Parent, View};
use super::mount::{self, Location};
use super::node::{Kind, New, Node, Taken};
use super::path;
use super::permission::{self, EXECUTE, WRITE};

/// One rename at a time: so that no directory is moved into itself by two moves that each are right alone.
static RENAME: Mutex<(), order::Rename> = Mutex::new(());

/// Makes a file that must not exist yet: `mkdir`, `mknod`, `symlink`. `new.user` and `new.group` are set from the view.
pub fn make(cx: &mut TaskContext, view: &View, path: &[u8], new: New<'_>) -> Result<(), Errno> {
    make_node(cx, view, path, new).map(|_| ())
}

/// The same, and answers the file.
pub fn make_node(cx: &mut TaskContext, view: &View, path: &[u8], new: New<'_>) -> Result<Arc<dyn Node>, Errno> {
    let parent = lookup::find_parent(cx, view, path)?;
    if parent.name.is_empty() || path::is_dots(&parent.name) {
        return Err(Errno::EEXIST);
    }
    match parent.directory.node.find(cx, &parent.name) {
        Ok(_) => return Err(Errno::EEXIST),
        Err(Errno::ENOENT) => {}
        Err(error) => return Err(error),
    }
    if parent.slash_follows && new.kind != Kind::Directory {
        return Err(Errno::ENOENT);
    }
    make_in(cx, view, &parent.directory, &parent.name, new)
}

/// Makes a file in a directory, if the view's user may change the directory.
pub fn make_in(cx: &mut TaskContext, view: &View, directory: &Location, name: &[u8], new: New<'_>) -> Result<Arc<dyn Node>, Errno> {
    let attributes = directory.node.attributes(cx)?;
    permission::check(&view.credentials, &attributes, WRITE | EXECUTE)?;
    let (group, mode) = permission::inherited(&view.credentials, &attributes, new.kind, new.mode);
    directory.node.create(cx, name, New { mode, group, user: view.credentials.fsuid, ..new })
}

/// Takes a name away: `unlink`, or `rmdir` when `directory`.
pub fn remove(cx: &mut TaskContext, view: &View, path: &[u8], directory: bool) -> Result<(), Errno> {
    let parent = lookup::find_parent(cx, view, path)?;
    check_removable_name(&parent, directory)?;
    let file = parent.directory.node.find(cx, &parent.name)?;
    check_may_remove(cx, view, &parent.directory, &file)?;
    match (directory, file.kind() == Kind::Directory) {
        (true, false) => return Err(Errno::ENOTDIR),
        (false, true) => return Err(Errno::EISDIR),
        (false, false) if parent.slash_follows => return Err(Errno::ENOTDIR),
        _ => {}
    }
    if directory && mount::is_covered(cx, &parent.directory.beside(file.clone())) {
        return Err(Errno::EBUSY);
    }
    parent.directory.node.unlink(cx, &parent.name, file.identity(), directory)
}

fn check_removable_name(parent: &Parent, directory: bool) -> Result<(), Errno> {
    match (parent.name.as_slice(), directory) {
        (b"", true) => Err(Errno::EBUSY),
        (b".", true) => Err(Errno::EINVAL),
        (b"..", true) => Err(Errno::ENOTEMPTY),
        (b"" | b"." | b"..", false) => Err(Errno::EISDIR),
        _ => Ok(()),
    }
}

fn check_may_remove(cx: &mut TaskContext, view: &View, directory: &Location, file: &Arc<dyn Node>) -> Result<Attributes, Errno> {
    let of_directory = directory.node.attributes(cx)?;
    permission::check(&view.credentials, &of_directory, WRITE | EXECUTE)?;
    let of_file = file.attributes(cx)?;
    permission::check_sticky(&view.credentials, &of_directory, &of_file)?;
    Ok(of_file)
}

/// One more name for a file.
pub fn link(cx: &mut TaskContext, file: &Location, view: &View, path: &[u8]) -> Result<(), Errno> {
    let parent = lookup::find_parent(cx, view, path)?;
    if parent.name.is_empty() || path::is_dots(&parent.name) || parent.directory.node.find(cx, &parent.name).is_ok() {
        return Err(Errno::EEXIST);
    }
    if parent.slash_follows {
        return Err(Errno::ENOENT);
    }
    if !Arc::ptr_eq(&parent.directory.mount, &file.mount) {
        return Err(Errno::EXDEV);
    }
    view.check(cx, &parent.directory, WRITE | EXECUTE)?;
    if file.node.kind() == Kind::Directory {
        return Err(Errno::EPERM);
    }
    parent.directory.node.link(cx, &parent.name, &file.node)
}

/// Moves a name. The two paths may start in different directories.
pub fn rename(cx: &mut TaskContext, (from_view, from): (&View, &[u8]), (to_view, to): (&View, &[u8]), taken: Taken) -> Result<(), Errno> {
    let source = lookup::find_parent(cx, from_view, from)?;
    let target = lookup::find_parent(cx, to_view, to)?;
    if !Arc::ptr_eq(&source.directory.mount, &target.directory.mount) {
        return Err(Errno::EXDEV);
    }
    for parent in [&source, &target] {
        if parent.name.is_empty() || path::is_dots(&parent.name) {
            return Err(Errno::EBUSY);
        }
    }
    let guard = RENAME.lock(cx);
    let result = rename_locked(cx, from_view, &source, &target, taken);
    drop(guard);
    result
}

fn rename_locked(cx: &mut TaskContext, view: &View, source: &Parent, target: &Parent, taken: Taken) -> Result<(), Errno> {
    let file = source.directory.node.find(cx, &source.name)?;
    let victim = match target.directory.node.find(cx, &target.name) {
        Ok(_) if taken == Taken::Refuse => return Err(Errno::EEXIST),
        Ok(node) => Some(node),
        Err(Errno::ENOENT) if taken == Taken::Exchange => return Err(Errno::ENOENT),
        Err(Errno::ENOENT) => None,
        Err(error) => return Err(error),
    };
    let is_directory = file.kind() == Kind::Directory;
    if !is_directory && (source.slash_follows || (target.slash_follows && victim.is_none())) {
        return Err(Errno::ENOTDIR);
    }
    check_no_loop(cx, &file, &target.directory)?;
    if let Some(victim) = &victim {
        let into_own_parent = check_no_loop(cx, victim, &source.directory);
        into_own_parent.map_err(|_| if taken == Taken::Exchange { Errno::EINVAL } else { Errno::ENOTEMPTY })?;
    }
    let moved = check_may_remove(cx, view, &source.directory, &file)?;
    match &victim {
        Some(victim) => {
            check_may_remove(cx, view, &target.directory, victim)?;
            check_kinds(is_directory, victim.kind() == Kind::Directory, taken)?;
            check_not_covered(cx, &target.directory.beside(victim.clone()))?;
        }
        None => view.check(cx, &target.directory, WRITE | EXECUTE)?,
    }
    if is_directory && source.directory.node.identity() != target.directory.node.identity() {
        permission::check(&view.credentials, &moved, WRITE)?;
    }
    check_not_covered(cx, &source.directory.beside(file))?;
    source.directory.node.rename(cx, &source.name, &target.directory.node, &target.name, taken)
}

fn check_kinds(moved_is_directory: bool, victim_is_directory: bool, taken: Taken) -> Result<(), Errno> {
    match (moved_is_directory, victim_is_directory) {
        _ if taken == Taken::Exchange => Ok(()),
        (true, false) => Err(Errno::ENOTDIR),
        (false, true) => Err(Errno::EISDIR),
        _ => Ok(()),
    }
}

fn check_not_covered(cx: &TaskContext, place: &Location) -> Result<(), Errno> {
    if place.node.kind() == Kind::Directory && mount::is_covered(cx, place) { Err(Errno::EBUSY) } else { Ok(()) }
}

/// Refuses to move a directory to below itself.
fn check_no_loop(cx: &mut TaskContext, file: &Arc<dyn Node>, into: &Location) -> Result<(), Errno> {
    if file.kind() != Kind::Directory {
        return Ok(());
    }
    let mut above = Some(into.node.clone());
    while let Some(directory) = above {
        if directory.identity() == file.identity() {
            return Err(Errno::EINVAL);
        }
        above = directory.parent(cx);
    }
    Ok(())
}

/// The file of a path, for a call that then looks at it.
pub fn existing(cx: &mut TaskContext, view: &View, path: &[u8], last: Last) -> Result<Location, Errno> {
    lookup::find(cx, view, path, last).map(|found| found.location)
}
