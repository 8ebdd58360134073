//! Record locks as programs ask for them: `man 2 fcntl`, "Advisory record locking".
//!
//! Invariant: a range is one of bytes that exist as numbers; whoever locks has opened the file for what the lock excludes others from.

use alloc::sync::Arc;

use abi::Errno;
use abi::constant::{
    F_GETLK, F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW, F_RDLCK, F_SETLK, F_SETLKW, F_UNLCK, F_WRLCK, SEEK_CUR, SEEK_END, SEEK_SET,
};
use abi::file::RecordLock as UserLock;
use libkernel::address_space::{UserAddress, user};

use super::super::Caller;
use crate::error::errno;
use crate::file::OpenFile;
use crate::file::record_locks::{self, LockOwner, RecordLock};

/// `fcntl` with one of these commands.
pub(super) fn record_lock(caller: &mut Caller<'_>, open: &Arc<OpenFile>, command: u32, at: UserAddress) -> Result<u64, Errno> {
    let wanted: UserLock = user::copy_in_value(caller.cx, at).map_err(errno)?;
    let node = open.file().node().ok_or(Errno::EINVAL)?.clone();
    let kind = u32::try_from(wanted.kind).map_err(|_| Errno::EINVAL)?;
    let (start, end) = range(caller, open, &wanted)?;
    let is_openings = matches!(command, F_OFD_GETLK | F_OFD_SETLK | F_OFD_SETLKW);
    if is_openings && wanted.process != 0 {
        return Err(Errno::EINVAL);
    }
    let (owner, process) = if is_openings { (LockOwner::of(open), -1) } else { (caller.files().lock_owner(), caller.process().id()) };
    let lock = RecordLock { owner, process, exclusive: kind == F_WRLCK, start, end };
    let file = node.identity();
    match (command, kind) {
        (F_GETLK | F_OFD_GETLK, F_RDLCK | F_WRLCK) => {
            let found = record_locks::conflict(caller.cx, file, &lock);
            tell(caller, at, wanted, found)?;
        }
        // Since Linux 6.6: what the opening itself has there.
        (F_OFD_GETLK, F_UNLCK) => {
            let found = record_locks::own(caller.cx, file, &lock);
            tell(caller, at, wanted, found)?;
        }
        (F_SETLK | F_SETLKW | F_OFD_SETLK | F_OFD_SETLKW, F_UNLCK) => record_locks::release(caller.cx, file, &lock),
        (F_SETLK | F_SETLKW | F_OFD_SETLK | F_OFD_SETLKW, F_RDLCK | F_WRLCK) => {
            let allowed = if lock.exclusive { open.access().write } else { open.access().read };
            if !allowed {
                return Err(Errno::EBADF);
            }
            record_locks::set(caller.cx, file, lock, matches!(command, F_SETLKW | F_OFD_SETLKW))?;
        }
        _ => return Err(Errno::EINVAL),
    }
    Ok(0)
}

/// Which lock is there, in the place of the one that was asked about.
fn tell(caller: &mut Caller<'_>, at: UserAddress, mut wanted: UserLock, found: Option<RecordLock>) -> Result<(), Errno> {
    match found {
        None => wanted.kind = i16::try_from(F_UNLCK).unwrap_or(0),
        Some(held) => {
            wanted.kind = i16::try_from(if held.exclusive { F_WRLCK } else { F_RDLCK }).unwrap_or(0);
            wanted.whence = 0;
            wanted.start = i64::try_from(held.start).unwrap_or(i64::MAX);
            wanted.length = if held.end == u64::MAX { 0 } else { i64::try_from(held.end - held.start).unwrap_or(0) };
            wanted.process = held.process;
        }
    }
    user::copy_out_value(caller.cx, at, &wanted).map_err(errno)
}

/// First byte and the one after the last, from a start and a length that may both be negative.
fn range(caller: &mut Caller<'_>, open: &Arc<OpenFile>, wanted: &UserLock) -> Result<(u64, u64), Errno> {
    let base = match u32::try_from(wanted.whence).map_err(|_| Errno::EINVAL)? {
        SEEK_SET => 0,
        SEEK_CUR => open.reposition(caller.cx, |_, position| Ok((position, position)))?,
        SEEK_END => open.attributes(caller.cx)?.size,
        _ => return Err(Errno::EINVAL),
    };
    let start = base.checked_add_signed(wanted.start).ok_or(Errno::EINVAL)?;
    match wanted.length {
        0 => Ok((start, u64::MAX)),
        length if length > 0 => Ok((start, start.checked_add_signed(length).ok_or(Errno::EOVERFLOW)?)),
        length => Ok((start.checked_add_signed(length).ok_or(Errno::EINVAL)?, start)),
    }
}
