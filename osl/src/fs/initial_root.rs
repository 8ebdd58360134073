//! The first root directory: the boot archive unpacked into memory.
//!
//! Invariant: nothing leaves `root`: a member whose path holds `..`, leads through a link or has no directory is left out.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::Errno;
use abi::file::{device_number, mode};
use sync::TaskContext;

use super::attributes::Change;
use super::buffer::KernelSource;
use super::cpio::{self, Broken, Member};
use super::node::{Kind, New, Node, Place};
use super::path;

/// How the unpacking went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Members that are files now.
    pub unpacked: usize,
    /// Members left out: bad path, unknown kind, or no memory.
    pub left_out: usize,
    /// Where the archive is broken, if it is.
    pub broken: Option<Broken>,
}

const SECOND: u64 = 1_000_000_000;
const PIECE: usize = 4096;

type FirstNames = BTreeMap<(u32, u32, u32), Arc<dyn Node>>;

/// Unpacks an archive into a directory.
pub fn unpack(cx: &mut TaskContext, root: &Arc<dyn Node>, archive: &[u8]) -> Report {
    let mut report = Report::default();
    let mut linked = FirstNames::new();
    let mut directories: Vec<(Arc<dyn Node>, u32)> = Vec::new();
    for member in cpio::members(archive) {
        let member = match member {
            Ok(member) => member,
            Err(broken) => {
                report.broken = Some(broken);
                break;
            }
        };
        match place(cx, root, &member, &mut linked) {
            Ok(node) => {
                report.unpacked += 1;
                if node.kind() == Kind::Directory {
                    directories.push((node, member.modified));
                } else {
                    set_time(cx, &node, member.modified);
                }
            }
            Err(_) => report.left_out += 1,
        }
    }
    for (directory, modified) in directories {
        set_time(cx, &directory, modified);
    }
    report
}

fn set_time(cx: &mut TaskContext, node: &Arc<dyn Node>, seconds: u32) {
    let time = Some(u64::from(seconds) * SECOND);
    let _ = node.change(cx, Change { accessed: time, modified: time, ..Change::default() });
}

fn place(cx: &mut TaskContext, root: &Arc<dyn Node>, member: &Member<'_>, linked: &mut FirstNames) -> Result<Arc<dyn Node>, Errno> {
    let kind = Kind::of_mode(member.mode).ok_or(Errno::EINVAL)?;
    let Some((directory, name)) = directory_of(cx, root, member.name)? else {
        let change = Change { mode: Some(member.mode & mode::PERMISSIONS), ..owner(member) };
        root.change(cx, change)?;
        return Ok(root.clone());
    };
    let has_more_names = member.links > 1 && kind == Kind::Regular;
    if let Some(first) = linked.get(&member.file).filter(|_| has_more_names).cloned() {
        remove_old(cx, &directory, name)?;
        directory.link(cx, name, &first)?;
        fill(cx, &first, member.data)?;
        return Ok(first);
    }
    if let Ok(there) = directory.find(cx, name) {
        if kind == Kind::Directory && there.kind() == Kind::Directory {
            there.change(cx, Change { mode: Some(member.mode & mode::PERMISSIONS), ..owner(member) })?;
            return Ok(there);
        }
        remove_old(cx, &directory, name)?;
    }
    let new = New {
        kind,
        mode: member.mode & mode::PERMISSIONS,
        user: member.user,
        group: member.group,
        device: device_number(member.special.0, member.special.1),
        target: if kind == Kind::Link { member.data } else { &[] },
    };
    if kind == Kind::Link && (member.data.is_empty() || member.data.len() >= path::PATH_LIMIT) {
        return Err(Errno::EINVAL);
    }
    let node = directory.create(cx, name, new)?;
    if kind == Kind::Regular {
        fill(cx, &node, member.data)?;
        if has_more_names {
            linked.insert(member.file, node.clone());
        }
    }
    Ok(node)
}

fn owner(member: &Member<'_>) -> Change {
    Change { user: Some(member.user), group: Some(member.group), ..Change::default() }
}

fn remove_old(cx: &mut TaskContext, directory: &Arc<dyn Node>, name: &[u8]) -> Result<(), Errno> {
    match directory.find(cx, name) {
        Ok(old) => directory.unlink(cx, name, old.identity(), old.kind() == Kind::Directory),
        Err(_) => Ok(()),
    }
}

type Named<'a> = (Arc<dyn Node>, &'a [u8]);

/// The directory and the last name of a member's path; `None` for the root itself.
fn directory_of<'a>(cx: &mut TaskContext, root: &Arc<dyn Node>, mut name: &'a [u8]) -> Result<Option<Named<'a>>, Errno> {
    let mut directory = root.clone();
    while let Some(component) = path::first_component(name) {
        path::check_name(component.name)?;
        if path::is_dots(component.name) {
            return Err(Errno::EINVAL);
        }
        if component.is_last {
            return Ok(Some((directory, component.name)));
        }
        directory = directory.find(cx, component.name)?;
        if directory.kind() != Kind::Directory {
            return Err(Errno::ENOTDIR);
        }
        name = component.rest;
    }
    Ok(None)
}

/// Writes the data, leaving out pages of zeros.
fn fill(cx: &mut TaskContext, node: &Arc<dyn Node>, data: &[u8]) -> Result<(), Errno> {
    if data.is_empty() {
        return Ok(());
    }
    node.set_size(cx, data.len() as u64)?;
    for (index, piece) in data.chunks(PIECE).enumerate() {
        if piece.iter().any(|&byte| byte != 0) {
            let at = (index * PIECE) as u64;
            let written = node.write(cx, Place::At(at), &mut KernelSource(piece))?;
            if written.count != piece.len() {
                return Err(Errno::ENOSPC);
            }
        }
    }
    Ok(())
}
