//! lseek, truncate, fallocate, fsync: where a file is read, how long it is, and that it is kept.
//!
//! Invariant: positions and lengths from the program are checked to be at least zero and to fit before a file sees them.

use abi::Errno;
use abi::constant::{
    AT_FDCWD, FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE, FALLOC_FL_ZERO_RANGE, SEEK_CUR, SEEK_DATA, SEEK_END, SEEK_HOLE, SEEK_SET,
};
use libkernel::address_space::UserAddress;
use sync::TaskContext;

use super::{Caller, place};
use crate::file::OpenFile;
use crate::fs::lookup::Last;
use crate::fs::{Change, Kind, permission};

pub fn lseek(caller: &mut Caller<'_>, fd: i32, offset: i64, whence: u32) -> Result<u64, Errno> {
    let open = caller.files().get_usable(caller.cx, fd)?;
    if !open.file().has_position() {
        return Err(Errno::ESPIPE);
    }
    open.reposition(caller.cx, |cx, position| {
        let moved = target(cx, &open, position, offset, whence)?;
        Ok((moved, moved))
    })
}

fn target(cx: &mut TaskContext, open: &OpenFile, position: u64, offset: i64, whence: u32) -> Result<u64, Errno> {
    let add = |base: u64| base.checked_add_signed(offset).filter(|&sum| i64::try_from(sum).is_ok()).ok_or(Errno::EINVAL);
    match whence {
        SEEK_SET => add(0),
        SEEK_CUR => add(position),
        SEEK_END => add(open.file().length(cx)?),
        SEEK_DATA | SEEK_HOLE => {
            let size = open.attributes(cx)?.size;
            let from = u64::try_from(offset).ok().filter(|&from| from < size).ok_or(Errno::ENXIO)?;
            let node = open.file().node().ok_or(Errno::EINVAL)?;
            node.next_data(cx, from, whence == SEEK_HOLE, size).ok_or(Errno::ENXIO)
        }
        _ => Err(Errno::EINVAL),
    }
}

pub fn truncate(caller: &mut Caller<'_>, path: UserAddress, length: i64) -> Result<(), Errno> {
    let length = u64::try_from(length).map_err(|_| Errno::EINVAL)?;
    let place = place::found(caller, AT_FDCWD, path, 0, Last::Follow)?.location;
    match place.node.kind() {
        Kind::Regular => {}
        Kind::Directory => return Err(Errno::EISDIR),
        _ => return Err(Errno::EINVAL),
    }
    let who = caller.credentials();
    let attributes = place.node.attributes(caller.cx)?;
    permission::check(&who, &attributes, permission::WRITE)?;
    place.node.set_size(caller.cx, length)?;
    let mode = permission::without_set_id(attributes.mode, attributes.kind);
    if mode != attributes.mode && !who.overrides_files() {
        place.node.change(caller.cx, Change { mode: Some(mode), ..Change::default() })?;
    }
    Ok(())
}

pub fn ftruncate(caller: &mut Caller<'_>, fd: i32, length: i64) -> Result<(), Errno> {
    let length = u64::try_from(length).map_err(|_| Errno::EINVAL)?;
    let open = caller.files().get_usable(caller.cx, fd)?;
    let node = open.file().node().ok_or(Errno::EINVAL)?;
    if node.kind() != Kind::Regular || !open.access().write {
        return Err(Errno::EINVAL);
    }
    node.set_size(caller.cx, length)
}

pub fn fallocate(caller: &mut Caller<'_>, fd: i32, how: u32, offset: i64, length: i64) -> Result<(), Errno> {
    let open = caller.files().get_usable(caller.cx, fd)?;
    open.check_write()?;
    let start = u64::try_from(offset).map_err(|_| Errno::EINVAL)?;
    let length = u64::try_from(length).ok().filter(|&length| length > 0).ok_or(Errno::EINVAL)?;
    let end = start.checked_add(length).filter(|&end| i64::try_from(end).is_ok()).ok_or(Errno::EFBIG)?;
    let node = match open.file().node() {
        Some(node) if node.kind() == Kind::Regular => node,
        Some(node) if node.kind() == Kind::Fifo => return Err(Errno::ESPIPE),
        Some(_) => return Err(Errno::ENODEV),
        None => return Err(Errno::ESPIPE),
    };
    let keep = how & FALLOC_FL_KEEP_SIZE != 0;
    match how & !FALLOC_FL_KEEP_SIZE {
        0 => node.reserve(caller.cx, start..end, !keep),
        FALLOC_FL_PUNCH_HOLE if keep => node.punch(caller.cx, start..end),
        FALLOC_FL_ZERO_RANGE => {
            node.punch(caller.cx, start..end)?;
            node.reserve(caller.cx, start..end, !keep)
        }
        _ => Err(Errno::EOPNOTSUPP),
    }
}

/// Files live in memory: what was written is kept as well as it ever will be.
pub fn fsync(caller: &mut Caller<'_>, fd: i32) -> Result<(), Errno> {
    let open = caller.files().get_usable(caller.cx, fd)?;
    match open.kind() {
        Some(Kind::Regular | Kind::Directory) => Ok(()),
        _ => Err(Errno::EINVAL),
    }
}

pub fn syncfs(caller: &mut Caller<'_>, fd: i32) -> Result<(), Errno> {
    caller.files().get_usable(caller.cx, fd).map(|_| ())
}

pub fn fadvise64(caller: &mut Caller<'_>, fd: i32, length: i64, advice: u32) -> Result<(), Errno> {
    let open = caller.files().get_usable(caller.cx, fd)?;
    if !open.file().has_position() {
        return Err(Errno::ESPIPE);
    }
    if length < 0 || advice > 5 { Err(Errno::EINVAL) } else { Ok(()) }
}

pub fn readahead(caller: &mut Caller<'_>, fd: i32) -> Result<(), Errno> {
    let open = caller.files().get_usable(caller.cx, fd)?;
    open.check_read()?;
    if open.kind() == Some(Kind::Regular) { Ok(()) } else { Err(Errno::EINVAL) }
}
