//! Notifications: one signal, one completion.
//!
//! Invariant: signals before the wait count as one.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use abi::native::CLOSE_ON_EXEC;

use crate::call::{self, NOTIFY, NOTIFY_CREATE, number_of};

/// A notification; wait for it with `Operation::WaitForNotification` on a port.
#[derive(Debug)]
pub struct Notification(OwnedFd);

impl Notification {
    /// One that was not signalled.
    pub fn new() -> io::Result<Self> {
        Ok(Notification(call::descriptor(NOTIFY_CREATE, [u64::from(CLOSE_ON_EXEC), 0, 0])?))
    }

    /// Ends the wait of whoever waits, or the next one's.
    pub fn notify(&self) -> io::Result<()> {
        call::plain(NOTIFY, [number_of(&self.0), 0, 0])?;
        Ok(())
    }
}

impl AsFd for Notification {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl From<OwnedFd> for Notification {
    /// For one that came with a message.
    fn from(fd: OwnedFd) -> Self {
        Notification(fd)
    }
}
