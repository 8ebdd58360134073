//! A program's memory and descriptors, as an operation remembers them: the program that asked, whoever carries it out.
//!
//! Invariant: bytes go to and from the space that the operation was asked for in, by that space's own lock; when that program has
//! ended, or runs another, they go nowhere.

use alloc::sync::{Arc, Weak};

use abi::Errno;
use libkernel::address_space::{AddressSpace, UserAddress};
use sync::TaskContext;

use super::messages::Destination;
use crate::error::errno;
use crate::file::FileTable;
use crate::fs::buffer::{Sink, Source};

/// Whose buffers and descriptors an operation uses.
pub struct Owner {
    pub space: Weak<AddressSpace>,
    pub files: Weak<FileTable>,
    /// How many descriptors it may have.
    pub limit: u64,
}

impl Owner {
    /// Its descriptors; `EFAULT` when it is gone.
    pub fn destination(&self) -> Result<Destination, Errno> {
        Ok(Destination { files: self.files.upgrade().ok_or(Errno::EFAULT)?, limit: self.limit })
    }

    /// A stretch of its memory.
    pub fn stretch(&self, at: u64, length: usize) -> Result<Stretch, Errno> {
        Ok(Stretch { space: self.space.upgrade().ok_or(Errno::EFAULT)?, at, length })
    }
}

/// Part of some program's memory, used from front to back.
pub struct Stretch {
    space: Arc<AddressSpace>,
    at: u64,
    length: usize,
}

impl Stretch {
    fn advance(&mut self, length: usize) {
        self.at = self.at.wrapping_add(length as u64);
        self.length = self.length.saturating_sub(length);
    }
}

impl Sink for Stretch {
    fn remaining(&self) -> usize {
        self.length
    }

    fn put(&mut self, cx: &mut TaskContext, bytes: &[u8]) -> Result<(), Errno> {
        self.space.write(cx, UserAddress::new(self.at), bytes).map_err(errno)?;
        self.advance(bytes.len());
        Ok(())
    }
}

impl Source for Stretch {
    fn remaining(&self) -> usize {
        self.length
    }

    fn take(&mut self, cx: &mut TaskContext, into: &mut [u8]) -> Result<(), Errno> {
        self.space.read(cx, UserAddress::new(self.at), into).map_err(errno)?;
        self.advance(into.len());
        Ok(())
    }
}
