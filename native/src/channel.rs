//! Channels: messages of four words and up to four descriptors, in one direction.
//!
//! Invariant: a descriptor in a message is lent to the send and owned by whoever received it.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use abi::native::{CLOSE_ON_EXEC, DO_NOT_BLOCK, Message as Raw, NO_FD};

use crate::call::{self, IPC_CREATE, IPC_RECEIVE, IPC_SEND, number_of};

/// What is sent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Message<'a> {
    /// What it is about, as the two ends agree.
    pub tag: u64,
    /// Three words.
    pub data: [u64; 3],
    /// Descriptors that the receiver gets copies of.
    pub handles: [Option<BorrowedFd<'a>>; 4],
}

/// What was received.
#[derive(Debug, Default)]
pub struct Received {
    /// What it is about.
    pub tag: u64,
    /// Three words.
    pub data: [u64; 3],
    /// Descriptors, owned from now on.
    pub handles: [Option<OwnedFd>; 4],
}

/// The end that sends.
#[derive(Debug)]
pub struct Sender(OwnedFd);

/// The end that receives.
#[derive(Debug)]
pub struct Receiver(OwnedFd);

/// Makes a channel. With capacity 0 a send waits for its receiver and hands it the CPU; else so many messages are kept.
pub fn channel(capacity: u32) -> io::Result<(Sender, Receiver)> {
    let mut ends = [NO_FD; 2];
    // SAFETY: the kernel writes two descriptors into `ends`.
    unsafe { call::call(IPC_CREATE, [ends.as_mut_ptr() as u64, u64::from(capacity), u64::from(CLOSE_ON_EXEC), 0, 0])? };
    // SAFETY: they have just been made, for us.
    let [send, receive] = ends.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
    Ok((Sender(send), Receiver(receive)))
}

impl<'a> Message<'a> {
    /// A message without descriptors.
    pub const fn new(tag: u64, data: [u64; 3]) -> Self {
        Message { tag, data, handles: [None; 4] }
    }

    /// The same with a descriptor more, in the first free place; dropped where there is none.
    #[must_use]
    pub fn with(mut self, handle: BorrowedFd<'a>) -> Self {
        if let Some(place) = self.handles.iter_mut().find(|place| place.is_none()) {
            *place = Some(handle);
        }
        self
    }

    pub(crate) fn as_raw(&self) -> Raw {
        let fds = self.handles.map(|handle| handle.map_or(NO_FD, |fd| fd.as_raw_fd()));
        Raw { tag: self.tag, data: self.data, fds }
    }
}

impl Received {
    /// Takes over the descriptors that the kernel has installed.
    ///
    /// # Safety
    /// The kernel has filled `raw` in a receive that succeeded, and nobody took them before.
    pub(crate) unsafe fn from_raw(raw: &Raw) -> Self {
        // SAFETY: the caller's promise.
        let handles = raw.fds.map(|fd| (fd >= 0).then(|| unsafe { OwnedFd::from_raw_fd(fd) }));
        Received { tag: raw.tag, data: raw.data, handles }
    }
}

impl Sender {
    /// Sends, and waits until there is room, or with capacity 0 until it is received. `EPIPE`: nobody can receive any more.
    pub fn send(&self, message: &Message<'_>) -> io::Result<()> {
        self.send_with(message, 0)
    }

    /// Sends if that does not wait, else `EAGAIN` (`ErrorKind::WouldBlock`).
    pub fn try_send(&self, message: &Message<'_>) -> io::Result<()> {
        self.send_with(message, DO_NOT_BLOCK)
    }

    fn send_with(&self, message: &Message<'_>, flags: u32) -> io::Result<()> {
        let raw = message.as_raw();
        // SAFETY: the message lives through the call.
        unsafe { call::call(IPC_SEND, [number_of(&self.0), &raw const raw as u64, u64::from(flags), 0, 0])? };
        Ok(())
    }
}

impl Receiver {
    /// Waits for a message. `EPIPE`: nobody can send any more, and all that was sent has been received.
    pub fn receive(&self) -> io::Result<Received> {
        self.receive_with(0)
    }

    /// A message if there is one, else `EAGAIN` (`ErrorKind::WouldBlock`).
    pub fn try_receive(&self) -> io::Result<Received> {
        self.receive_with(DO_NOT_BLOCK)
    }

    fn receive_with(&self, flags: u32) -> io::Result<Received> {
        let mut raw = Raw::default();
        // SAFETY: the message lives through the call.
        unsafe { call::call(IPC_RECEIVE, [number_of(&self.0), &raw mut raw as u64, u64::from(flags), 0, 0])? };
        // SAFETY: the call has succeeded.
        Ok(unsafe { Received::from_raw(&raw) })
    }
}

impl AsFd for Sender {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsFd for Receiver {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl From<OwnedFd> for Sender {
    /// For an end that came with a message. That it is one shows in the first send (`EINVAL` or `EBADF` if not).
    fn from(fd: OwnedFd) -> Self {
        Sender(fd)
    }
}

impl From<OwnedFd> for Receiver {
    /// For an end that came with a message. That it is one shows in the first receive.
    fn from(fd: OwnedFd) -> Self {
        Receiver(fd)
    }
}
