//! ioctl: requests to the device or file behind a descriptor; vhangup.
//!
//! Invariant: requests about the descriptor itself are answered here; all others go to the file, which refuses what it does not know.

use abi::Errno;
use abi::constant::{O_CLOEXEC, O_NOCTTY, O_NONBLOCK};
use abi::terminal::request;
use libkernel::address_space::{UserAddress, user};

use super::Caller;
use crate::error::errno;
use crate::file::OpenFile;
use crate::fs::Kind;
use crate::pseudo_fs::devpts;
use crate::tty::{MasterFile, Terminal, TerminalFile};

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
        request::TIOCGPTPEER => open_peer(caller, &open, argument.as_u64()),
        request::FIONREAD if open.kind() == Some(Kind::Regular) => unread_bytes(caller, &open, argument),
        _ => open.file().control(caller.cx, request, argument),
    }
}

/// A descriptor for the near end of the pseudo-terminal whose master this is, whatever stands at its path.
fn open_peer(caller: &mut Caller<'_>, open: &OpenFile, flags: u64) -> Result<u64, Errno> {
    let file = open.file().as_any();
    let refusal = if file.is::<TerminalFile>() { Errno::EIO } else { Errno::ENOTTY };
    let master = file.downcast_ref::<MasterFile>().ok_or(refusal)?;
    let flags = u32::try_from(flags).map_err(|_| Errno::EINVAL)?;
    let found = devpts::found(master.terminal())?;
    let file = TerminalFile::open(caller.cx, master.terminal(), &found.location.node, flags)?;
    let credentials = caller.task.credentials(caller.cx);
    let opened = OpenFile::new(file, flags & !(O_CLOEXEC | O_NOCTTY), Some(found), credentials);
    let fd = super::file::install(caller, opened, flags & O_CLOEXEC != 0)?;
    Ok(u64::from(fd.cast_unsigned()))
}

/// Hangs up the caller's own terminal.
pub fn vhangup(caller: &mut Caller<'_>) -> Result<u64, Errno> {
    if !caller.task.credentials(caller.cx).is_privileged() {
        return Err(Errno::EPERM);
    }
    let own = caller.task.process().relations(caller.cx).terminal;
    if let Some(terminal) = own.and_then(|own| own.as_any().downcast::<Terminal>().ok()) {
        terminal.hang_up();
    }
    Ok(0)
}

fn unread_bytes(caller: &mut Caller<'_>, open: &OpenFile, argument: UserAddress) -> Result<u64, Errno> {
    let size = open.attributes(caller.cx)?.size;
    let position = open.reposition(caller.cx, |_, position| Ok((position, position)))?;
    let unread = i32::try_from(size.saturating_sub(position)).unwrap_or(i32::MAX);
    user::copy_out_value(caller.cx, argument, &unread).map_err(errno)?;
    Ok(0)
}
