//! From a path to an open file.
//!
//! Invariant: rights are checked before anything changes: a refused `open` neither creates nor truncates.

use alloc::sync::Arc;

use abi::Errno;
use abi::constant::{O_CREAT, O_DIRECTORY, O_EXCL, O_NOATIME, O_NOFOLLOW, O_PATH, O_TRUNC};
use abi::file::{device_parts, mode};
use sync::TaskContext;

use super::device::{self, Opening};
use super::directory::NamedFile;
use super::fifo;
use super::file::File;
use super::open_file::{Access, OpenFile};
use super::regular::RegularFile;
use super::text::TextFile;
use crate::fs::lookup::{self, Last, Parent};
use crate::fs::node::{Kind, New, Node};
use crate::fs::{Found, View, change, mount, path, permission};

/// What `open(2)` was asked for.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// Its flags.
    pub flags: u32,
    /// For a new file: permissions, umask applied.
    pub mode: u32,
}

/// Opens what a path names.
pub fn open(cx: &mut TaskContext, view: &View, path: &[u8], request: Request) -> Result<Arc<OpenFile>, Errno> {
    let flags = request.flags;
    if flags & O_CREAT != 0 && flags & O_PATH == 0 {
        if flags & O_DIRECTORY != 0 {
            return Err(Errno::EINVAL);
        }
        return open_or_create(cx, view, path, request);
    }
    let last = if flags & O_NOFOLLOW != 0 { Last::Stay } else { Last::Follow };
    let found = lookup::find(cx, view, path, last)?;
    open_found(cx, view, found, flags, false)
}

fn open_or_create(cx: &mut TaskContext, view: &View, path: &[u8], request: Request) -> Result<Arc<OpenFile>, Errno> {
    let mut links = 0;
    let mut view = view.clone();
    let mut path = path.to_vec();
    loop {
        let parent = lookup::find_parent_counting(cx, &view, &path, &mut links)?;
        if parent.name.is_empty() || path::is_dots(&parent.name) || parent.slash_follows {
            return Err(Errno::EISDIR);
        }
        match parent.directory.node.find(cx, &parent.name) {
            Ok(_) if request.flags & O_EXCL != 0 => return Err(Errno::EEXIST),
            Ok(node) if node.kind() == Kind::Link && request.flags & O_NOFOLLOW == 0 => {
                lookup::count_link(&mut links)?;
                if let Some(found) = node.leads_to(cx) {
                    return open_found(cx, &view, found?, request.flags, false);
                }
                path = node.target(cx)?;
                view = view.from(parent.directory);
            }
            Ok(node) => {
                return open_found(cx, &view, found_in(cx, parent, node), request.flags, false);
            }
            Err(Errno::ENOENT) => match create(cx, &view, &parent, request) {
                Err(Errno::EEXIST) if request.flags & O_EXCL == 0 => {}
                Err(error) => return Err(error),
                Ok(node) => return open_found(cx, &view, found_in(cx, parent, node), request.flags, true),
            },
            Err(error) => return Err(error),
        }
    }
}

fn found_in(cx: &TaskContext, parent: Parent, node: Arc<dyn Node>) -> Found {
    let place = parent.directory.beside(node);
    Found { location: mount::uncover(cx, place), entry: Some((parent.directory, parent.name.into())) }
}

fn create(cx: &mut TaskContext, view: &View, parent: &Parent, request: Request) -> Result<Arc<dyn Node>, Errno> {
    let mode = request.mode & mode::PERMISSIONS;
    let new = New { kind: Kind::Regular, mode, user: 0, group: 0, device: 0, target: &[] };
    change::make_in(cx, view, &parent.directory, &parent.name, new)
}

/// Opens a file that was found; `is_new` when this very call made it, so that its permissions do not bind its maker.
fn open_found(cx: &mut TaskContext, view: &View, found: Found, flags: u32, is_new: bool) -> Result<Arc<OpenFile>, Errno> {
    let node = found.location.node.clone();
    let access = Access::of_flags(flags);
    check_kind(node.kind(), flags, access)?;
    if flags & O_PATH != 0 {
        let file = Arc::new(NamedFile::new(node));
        return Ok(OpenFile::new(file, flags, Some(found), view.credentials.clone()));
    }
    if !is_new {
        let truncates = if flags & O_TRUNC != 0 { permission::WRITE } else { 0 };
        let attributes = node.attributes(cx)?;
        let changes = access.write || truncates != 0;
        if changes && node.kind() == Kind::Regular && node.is_read_only() {
            return Err(Errno::EROFS);
        }
        permission::check(&view.credentials, &attributes, access.wanted() | truncates)?;
        if flags & O_NOATIME != 0 {
            permission::check_owner(&view.credentials, &attributes)?;
        }
    }
    let file = open_node(cx, &node, flags)?;
    if flags & O_TRUNC != 0 && node.kind() == Kind::Regular && !is_new {
        truncate(cx, &node)?;
    }
    let kept = flags & !(O_CREAT | O_EXCL | O_TRUNC | abi::constant::O_CLOEXEC | abi::constant::O_NOCTTY);
    let found = node.has_place().then_some(found);
    Ok(OpenFile::new(file, kept, found, view.credentials.clone()))
}

fn truncate(cx: &mut TaskContext, node: &Arc<dyn Node>) -> Result<(), Errno> {
    match node.set_size(cx, 0) {
        Err(Errno::EINVAL) => Ok(()),
        result => result,
    }
}

fn check_kind(kind: Kind, flags: u32, access: Access) -> Result<(), Errno> {
    if flags & O_DIRECTORY != 0 && kind != Kind::Directory {
        return Err(Errno::ENOTDIR);
    }
    if flags & O_PATH != 0 {
        return Ok(());
    }
    match kind {
        Kind::Link => Err(Errno::ELOOP),
        Kind::Directory if access.write || flags & (O_CREAT | O_TRUNC) != 0 => Err(Errno::EISDIR),
        Kind::Socket => Err(Errno::ENXIO),
        _ => Ok(()),
    }
}

/// The behaviour that belongs to a node.
fn open_node(cx: &mut TaskContext, node: &Arc<dyn Node>, flags: u32) -> Result<Arc<dyn File>, Errno> {
    match node.kind() {
        Kind::Regular if node.is_text() => Ok(Arc::new(TextFile::new(node.clone()))),
        Kind::Regular => Ok(Arc::new(RegularFile::new(node.clone()))),
        Kind::Directory | Kind::Link => Ok(Arc::new(NamedFile::new(node.clone()))),
        Kind::Fifo => fifo::open(cx, node, flags),
        Kind::Character | Kind::Block => {
            let device = device_parts(node.attributes(cx)?.special);
            device::open(cx, &Opening { node, kind: node.kind(), device, flags })
        }
        Kind::Socket => Err(Errno::ENXIO),
    }
}

/// A program to be run: a regular file that the view's user may execute, opened for reading.
pub fn open_executable(cx: &mut TaskContext, view: &View, path: &[u8], last: Last) -> Result<Executable, Errno> {
    let found = lookup::find(cx, view, path, last)?;
    executable(cx, view, found)
}

/// The same for a file that was found already (`execveat` with a descriptor).
pub fn executable(cx: &mut TaskContext, view: &View, found: Found) -> Result<Executable, Errno> {
    let node = found.location.node.clone();
    if node.kind() == Kind::Link {
        return Err(Errno::ELOOP);
    }
    let attributes = node.attributes(cx)?;
    if attributes.kind != Kind::Regular {
        return Err(Errno::EACCES);
    }
    permission::check(&view.credentials, &attributes, permission::EXECUTE)?;
    Ok(Executable { found, node, attributes })
}

/// A program file that may be run.
#[derive(Clone)]
pub struct Executable {
    /// How it was found.
    pub found: Found,
    /// The file.
    pub node: Arc<dyn Node>,
    /// Its attributes when it was checked: owner and set-id bits.
    pub attributes: crate::fs::Attributes,
}
