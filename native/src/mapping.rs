//! Memory that is shared with others, mapped.
//!
//! Invariant: it is reached by whole atomic words or by copying only; no reference to it is ever handed out, since others may write.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::NonNull;
use std::sync::atomic::AtomicU32;

#[derive(Debug)]
pub struct Mapping {
    start: NonNull<u8>,
    length: usize,
}

// SAFETY: the memory is valid as long as the value, whichever thread has it; see the file's invariant for how it is reached.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps the first `length` bytes of a file, shared.
    pub fn of(fd: BorrowedFd<'_>, length: usize) -> io::Result<Self> {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice.
        let start = unsafe { libc::mmap(std::ptr::null_mut(), length, protection, libc::MAP_SHARED, fd.as_raw_fd(), 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        NonNull::new(start.cast()).map(|start| Mapping { start, length }).ok_or_else(|| io::Error::other("mapped at address zero"))
    }

    pub fn length(&self) -> usize {
        self.length
    }

    fn place(&self, at: usize, length: usize) -> NonNull<u8> {
        assert!(at.checked_add(length).is_some_and(|end| end <= self.length), "{length} bytes at {at} of {}", self.length);
        // SAFETY: inside the mapping, as was just checked.
        unsafe { self.start.add(at) }
    }

    /// The word at a multiple of four.
    pub fn word(&self, at: usize) -> &AtomicU32 {
        assert!(at.is_multiple_of(4), "a word at {at}");
        // SAFETY: valid, aligned (a mapping begins with a page) and as long-lived as the mapping; atomic words may be shared.
        unsafe { AtomicU32::from_ptr(self.place(at, 4).as_ptr().cast()) }
    }

    /// Copies out, byte for byte as they are found.
    pub fn read(&self, at: usize, into: &mut [u8]) {
        let from = self.place(at, into.len());
        for (index, byte) in into.iter_mut().enumerate() {
            // SAFETY: inside the mapping; volatile since others may write at the same time.
            *byte = unsafe { from.add(index).read_volatile() };
        }
    }

    /// Copies in.
    pub fn write(&self, at: usize, bytes: &[u8]) {
        let to = self.place(at, bytes.len());
        for (index, byte) in bytes.iter().enumerate() {
            // SAFETY: inside the mapping; volatile since others may read at the same time.
            unsafe { to.add(index).write_volatile(*byte) };
        }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: nothing borrows from the mapping any more, and it is ours.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.length) };
    }
}
