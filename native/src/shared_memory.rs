//! Memory with a handle, mapped by several programs.
//!
//! Invariant: its length is that of its making, rounded up to pages by the kernel.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::AtomicU32;

use abi::native::CLOSE_ON_EXEC;

use crate::call::{self, SHMEM_CREATE};
use crate::mapping::Mapping;

/// A handle on shared memory; it can be sent through a channel.
#[derive(Debug)]
pub struct SharedMemory(OwnedFd);

/// Shared memory in this program's address space.
#[derive(Debug)]
pub struct Mapped(Mapping);

impl SharedMemory {
    /// So many bytes, all zero.
    pub fn new(bytes: u64) -> io::Result<Self> {
        Ok(SharedMemory(call::descriptor(SHMEM_CREATE, [bytes, u64::from(CLOSE_ON_EXEC), 0])?))
    }

    /// Maps its first `length` bytes.
    pub fn map(&self, length: usize) -> io::Result<Mapped> {
        Mapping::of(self.0.as_fd(), length).map(Mapped)
    }
}

impl Mapped {
    /// How many bytes are mapped.
    pub fn length(&self) -> usize {
        self.0.length()
    }

    /// The word at a multiple of four, for programs to meet at.
    pub fn word(&self, at: usize) -> &AtomicU32 {
        self.0.word(at)
    }

    /// Copies out. What others write meanwhile may be seen in part.
    pub fn read(&self, at: usize, into: &mut [u8]) {
        self.0.read(at, into);
    }

    /// Copies in.
    pub fn write(&self, at: usize, bytes: &[u8]) {
        self.0.write(at, bytes);
    }
}

impl AsFd for SharedMemory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl From<OwnedFd> for SharedMemory {
    /// For memory that came with a message.
    fn from(fd: OwnedFd) -> Self {
        SharedMemory(fd)
    }
}
