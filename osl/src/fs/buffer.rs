//! Where bytes go when a file is read, and where they come from when it is written.
//!
//! Invariant: a program's memory is copied, never referenced; a fault in a copy is an error value and moves nothing further.

use alloc::vec::Vec;
use core::ops::{Deref, DerefMut};
use libkernel::memory::Room;

use abi::Errno;
use abi::file::Iovec;
use libkernel::address_space::{UserAddress, user};
use sync::TaskContext;

use crate::error::errno;

/// The most bytes that are moved in one step through kernel memory.
pub const CHUNK: usize = 4096;
const PAGE: usize = 4096;

/// Takes the bytes of a read.
pub trait Sink {
    /// How many more bytes it takes.
    fn remaining(&self) -> usize;
    /// Takes bytes, at most `remaining()` of them. After an error, `remaining()` tells how many of them it took.
    fn put(&mut self, cx: &mut TaskContext, bytes: &[u8]) -> Result<(), Errno>;
}

/// Gives the bytes of a write.
pub trait Source {
    /// How many more bytes it has.
    fn remaining(&self) -> usize;
    /// Fills all of `into`, at most `remaining()` bytes. After an error, `remaining()` tells how many are there.
    fn take(&mut self, cx: &mut TaskContext, into: &mut [u8]) -> Result<(), Errno>;
}

/// Pieces of a program's memory, used from front to back.
#[derive(Debug)]
pub struct UserPieces<'a> {
    pieces: &'a [Iovec],
    used_of_first: u64,
    remaining: usize,
}

impl<'a> UserPieces<'a> {
    /// These pieces, but not more than `limit` bytes of them.
    pub fn new(pieces: &'a [Iovec], limit: usize) -> Self {
        let total = pieces.iter().fold(0u64, |sum, piece| sum.saturating_add(piece.length));
        Self { pieces, used_of_first: 0, remaining: usize::try_from(total).unwrap_or(usize::MAX).min(limit) }
    }

    /// The next stretch in one piece: address and length, at most `wanted` bytes.
    fn next(&mut self, wanted: usize) -> Option<(UserAddress, usize)> {
        while let Some((first, rest)) = self.pieces.split_first() {
            let left = first.length.saturating_sub(self.used_of_first);
            if left == 0 {
                self.pieces = rest;
                self.used_of_first = 0;
                continue;
            }
            let length = usize::try_from(left).unwrap_or(usize::MAX).min(wanted);
            return Some((UserAddress::new(first.base.wrapping_add(self.used_of_first)), length));
        }
        None
    }

    fn advance(&mut self, length: usize) {
        self.used_of_first = self.used_of_first.saturating_add(length as u64);
        self.remaining = self.remaining.saturating_sub(length);
    }
}

/// How much of a stretch is in its first page.
fn in_first_page(address: UserAddress, length: usize) -> usize {
    length.min(PAGE - (address.as_u64() % PAGE as u64) as usize)
}

impl UserPieces<'_> {
    /// A stretch that faulted: the pages before the fault are filled, and count.
    fn put_by_page(&mut self, cx: &mut TaskContext, mut at: UserAddress, mut bytes: &[u8]) -> Result<(), Errno> {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(in_first_page(at, bytes.len()));
            user::copy_out(cx, at, now).map_err(errno)?;
            self.advance(now.len());
            (at, bytes) = (at.checked_add(now.len() as u64).ok_or(Errno::EFAULT)?, later);
        }
        Ok(())
    }

    /// The same for one that was read.
    fn take_by_page(&mut self, cx: &mut TaskContext, mut at: UserAddress, into: &mut [u8]) -> Result<(), Errno> {
        let mut rest = into;
        while !rest.is_empty() {
            let length = in_first_page(at, rest.len());
            let (now, later) = rest.split_at_mut(length);
            user::copy_in(cx, at, now).map_err(errno)?;
            self.advance(length);
            (at, rest) = (at.checked_add(length as u64).ok_or(Errno::EFAULT)?, later);
        }
        Ok(())
    }
}

impl Sink for UserPieces<'_> {
    fn remaining(&self) -> usize {
        self.remaining
    }

    fn put(&mut self, cx: &mut TaskContext, mut bytes: &[u8]) -> Result<(), Errno> {
        while !bytes.is_empty() {
            let (address, length) = self.next(bytes.len()).ok_or(Errno::EFAULT)?;
            let (now, later) = bytes.split_at(length);
            if user::copy_out(cx, address, now).is_err() {
                return self.put_by_page(cx, address, now);
            }
            self.advance(length);
            bytes = later;
        }
        Ok(())
    }
}

impl Source for UserPieces<'_> {
    fn remaining(&self) -> usize {
        self.remaining
    }

    fn take(&mut self, cx: &mut TaskContext, into: &mut [u8]) -> Result<(), Errno> {
        let mut rest = into;
        while !rest.is_empty() {
            let (address, length) = self.next(rest.len()).ok_or(Errno::EFAULT)?;
            let (now, later) = rest.split_at_mut(length);
            if user::copy_in(cx, address, now).is_err() {
                return self.take_by_page(cx, address, now);
            }
            self.advance(length);
            rest = later;
        }
        Ok(())
    }
}

/// A kernel buffer that a file is read into.
#[derive(Debug)]
pub struct KernelSink<'a> {
    bytes: &'a mut Vec<u8>,
    limit: usize,
}

impl<'a> KernelSink<'a> {
    /// Appends to `bytes` until it holds `limit` bytes.
    pub fn new(bytes: &'a mut Vec<u8>, limit: usize) -> Self {
        Self { bytes, limit }
    }
}

impl Sink for KernelSink<'_> {
    fn remaining(&self) -> usize {
        self.limit.saturating_sub(self.bytes.len())
    }

    fn put(&mut self, _cx: &mut TaskContext, bytes: &[u8]) -> Result<(), Errno> {
        self.bytes.try_room(bytes.len()).map_err(|_| Errno::ENOMEM)?;
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }
}

/// Kernel bytes that a file is written from.
#[derive(Debug)]
pub struct KernelSource<'a>(pub &'a [u8]);

impl Source for KernelSource<'_> {
    fn remaining(&self) -> usize {
        self.0.len()
    }

    fn take(&mut self, _cx: &mut TaskContext, into: &mut [u8]) -> Result<(), Errno> {
        let (now, later) = self.0.split_at_checked(into.len()).ok_or(Errno::EFAULT)?;
        into.copy_from_slice(now);
        self.0 = later;
        Ok(())
    }
}

/// What is moved most often fits in here.
const SMALL: usize = 128;

/// A kernel buffer for one step of a transfer; a small one needs no memory of its own.
pub enum Chunk {
    /// Its first bytes count.
    Small([u8; SMALL], usize),
    /// All of it counts.
    Large(Vec<u8>),
}

impl Deref for Chunk {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Small(bytes, length) => bytes.get(..*length).unwrap_or_default(),
            Self::Large(bytes) => bytes,
        }
    }
}

impl DerefMut for Chunk {
    fn deref_mut(&mut self) -> &mut [u8] {
        match self {
            Self::Small(bytes, length) => bytes.get_mut(..*length).unwrap_or_default(),
            Self::Large(bytes) => bytes,
        }
    }
}

/// A zeroed kernel buffer of at most `CHUNK` bytes for a transfer of `wanted`.
pub fn chunk(wanted: usize) -> Result<Chunk, Errno> {
    if wanted <= SMALL {
        return Ok(Chunk::Small([0; SMALL], wanted));
    }
    let length = wanted.min(CHUNK);
    let mut buffer = Vec::new();
    buffer.try_room_exact(length).map_err(|_| Errno::ENOMEM)?;
    buffer.resize(length, 0);
    Ok(Chunk::Large(buffer))
}

/// Ends a transfer: an error counts only when nothing was moved before it.
pub fn partial(done: usize, error: Errno) -> Result<usize, Errno> {
    if done > 0 { Ok(done) } else { Err(error) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(base: u64, length: u64) -> Iovec {
        Iovec { base, length }
    }

    #[test]
    fn pieces_are_used_in_order_and_empty_ones_are_passed_over() {
        let list = [piece(100, 3), piece(0, 0), piece(200, 5)];
        let mut pieces = UserPieces::new(&list, 7);
        assert_eq!(pieces.remaining, 7);
        assert_eq!(pieces.next(10).map(|(_, length)| length), Some(3));
        pieces.advance(3);
        assert_eq!(pieces.next(10).map(|(_, length)| length), Some(5));
        assert_eq!(pieces.remaining, 4);
    }

    #[test]
    fn a_buffer_is_as_long_as_wanted_up_to_one_step() {
        for (wanted, length) in [(0, 0), (1, 1), (SMALL, SMALL), (SMALL + 1, SMALL + 1), (CHUNK, CHUNK), (CHUNK + 1, CHUNK)] {
            let mut buffer = chunk(wanted).unwrap();
            buffer.fill(7);
            assert_eq!((buffer.len(), buffer.iter().all(|&byte| byte == 7)), (length, true), "{wanted}");
        }
    }

    #[test]
    fn lengths_that_overflow_together_do_not_wrap() {
        let list = [piece(0, u64::MAX), piece(0, u64::MAX)];
        assert_eq!(UserPieces::new(&list, 1 << 20).remaining, 1 << 20);
    }

    #[test]
    fn an_error_after_some_bytes_is_a_short_transfer() {
        assert_eq!(partial(5, Errno::EFAULT), Ok(5));
        assert_eq!(partial(0, Errno::EFAULT), Err(Errno::EFAULT));
    }
}
