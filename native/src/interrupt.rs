//! Interrupt lines of devices that a program drives.
//!
//! Invariant: the line is masked but while someone waits for it.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::call::{self, IRQ_CREATE};

/// A device's line; wait for it with `Operation::WaitForInterrupt` on a port. Dropping it gives the line back.
#[derive(Debug)]
pub struct InterruptLine(OwnedFd);

impl InterruptLine {
    /// Takes a line by its number at the interrupt controllers. `EPERM` without privilege, `EBUSY` when it has an owner.
    pub fn take(line: u32) -> io::Result<Self> {
        Ok(InterruptLine(call::descriptor(IRQ_CREATE, [u64::from(line), 0, 0])?))
    }
}

impl AsFd for InterruptLine {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
