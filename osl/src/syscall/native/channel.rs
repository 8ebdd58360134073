//! ipc_create, ipc_send, ipc_recv.
//!
//! Invariant: a call that fails has sent nothing, and leaves in the channel what it could not receive.

use alloc::sync::Arc;

use abi::Errno;
use abi::constant::{O_RDONLY, O_WRONLY};
use abi::native::{CLOSE_ON_EXEC, DO_NOT_BLOCK};
use abi::process::limit;
use libkernel::address_space::{UserAddress, user};

use super::super::{Caller, file, place};
use crate::error::{errno, restarting};
use crate::file::OpenFile;
use crate::native::channel::{self, FileChannel};
use crate::native::messages::{self, Destination};
use crate::native::{ReceiveEnd, SendEnd};

/// No channel buffers more.
const LARGEST: u32 = 4096;

pub fn create(caller: &mut Caller<'_>, at: UserAddress, capacity: u32, flags: u32) -> Result<(), Errno> {
    place::check_flags(flags, CLOSE_ON_EXEC)?;
    let capacity = usize::try_from(capacity).ok().filter(|_| capacity <= LARGEST).ok_or(Errno::EINVAL)?;
    let (sender, receiver) = channel::ends(capacity);
    let (sender, receiver) = (file::opened(caller, Arc::new(sender), O_WRONLY), file::opened(caller, Arc::new(receiver), O_RDONLY));
    file::install_pair(caller, at, [sender, receiver], flags & CLOSE_ON_EXEC != 0)
}

/// The channel that a descriptor sends into.
pub(super) fn sending(open: &OpenFile) -> Result<&Arc<FileChannel>, Errno> {
    open.file().as_any().downcast_ref().map(SendEnd::channel).ok_or(Errno::EBADF)
}

/// The channel that a descriptor receives from.
pub(super) fn receiving(open: &OpenFile) -> Result<&Arc<FileChannel>, Errno> {
    open.file().as_any().downcast_ref().map(ReceiveEnd::channel).ok_or(Errno::EBADF)
}

pub fn send(caller: &mut Caller<'_>, fd: i32, at: UserAddress, flags: u32) -> Result<(), Errno> {
    place::check_flags(flags, DO_NOT_BLOCK)?;
    let files = caller.files();
    let open = files.get(caller.cx, fd)?;
    let channel = sending(&open)?;
    let message = messages::copy_in(caller.cx, &files, at)?;
    channel.send(caller.cx, message, flags & DO_NOT_BLOCK == 0).map_err(restarting)
}

pub fn receive(caller: &mut Caller<'_>, fd: i32, at: UserAddress, flags: u32) -> Result<(), Errno> {
    place::check_flags(flags, DO_NOT_BLOCK)?;
    let files = caller.files();
    let open = files.get(caller.cx, fd)?;
    let channel = receiving(&open)?;
    let message = channel.receive(caller.cx, flags & DO_NOT_BLOCK == 0).map_err(restarting)?;
    let limit = if message.load.is_none() { 0 } else { caller.process().soft_limit(caller.cx, limit::FILES) };
    let write = |cx: &mut _, given: &_| user::copy_out_value(cx, at, given).map_err(errno);
    let answer = messages::deliver(caller.cx, &Destination { files, limit }, &message, write);
    if answer.is_err() {
        channel.give_back(caller.cx, message);
    }
    answer
}
