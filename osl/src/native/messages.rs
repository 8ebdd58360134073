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
use crate::file::FileTable;
use crate::file::in_flight::InFlight;

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

/// Gives the files new descriptors and the message to `write`; if either fails, the descriptors are taken back.
pub fn deliver(
    cx: &mut TaskContext,
    to: &Destination,
    message: &FileMessage,
    write: impl FnOnce(&mut TaskContext, &Message) -> Result<(), Errno>,
) -> Result<(), Errno> {
    let [tag, data @ ..] = message.words;
    let mut given = Message { tag, data, fds: [NO_FD; MOST_FILES] };
    let Some(load) = &message.load else { return write(cx, &given) };
    let installed = install(cx, to, load, &mut given.fds);
    let answer = installed.and_then(|()| write(cx, &given));
    if answer.is_err() {
        let back: ArrayVec<_, MOST_FILES> =
            given.fds.into_iter().filter(|&fd| fd != NO_FD).filter_map(|fd| to.files.remove(cx, fd).ok()).collect();
        drop(back);
    }
    answer
}

fn install(cx: &TaskContext, to: &Destination, load: &Files, fds: &mut [i32; MOST_FILES]) -> Result<(), Errno> {
    for (place, fd) in load.iter().zip(fds) {
        if let Some(open) = place.as_ref().and_then(InFlight::share) {
            *fd = to.files.insert(cx, open, false, 0, to.limit)?;
        }
    }
    Ok(())
}
