//! open, openat, creat, close, close_range, and the file behind an mmap.
//!
//! Invariant: a descriptor is given only when the opening is complete; an opening that is closed is let go of outside every lock.

use alloc::sync::Arc;

use abi::Errno;
use abi::constant::{AT_FDCWD, CLOSE_RANGE_CLOEXEC, CLOSE_RANGE_UNSHARE, O_CLOEXEC, O_CREAT, O_TMPFILE, O_TRUNC, O_WRONLY};
use abi::file::mode;
use abi::process::limit;
use libkernel::address_space::{Backing, UserAddress, user};

use super::{Caller, place};
use crate::error::errno;
use crate::file::file::File;
use crate::file::open::{self, Request};
use crate::file::{OpenFile, Promised, in_flight, record_locks};
use crate::fs::Kind;
use crate::fs::mapped_file::{self, MappedFile};
use crate::fs::seals::Seals;

pub fn open(caller: &mut Caller<'_>, path: UserAddress, flags: u32, mode: u32) -> Result<i32, Errno> {
    openat(caller, AT_FDCWD, path, flags, mode)
}

pub fn creat(caller: &mut Caller<'_>, path: UserAddress, mode: u32) -> Result<i32, Errno> {
    openat(caller, AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode)
}

pub fn openat(caller: &mut Caller<'_>, directory: i32, path: UserAddress, flags: u32, mode: u32) -> Result<i32, Errno> {
    if flags & O_TMPFILE == O_TMPFILE {
        return Err(Errno::EOPNOTSUPP);
    }
    let path = place::path_in(caller, path)?;
    let view = place::view_at(caller, directory, &path)?;
    let umask = caller.file_system().umask(caller.cx);
    let request = Request { flags, mode: mode & mode::PERMISSIONS & !umask };
    let open = open::open(caller.cx, &view, &path, request)?;
    install(caller, open, flags & O_CLOEXEC != 0)
}

/// Gives an opening the lowest free descriptor.
pub fn install(caller: &mut Caller<'_>, open: Arc<OpenFile>, close_on_exec: bool) -> Result<i32, Errno> {
    let most = caller.process().soft_limit(caller.cx, limit::FILES);
    caller.files().insert(caller.cx, open, close_on_exec, 0, most)
}

/// A number that the program is told of before it means anything.
pub fn promise(caller: &mut Caller<'_>) -> Result<Promised, Errno> {
    let most = caller.process().soft_limit(caller.cx, limit::FILES);
    Promised::new(caller.cx, &caller.files(), most)
}

/// Gives two openings a descriptor each, and the program the numbers at `at`; or neither.
pub fn install_pair(caller: &mut Caller<'_>, at: UserAddress, pair: [Arc<OpenFile>; 2], close_on_exec: bool) -> Result<(), Errno> {
    let promised = [promise(caller)?, promise(caller)?];
    user::copy_out_value(caller.cx, at, &promised.each_ref().map(Promised::fd)).map_err(errno)?;
    for (promised, open) in promised.into_iter().zip(pair) {
        promised.keep(caller.cx, open, close_on_exec);
    }
    Ok(())
}

/// Opens a file that has no path, and gives it a descriptor.
pub fn install_new(caller: &mut Caller<'_>, file: Arc<dyn File>, flags: u32) -> Result<i32, Errno> {
    let open = opened(caller, file, flags);
    install(caller, open, flags & O_CLOEXEC != 0)
}

/// An opening of a file that has no path.
pub fn opened(caller: &Caller<'_>, file: Arc<dyn File>, flags: u32) -> Arc<OpenFile> {
    OpenFile::new(file, flags & !O_CLOEXEC, None, caller.credentials())
}

pub fn close(caller: &mut Caller<'_>, fd: i32) -> Result<(), Errno> {
    let open = caller.files().remove(caller.cx, fd)?;
    closed(caller, open);
    Ok(())
}

/// A descriptor was taken away: record locks of its table on that file are gone, and the opening if it was the last.
pub fn closed(caller: &mut Caller<'_>, open: Arc<OpenFile>) {
    if let Some(node) = open.file().node() {
        record_locks::closed(caller.cx, node.identity(), caller.files().lock_owner());
    }
    let is_keeper = open.file().is_keeper();
    drop(open);
    if is_keeper {
        in_flight::collect_after_close(caller.cx);
    }
}

pub fn close_range(caller: &mut Caller<'_>, first: u32, last: u32, flags: u32) -> Result<(), Errno> {
    place::check_flags(flags, CLOSE_RANGE_CLOEXEC | CLOSE_RANGE_UNSHARE)?;
    if first > last {
        return Err(Errno::EINVAL);
    }
    if flags & CLOSE_RANGE_UNSHARE != 0 {
        let copy = caller.files().duplicate(caller.cx)?;
        let before = caller.task.replace_files(caller.cx, Some(Arc::new(copy)));
        drop(before);
    }
    let files = caller.files();
    for (fd, _) in files.open_descriptors(caller.cx) {
        if !(first..=last).contains(&fd.cast_unsigned()) {
            continue;
        }
        if flags & CLOSE_RANGE_CLOEXEC != 0 {
            let _gone_meanwhile = files.set_close_on_exec(caller.cx, fd, true);
        } else if let Ok(open) = files.remove(caller.cx, fd) {
            closed(caller, open);
        }
    }
    Ok(())
}

/// What a mapping of an open file shows, if the descriptor allows it.
pub fn backing_for_map(caller: &mut Caller<'_>, fd: i32, offset: u64, shared: bool, write: bool) -> Result<Backing, Errno> {
    let open = caller.files().get_usable(caller.cx, fd)?;
    if open.kind() == Some(Kind::Character) && is_zero_device(caller, &open)? {
        return Ok(if shared { Backing::SharedAnonymous } else { Backing::Anonymous });
    }
    let access = open.access();
    if !access.read || (shared && write && !access.write) {
        return Err(Errno::EACCES);
    }
    let pages = open.file().pages().ok_or(Errno::ENODEV)?;
    let root = caller.file_system().root(caller.cx);
    let name = open.found().map_or_else(|| pages.name(), |found| mapped_file::name_of(caller.cx, &root, found));
    // Opened for writing and shared: its protection may allow writing later. Sealed against it, it shows the file and no more.
    let seals = open.file().node().and_then(|node| node.seals()).filter(|_| shared && access.write);
    let writable = match seals.map(Seals::map_for_writing) {
        Some(Err(error)) if write => return Err(error),
        Some(writable) => writable.ok(),
        None => None,
    };
    let may_write = access.write && (seals.is_none() || writable.is_some());
    let source = MappedFile::wrap(pages, name, may_write, writable);
    Ok(Backing::Source { source, first_page: offset / 4096, shared })
}

/// `/dev/zero` maps as plain memory.
fn is_zero_device(caller: &mut Caller<'_>, open: &OpenFile) -> Result<bool, Errno> {
    Ok(open.attributes(caller.cx)?.special == abi::file::device_number(1, 5))
}
