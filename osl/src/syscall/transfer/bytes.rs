//! read, write and their kin; sendfile and copy_file_range.
//!
//! Invariant: no call moves more than `LIMIT` bytes, so lengths never overflow; a broken pipe sends SIGPIPE exactly once.

use alloc::sync::Arc;
use alloc::vec::Vec;
use libkernel::memory::Room;

use abi::Errno;
use abi::constant::O_APPEND;
use abi::file::Iovec;
use abi::signal::{SIGPIPE, SignalInfo};
use libkernel::address_space::UserAddress;
use libkernel::address_space::user::{self, UserSlice};

use super::super::Caller;
use super::super::memory::USER_END;
use crate::error::errno;
use crate::file::OpenFile;
use crate::fs::Kind;
use crate::fs::buffer::{self, CHUNK, KernelSink, KernelSource, UserPieces};
use crate::process::signals;

/// The most bytes that one call moves (`MAX_RW_COUNT`).
pub const LIMIT: usize = 0x7fff_f000;
/// The most pieces of a scattered buffer (`UIO_MAXIOV`).
const PIECES: u32 = 1024;

/// All of it, if it lies in the user half: asked of what is empty, too.
fn whole(slice: UserSlice) -> Result<[Iovec; 1], Errno> {
    let piece = Iovec { base: slice.address().as_u64(), length: slice.length() as u64 };
    if is_in_user_half(piece.base, piece.length) { Ok([piece]) } else { Err(Errno::EFAULT) }
}

fn is_in_user_half(base: u64, length: u64) -> bool {
    base.checked_add(length).is_some_and(|end| end <= USER_END)
}

/// The pieces that a program lists, checked as Linux does: each no longer than a signed word says, and in the user half.
pub fn pieces_in(caller: &mut Caller<'_>, at: UserAddress, count: u32) -> Result<Vec<Iovec>, Errno> {
    let pieces = pieces_of_any(caller, at, count)?;
    let mut left = LIMIT as u64;
    for piece in &pieces {
        let length = piece.length.min(left);
        if !is_in_user_half(piece.base, length) {
            return Err(Errno::EFAULT);
        }
        left -= length;
    }
    Ok(pieces)
}

/// The same for pieces of another's memory.
pub fn pieces_of_any(caller: &mut Caller<'_>, at: UserAddress, count: u32) -> Result<Vec<Iovec>, Errno> {
    if count > PIECES {
        return Err(Errno::EINVAL);
    }
    let mut pieces = Vec::new();
    pieces.try_room_exact(usize::try_from(count).unwrap_or(0)).map_err(|_| Errno::ENOMEM)?;
    for index in 0..u64::from(count) {
        let place = at.as_u64().checked_add(index * 16).ok_or(Errno::EFAULT)?;
        let piece: Iovec = user::copy_in_value(caller.cx, UserAddress::new(place)).map_err(errno)?;
        i64::try_from(piece.length).map_err(|_| Errno::EINVAL)?;
        pieces.push(piece);
    }
    Ok(pieces)
}

fn offset_in(offset: i64) -> Result<u64, Errno> {
    u64::try_from(offset).map_err(|_| Errno::EINVAL)
}

pub fn read(caller: &mut Caller<'_>, fd: i32, slice: UserSlice) -> Result<usize, Errno> {
    let open = caller.files().get_usable(caller.cx, fd)?;
    open.check_read()?;
    open.read(caller.cx, &mut UserPieces::new(&whole(slice)?, LIMIT))
}

pub fn readv(caller: &mut Caller<'_>, fd: i32, at: UserAddress, count: u32) -> Result<usize, Errno> {
    let open = caller.files().get_usable(caller.cx, fd)?;
    open.check_read()?;
    let pieces = pieces_in(caller, at, count)?;
    open.read(caller.cx, &mut UserPieces::new(&pieces, LIMIT))
}

pub fn pread64(caller: &mut Caller<'_>, fd: i32, slice: UserSlice, offset: i64) -> Result<usize, Errno> {
    let offset = offset_in(offset)?;
    let open = caller.files().get_usable(caller.cx, fd)?;
    open.check_read_at()?;
    open.read_at(caller.cx, offset, &mut UserPieces::new(&whole(slice)?, LIMIT))
}

pub fn preadv(caller: &mut Caller<'_>, fd: i32, at: UserAddress, count: u32, offset: i64) -> Result<usize, Errno> {
    let offset = offset_in(offset)?;
    let open = caller.files().get_usable(caller.cx, fd)?;
    let pieces = pieces_in(caller, at, count)?;
    open.read_at(caller.cx, offset, &mut UserPieces::new(&pieces, LIMIT))
}

pub fn write(caller: &mut Caller<'_>, fd: i32, slice: UserSlice) -> Result<usize, Errno> {
    let open = caller.files().get_usable(caller.cx, fd)?;
    open.check_write()?;
    let written = open.write(caller.cx, &mut UserPieces::new(&whole(slice)?, LIMIT));
    signal_broken_pipe(caller, &open, written)
}

pub fn writev(caller: &mut Caller<'_>, fd: i32, at: UserAddress, count: u32) -> Result<usize, Errno> {
    let open = caller.files().get_usable(caller.cx, fd)?;
    open.check_write()?;
    let pieces = pieces_in(caller, at, count)?;
    let written = open.write(caller.cx, &mut UserPieces::new(&pieces, LIMIT));
    signal_broken_pipe(caller, &open, written)
}

pub fn pwrite64(caller: &mut Caller<'_>, fd: i32, slice: UserSlice, offset: i64) -> Result<usize, Errno> {
    let offset = offset_in(offset)?;
    let open = caller.files().get_usable(caller.cx, fd)?;
    open.check_write_at()?;
    open.write_at(caller.cx, offset, &mut UserPieces::new(&whole(slice)?, LIMIT))
}

pub fn pwritev(caller: &mut Caller<'_>, fd: i32, at: UserAddress, count: u32, offset: i64) -> Result<usize, Errno> {
    let offset = offset_in(offset)?;
    let open = caller.files().get_usable(caller.cx, fd)?;
    let pieces = pieces_in(caller, at, count)?;
    open.write_at(caller.cx, offset, &mut UserPieces::new(&pieces, LIMIT))
}

pub fn preadv2(caller: &mut Caller<'_>, fd: i32, at: UserAddress, count: u32, offset: i64, flags: u32) -> Result<usize, Errno> {
    if flags != 0 {
        return Err(Errno::EOPNOTSUPP);
    }
    if offset == -1 { readv(caller, fd, at, count) } else { preadv(caller, fd, at, count, offset) }
}

pub fn pwritev2(caller: &mut Caller<'_>, fd: i32, at: UserAddress, count: u32, offset: i64, flags: u32) -> Result<usize, Errno> {
    if flags != 0 {
        return Err(Errno::EOPNOTSUPP);
    }
    if offset == -1 { writev(caller, fd, at, count) } else { pwritev(caller, fd, at, count, offset) }
}

/// A write that found nobody to read.
pub fn signal_broken_pipe(caller: &mut Caller<'_>, open: &OpenFile, written: Result<usize, Errno>) -> Result<usize, Errno> {
    if written == Err(Errno::EPIPE) && open.file().signals_broken_pipe() {
        let sender = SignalInfo::new(SIGPIPE, 0).with_sender(caller.process().id(), caller.credentials().uid);
        signals::send_to_task(caller.cx, &caller.task, sender);
    }
    written
}

/// One side of a copy between files: the file, and the place to use instead of its position.
struct Side {
    open: Arc<OpenFile>,
    at: Option<u64>,
}

impl Side {
    fn new(caller: &mut Caller<'_>, fd: i32, offset: UserAddress) -> Result<Self, Errno> {
        let open = caller.files().get_usable(caller.cx, fd)?;
        let at = if offset.as_u64() == 0 {
            None
        } else {
            let offset: i64 = user::copy_in_value(caller.cx, offset).map_err(errno)?;
            Some(offset_in(offset)?)
        };
        Ok(Self { open, at })
    }

    /// Writes the place that the copy reached back to the program.
    fn finish(&self, caller: &mut Caller<'_>, offset: UserAddress) -> Result<(), Errno> {
        let Some(at) = self.at else { return Ok(()) };
        user::copy_out_value(caller.cx, offset, &at.cast_signed()).map_err(errno)
    }

    fn read(&mut self, caller: &mut Caller<'_>, bytes: &mut Vec<u8>, limit: usize) -> Result<usize, Errno> {
        bytes.clear();
        let sink = &mut KernelSink::new(bytes, limit);
        let Some(at) = self.at else { return self.open.read(caller.cx, sink) };
        let count = self.open.read_at(caller.cx, at, sink)?;
        self.at = Some(at.saturating_add(count as u64));
        Ok(count)
    }

    fn write(&mut self, caller: &mut Caller<'_>, bytes: &[u8]) -> Result<usize, Errno> {
        let source = &mut KernelSource(bytes);
        let Some(at) = self.at else { return self.open.write(caller.cx, source) };
        let count = self.open.write_at(caller.cx, at, source)?;
        self.at = Some(at.saturating_add(count as u64));
        Ok(count)
    }

    /// Takes back the last bytes of a read that could not be written.
    fn unread(&mut self, caller: &mut Caller<'_>, count: usize) {
        let count = count as u64;
        match &mut self.at {
            Some(at) => *at = at.saturating_sub(count),
            None if self.open.file().has_position() => {
                let _never_fails = self.open.reposition(caller.cx, |_, position| Ok((position.saturating_sub(count), ())));
            }
            None => {}
        }
    }
}

fn copy(caller: &mut Caller<'_>, from: &mut Side, to: &mut Side, count: usize) -> Result<usize, Errno> {
    let mut bytes = Vec::new();
    let mut done = 0;
    while done < count {
        let read = match from.read(caller, &mut bytes, (count - done).min(CHUNK)) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) => return buffer::partial(done, error),
        };
        let written = to.write(caller, &bytes);
        let moved = *written.as_ref().unwrap_or(&0);
        done += moved;
        if moved < read {
            from.unread(caller, read - moved);
            return written.map(|_| done).or_else(|error| buffer::partial(done, error));
        }
    }
    Ok(done)
}

pub fn sendfile(caller: &mut Caller<'_>, out: i32, input: i32, offset: UserAddress, count: usize) -> Result<usize, Errno> {
    let mut from = Side::new(caller, input, offset)?;
    let mut to = Side::new(caller, out, UserAddress::new(0))?;
    from.open.check_read()?;
    to.open.check_write()?;
    if !from.open.file().has_position() || to.open.flags() & O_APPEND != 0 {
        return Err(Errno::EINVAL);
    }
    let done = copy(caller, &mut from, &mut to, count.min(LIMIT));
    let done = signal_broken_pipe(caller, &to.open, done)?;
    from.finish(caller, offset)?;
    Ok(done)
}

pub fn copy_file_range(
    caller: &mut Caller<'_>,
    (input, input_offset): (i32, UserAddress),
    (out, out_offset): (i32, UserAddress),
    count: usize,
    flags: u32,
) -> Result<usize, Errno> {
    let mut from = Side::new(caller, input, input_offset)?;
    let mut to = Side::new(caller, out, out_offset)?;
    if flags != 0 {
        return Err(Errno::EINVAL);
    }
    for side in [&from, &to] {
        match side.open.kind() {
            Some(Kind::Regular) => {}
            Some(Kind::Directory) => return Err(Errno::EISDIR),
            _ => return Err(Errno::EINVAL),
        }
    }
    if !from.open.access().read || !to.open.access().write || to.open.flags() & O_APPEND != 0 {
        return Err(Errno::EBADF);
    }
    let done = copy(caller, &mut from, &mut to, count.min(LIMIT))?;
    from.finish(caller, input_offset)?;
    to.finish(caller, out_offset)?;
    Ok(done)
}
