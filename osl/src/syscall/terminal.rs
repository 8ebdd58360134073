//! ioctl: requests to the device or file behind a descriptor.
//!
//! Invariant: requests about the descriptor itself are answered here; all others go to the file, which refuses what it does not know.

use abi::Errno;
use abi::constant::O_NONBLOCK;
use abi::terminal::request;
use libkernel::address_space::{UserAddress, user};

use super::Caller;
use crate::error::errno;
use crate::file::OpenFile;
use crate::fs::Kind;

pub fn ioctl(caller: &mut Caller<'_>, fd: i32, request: u32, argument: UserAddress) -> Result<u64, Errno> {
    let files = caller.files();
    let open = files.get_usable(caller.cx, fd)?;
    match request {
        request::FIOCLEX | request::FIONCLEX => {
            files.set_close_on_exec(caller.cx, fd, request == request::FIOCLEX)?;
            Ok(0)
        }
        request::FIONBIO => {
            let on: i32 = user::copy_in_value(caller.cx, argument).map_err(errno)?;
            let flags = open.flags();
            open.set_flags(if on != 0 { flags | O_NONBLOCK } else { flags & !O_NONBLOCK });
            Ok(0)
        }
        request::FIONREAD if open.kind() == Some(Kind::Regular) => unread_bytes(caller, &open, argument),
        _ => open.file().control(caller.cx, request, argument),
    }
}

fn unread_bytes(caller: &mut Caller<'_>, open: &OpenFile, argument: UserAddress) -> Result<u64, Errno> {
    let size = open.attributes(caller.cx)?.size;
    let position = open.reposition(caller.cx, |_, position| Ok((position, position)))?;
    let unread = i32::try_from(size.saturating_sub(position)).unwrap_or(i32::MAX);
    user::copy_out_value(caller.cx, argument, &unread).map_err(errno)?;
    Ok(0)
}
