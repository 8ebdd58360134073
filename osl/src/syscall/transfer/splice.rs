//! splice, tee, vmsplice: bytes in and out of pipes.
//!
//! Invariant: one side at least is a pipe; what one side does not take stays on the other.

use abi::Errno;
use abi::constant::{O_APPEND, O_NONBLOCK};
use libkernel::address_space::{UserAddress, user};

use super::super::{Caller, place};
use super::bytes::{LIMIT, pieces_in, signal_broken_pipe};
use crate::error::errno;
use crate::file::file::Manner;
use crate::file::pipe::ATOMIC;
use crate::file::splice::{self, Side};
use crate::fs::buffer::UserPieces;
use crate::fs::node::Place;
use alloc::sync::Arc;

const MOVE: u32 = 1;
const NONBLOCK: u32 = 2;
const MORE: u32 = 4;
const GIFT: u32 = 8;
const FLAGS: u32 = MOVE | NONBLOCK | MORE | GIFT;

fn side(caller: &mut Caller<'_>, fd: i32) -> Result<Side, Errno> {
    Ok(Side { open: caller.files().get_usable(caller.cx, fd)?, at: None })
}

/// The place that a program names for a side: none for a pipe, and none for what has no places.
fn place_in(caller: &mut Caller<'_>, side: &mut Side, at: UserAddress) -> Result<(), Errno> {
    if at.as_u64() == 0 {
        return Ok(());
    }
    if side.pipe().is_some() {
        return Err(Errno::ESPIPE);
    }
    let offset: i64 = user::copy_in_value(caller.cx, at).map_err(errno)?;
    if !side.open.file().has_position() {
        return Err(Errno::EINVAL);
    }
    side.at = Some(u64::try_from(offset).map_err(|_| Errno::EINVAL)?);
    Ok(())
}

fn place_out(caller: &mut Caller<'_>, side: &Side, at: UserAddress) -> Result<(), Errno> {
    let Some(reached) = side.at else { return Ok(()) };
    user::copy_out_value(caller.cx, at, &reached.cast_signed()).map_err(errno)
}

pub fn splice(
    caller: &mut Caller<'_>,
    (input, input_at): (i32, UserAddress),
    (output, output_at): (i32, UserAddress),
    count: usize,
    flags: u32,
) -> Result<usize, Errno> {
    if count == 0 {
        return Ok(0);
    }
    place::check_flags(flags, FLAGS)?;
    let (mut from, mut to) = (side(caller, input)?, side(caller, output)?);
    place_in(caller, &mut from, input_at)?;
    place_in(caller, &mut to, output_at)?;
    from.open.check_read()?;
    to.open.check_write()?;
    let most = count.min(LIMIT);
    let nonblocking = flags & NONBLOCK != 0;
    let moved = match (from.pipe(), to.pipe()) {
        (None, None) => return Err(Errno::EINVAL),
        (Some(one), Some(other)) => {
            if Arc::ptr_eq(&one, &other) {
                return Err(Errno::EINVAL);
            }
            let never_waits = nonblocking || (from.open.flags() | to.open.flags()) & O_NONBLOCK != 0;
            splice::into_pipe(caller.cx, &mut from, &other, most, never_waits)
        }
        (None, Some(pipe)) => splice::into_pipe(caller.cx, &mut from, &pipe, most, nonblocking || to.open.manner().nonblocking),
        (Some(pipe), None) => {
            if to.open.flags() & O_APPEND != 0 {
                return Err(Errno::EINVAL);
            }
            splice::from_pipe(caller.cx, &pipe, &mut to, most, nonblocking || from.open.manner().nonblocking)
        }
    };
    let moved = signal_broken_pipe(caller, &to.open, moved)?;
    place_out(caller, &from, input_at)?;
    place_out(caller, &to, output_at)?;
    Ok(moved)
}

pub fn tee(caller: &mut Caller<'_>, input: i32, output: i32, count: usize, flags: u32) -> Result<usize, Errno> {
    place::check_flags(flags, FLAGS)?;
    if count == 0 {
        return Ok(0);
    }
    let (from, to) = (side(caller, input)?, side(caller, output)?);
    from.open.check_read()?;
    to.open.check_write()?;
    let (Some(one), Some(other)) = (from.pipe(), to.pipe()) else { return Err(Errno::EINVAL) };
    if Arc::ptr_eq(&one, &other) {
        return Err(Errno::EINVAL);
    }
    let nonblocking = flags & NONBLOCK != 0 || (from.open.flags() | to.open.flags()) & O_NONBLOCK != 0;
    let copied = splice::copy(caller.cx, &one, &other, count.min(LIMIT), nonblocking);
    signal_broken_pipe(caller, &to.open, copied)
}

pub fn vmsplice(caller: &mut Caller<'_>, fd: i32, at: UserAddress, count: u32, flags: u32) -> Result<usize, Errno> {
    place::check_flags(flags, FLAGS)?;
    let side = side(caller, fd)?;
    let pipe = side.pipe().ok_or(Errno::EBADF)?;
    let pieces = pieces_in(caller, at, count)?;
    let memory = &mut UserPieces::new(&pieces, LIMIT);
    let nonblocking = flags & NONBLOCK != 0 || side.open.manner().nonblocking;
    let total = crate::fs::buffer::Source::remaining(memory);
    if total == 0 {
        return Ok(0);
    }
    if !side.open.access().write {
        return side.open.file().read(caller.cx, 0, Manner { nonblocking }, memory);
    }
    let moved = loop {
        if let Err(error) = pipe.wait_for_room(caller.cx, total.min(ATOMIC), nonblocking) {
            break Err(error);
        }
        // As much as there is room for; others may have taken that meanwhile.
        match side.open.file().write(caller.cx, Place::End, Manner { nonblocking: true }, memory) {
            Err(Errno::EAGAIN) if !nonblocking => {}
            written => break written.map(|written| written.count),
        }
    };
    signal_broken_pipe(caller, &side.open, moved)
}
