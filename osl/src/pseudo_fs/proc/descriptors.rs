//! /proc/PID/fd: a link for each open descriptor.
//!
//! Invariant: only those who may look into the process see the names, and the check is made again at every look.

use alloc::boxed::Box;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::Errno;
use sync::TaskContext;

use super::super::tree::{Content, FIRST_POSITION, Made, Name};
use super::task_directory::{DESCRIPTOR, Which};
use super::{VOLUME, task_files};
use crate::file::OpenFile;
use crate::fs::{Found, Kind, Location, Node};
use crate::process;

/// The directory itself.
pub fn directory(which: Which, number: u64) -> Arc<dyn Node> {
    let content = Content::Directory {
        list: Box::new(move |cx| list(cx, which)),
        find: Box::new(move |cx, name| {
            let fd = fd_of(name).ok_or(Errno::ENOENT)?;
            open_file(cx, which, fd).map_err(|error| if error == Errno::EACCES { error } else { Errno::ENOENT })?;
            Ok(link(which, fd))
        }),
        parent: None,
    };
    Made::owned(VOLUME, number, 0o500, which.owner(), content)
}

fn list(cx: &mut TaskContext, which: Which) -> Result<Vec<Name>, Errno> {
    let subject = which.inspected(cx)?;
    let Some(files) = subject.task()?.open_files(cx) else { return Ok(Vec::new()) };
    let descriptors = files.open_descriptors(cx);
    Ok(descriptors.into_iter().map(|(fd, _)| name(which, fd)).collect())
}

fn name(which: Which, fd: i32) -> Name {
    let place = u64::from(fd.unsigned_abs());
    Name {
        name: format!("{fd}").into_bytes(),
        position: FIRST_POSITION + place,
        number: which.number() + DESCRIPTOR + place,
        kind: Kind::Link,
    }
}

/// A descriptor as its link is named: digits without a leading zero.
fn fd_of(name: &[u8]) -> Option<i32> {
    let text = core::str::from_utf8(name).ok()?;
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if is_plain { text.parse().ok() } else { None }
}

fn open_file(cx: &mut TaskContext, which: Which, fd: i32) -> Result<Arc<OpenFile>, Errno> {
    let subject = which.inspected(cx)?;
    let files = subject.task()?.open_files(cx).ok_or(Errno::ENOENT)?;
    files.get(cx, fd)
}

fn link(which: Which, fd: i32) -> Arc<dyn Node> {
    let target = move |cx: &mut TaskContext| {
        let open = open_file(cx, which, fd)?;
        match open.found() {
            Some(found) => task_files::path(cx, found),
            None => Ok(open.file().label().map_or_else(|| b"anon_inode:[file]".to_vec(), |label| label.into_bytes())),
        }
    };
    let leads = move |cx: &mut TaskContext| {
        let open = open_file(cx, which, fd)?;
        if let Some(found) = open.found() {
            return Ok(found.clone());
        }
        // A pipe has a node, but no place: it is reached through whatever mount the looker's root is on.
        let node = open.file().node().ok_or(Errno::ENXIO)?.clone();
        let looker = process::current(cx).ok_or(Errno::ESRCH)?;
        let mount = looker.file_system(cx).root(cx).mount;
        Ok(Found { location: Location { mount, node }, entry: None })
    };
    let content = Content::Link(Box::new(target), Some(Box::new(leads)));
    let number = which.number() + DESCRIPTOR + u64::from(fd.unsigned_abs());
    Made::owned(VOLUME, number, 0o700, which.owner(), content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_number_names_a_descriptor() {
        assert_eq!(fd_of(b"0"), Some(0));
        assert_eq!(fd_of(b"17"), Some(17));
        for name in [b"".as_slice(), b"00", b"01", b"-1", b"+1", b"1x", b"4294967296"] {
            assert_eq!(fd_of(name), None);
        }
    }
}
