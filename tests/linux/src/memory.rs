//! Mappings, and what happens to those who touch them.

use crate::process::{Ended, in_a_child};
use crate::{Errno, call, done};

pub const PAGE: usize = 4096;
pub const READ: i32 = libc::PROT_READ;
pub const READ_WRITE: i32 = libc::PROT_READ | libc::PROT_WRITE;

/// An address where nothing is, in every process: below `vm.mmap_min_addr`.
pub const NOWHERE: usize = 0x10;

pub fn map(at: usize, length: usize, protection: i32, flags: i32, file: i32, offset: usize) -> Result<usize, Errno> {
    call!(SYS_mmap, at, length, protection, flags, file, offset)
}

/// Private memory of zeroes.
#[track_caller]
pub fn anonymous(pages: usize) -> usize {
    done("mmap", map(0, pages * PAGE, READ_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, 0))
}

pub fn unmap(at: usize, length: usize) -> Result<usize, Errno> {
    call!(SYS_munmap, at, length)
}

pub fn protect(at: usize, length: usize, protection: i32) -> Result<usize, Errno> {
    call!(SYS_mprotect, at, length, protection)
}

/// Reads a byte wherever it is; the program dies if nothing is there.
pub fn peek(at: usize) -> u8 {
    // SAFETY: the address is in a mapping of the caller's, or is meant to kill this process.
    unsafe { (at as *const u8).read_volatile() }
}

/// Reads a byte for the sake of it.
pub fn touch(at: usize) {
    let _whatever_is_there = peek(at);
}

/// Writes a byte wherever that is; the program dies if it may not.
pub fn poke(at: usize, value: u8) {
    // SAFETY: the address is in a mapping that only the caller uses, or is meant to kill this process.
    unsafe { (at as *mut u8).write_volatile(value) }
}

pub fn peek_word(at: usize) -> u64 {
    // SAFETY: as in `peek`.
    unsafe { (at as *const u64).read_volatile() }
}

pub fn poke_word(at: usize, value: u64) {
    // SAFETY: as in `poke`.
    unsafe { (at as *mut u64).write_volatile(value) }
}

/// How a child ends that does this.
#[track_caller]
pub fn fate_of(act: impl FnOnce()) -> Ended {
    in_a_child(|| {
        act();
        0
    })
}

/// Sees the bytes of a mapping of the caller's.
pub fn bytes(at: usize, length: usize) -> Vec<u8> {
    (at..at + length).map(peek).collect()
}
