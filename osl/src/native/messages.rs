//! Messages as programs write them, with descriptors, and as they travel, with files.
//!
//! Invariant: a message arrives whole, with all its descriptors, or not at all.

use alloc::boxed::Box;
use alloc::sync::Arc;

use abi::Errno;
use abi::native::{Message, NO_FD};
use arrayvec::ArrayVec;
use libkernel::address_space::{UserAddress, user};
use sync::TaskContext;

use super::channel::{FileMessage, Files, MOST_FILES};
use crate::error::errno;
use crate::file::in_flight::InFlight;
use crate::file::{FileTable, Promised};

/// The message with its descriptors looked up: all of them, or `EBADF`.
pub fn taken(cx: &TaskContext, files: &FileTable, message: &Message) -> Result<FileMessage, Errno> {
    let [first, second, third] = message.data;
    let words = [message.tag, first, second, third];
    if message.fds == [NO_FD; MOST_FILES] {
        return Ok(FileMessage { words, load: None });
    }
    let mut load: Files = Box::new([const { None }; MOST_FILES]);
    for (place, fd) in load.iter_mut().zip(message.fds) {
        if fd != NO_FD {
            *place = Some(InFlight::new(files.get(cx, fd)?));
        }
    }
    Ok(FileMessage { words, load: Some(load) })
}

/// Reads a message of the running program's.
pub fn copy_in(cx: &mut TaskContext, files: &FileTable, at: UserAddress) -> Result<FileMessage, Errno> {
    let message: Message = user::copy_in_value(cx, at).map_err(errno)?;
    taken(cx, files, &message)
}

/// The table that a message's files go to, and how many descriptors it may have.
pub struct Destination {
    pub files: Arc<FileTable>,
    pub limit: u64,
}

/// Gives the message to `write`, and then the files the descriptors that it names; if there are not enough of them or `write`
/// fails, none.
pub fn deliver(
    cx: &mut TaskContext,
    to: &Destination,
    message: &FileMessage,
    write: impl FnOnce(&mut TaskContext, &Message) -> Result<(), Errno>,
) -> Result<(), Errno> {
    let [tag, data @ ..] = message.words;
    let mut given = Message { tag, data, fds: [NO_FD; MOST_FILES] };
    let Some(load) = &message.load else { return write(cx, &given) };
    let mut promised = ArrayVec::<_, MOST_FILES>::new();
    for (place, fd) in load.iter().zip(&mut given.fds) {
        if let Some(open) = place.as_ref().and_then(InFlight::share) {
            let number = Promised::new(cx, &to.files, to.limit)?;
            *fd = number.fd();
            promised.push((number, open));
        }
    }
    write(cx, &given)?;
    promised.into_iter().for_each(|(number, open)| number.keep(cx, open, false));
    Ok(())
}
