//! process_vm_readv, process_vm_writev: bytes between the caller's memory and another process's.
//!
//! Invariant: the other one's memory is reached with the rights that it has there itself; bytes stand in a buffer of the
//! kernel's between the two, so never are two spaces locked at once.

use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::Errno;
use abi::file::Iovec;
use libkernel::address_space::{AddressSpace, UserAddress, user};

use super::super::Caller;
use super::super::limits::may_change;
use super::bytes::{LIMIT, pieces_in, pieces_of_any};
use crate::fs::buffer;
use crate::process;

const PAGE: u64 = 4096;

/// Which way the bytes go.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    ToCaller,
    FromCaller,
}

/// Both lists, and how long they are.
pub struct Lists {
    pub own: (UserAddress, u32),
    pub theirs: (UserAddress, u32),
}

pub fn process_vm_readv(caller: &mut Caller<'_>, number: i32, lists: &Lists, flags: u64) -> Result<usize, Errno> {
    move_bytes(caller, number, lists, flags, Way::ToCaller)
}

pub fn process_vm_writev(caller: &mut Caller<'_>, number: i32, lists: &Lists, flags: u64) -> Result<usize, Errno> {
    move_bytes(caller, number, lists, flags, Way::FromCaller)
}

fn move_bytes(caller: &mut Caller<'_>, number: i32, lists: &Lists, flags: u64, way: Way) -> Result<usize, Errno> {
    if flags != 0 {
        return Err(Errno::EINVAL);
    }
    let mut own = Pieces::new(pieces_in(caller, lists.own.0, lists.own.1)?, LIMIT as u64);
    // Nothing to move is answered before anybody looks for the process, as on Linux.
    if own.next().is_none() {
        return Ok(0);
    }
    let mut theirs = Pieces::new(pieces_of_any(caller, lists.theirs.0, lists.theirs.1)?, u64::MAX);
    if theirs.next().is_none() {
        return Ok(0);
    }
    let space = space_of(caller, number)?;
    let mut buffer = buffer::chunk(PAGE as usize)?;
    let mut moved = 0;
    while let (Some((here, own_left)), Some((there, their_left))) = (own.next(), theirs.next()) {
        let length = own_left.min(their_left).min(PAGE - here % PAGE).min(PAGE - there % PAGE);
        let part = buffer.get_mut(..length as usize).unwrap_or_default();
        match exchange(caller, &space, here, there, part, way) {
            Ok(()) => moved += length as usize,
            Err(_) if moved > 0 => break,
            Err(error) => return Err(error),
        }
        own.advance(length);
        theirs.advance(length);
    }
    Ok(moved)
}

fn exchange(caller: &mut Caller<'_>, space: &AddressSpace, here: u64, there: u64, part: &mut [u8], way: Way) -> Result<(), Errno> {
    let (here, there) = (UserAddress::new(here), UserAddress::new(there));
    let done = match way {
        Way::ToCaller => space.read(caller.cx, there, part).and_then(|()| user::copy_out(caller.cx, here, part)),
        Way::FromCaller => user::copy_in(caller.cx, here, part).and_then(|()| space.write(caller.cx, there, part)),
    };
    // Whatever keeps a page away, Linux calls it a bad address here.
    done.map_err(|_| Errno::EFAULT)
}

/// The memory of a process that the caller might trace.
fn space_of(caller: &mut Caller<'_>, number: i32) -> Result<Arc<AddressSpace>, Errno> {
    let task = process::find_task(caller.cx, number).ok_or(Errno::ESRCH)?;
    let process = task.process();
    let is_own = process.id() == caller.task.process().id();
    let (own, theirs) = (caller.credentials(), process.credentials(caller.cx));
    let is_open = own.is_privileged() || process.dumpable.is_set();
    if !(is_own || is_open && may_change(&own, &theirs)) {
        return Err(Errno::EPERM);
    }
    process.space(caller.cx).ok_or(Errno::ESRCH)
}

/// What is left of a list.
struct Pieces {
    list: Vec<Iovec>,
    first: usize,
    used_of_first: u64,
    left: u64,
}

impl Pieces {
    const fn new(list: Vec<Iovec>, limit: u64) -> Self {
        Self { list, first: 0, used_of_first: 0, left: limit }
    }

    /// The next byte's address, and how many follow in one piece.
    fn next(&mut self) -> Option<(u64, u64)> {
        while let Some(piece) = self.list.get(self.first) {
            let left = (piece.length - self.used_of_first).min(self.left);
            if left > 0 {
                return Some((piece.base.wrapping_add(self.used_of_first), left));
            }
            self.first += 1;
            self.used_of_first = 0;
        }
        None
    }

    const fn advance(&mut self, length: u64) {
        self.used_of_first += length;
        self.left -= length;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn empty_pieces_are_passed_over_and_the_limit_ends_a_list() {
        let list = vec![Iovec { base: 1, length: 0 }, Iovec { base: 0x1000, length: 10 }, Iovec { base: 0x2000, length: 10 }];
        let mut pieces = Pieces::new(list, 15);
        assert_eq!(pieces.next(), Some((0x1000, 10)));
        pieces.advance(10);
        assert_eq!(pieces.next(), Some((0x2000, 5)));
        pieces.advance(5);
        assert_eq!(pieces.next(), None);
    }
}
