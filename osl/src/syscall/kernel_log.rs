//! syslog: the kernel log, as `dmesg` reads it.
//!
//! Invariant: reading all is open to everyone, as on Linux by default; clearing and the rest are for the privileged.

use abi::Errno;
use libkernel::address_space::{UserAddress, user};
use libkernel::log;

use super::Caller;
use crate::error::errno;
use crate::kernel_log;

const CLOSE: i32 = 0;
const OPEN: i32 = 1;
const READ: i32 = 2;
const READ_ALL: i32 = 3;
const READ_AND_CLEAR: i32 = 4;
const CLEAR: i32 = 5;
const CONSOLE_OFF: i32 = 6;
const CONSOLE_ON: i32 = 7;
const CONSOLE_LEVEL: i32 = 8;
const SIZE_UNREAD: i32 = 9;
const SIZE_BUFFER: i32 = 10;

pub fn syslog(caller: &mut Caller<'_>, action: i32, at: UserAddress, length: i32) -> Result<usize, Errno> {
    if !matches!(action, READ_ALL | SIZE_BUFFER) && !caller.credentials().is_privileged() {
        return Err(Errno::EPERM);
    }
    match action {
        CLOSE | OPEN | CONSOLE_OFF | CONSOLE_ON | SIZE_UNREAD => Ok(0),
        READ | READ_ALL => read(caller, at, length),
        READ_AND_CLEAR => {
            let count = read(caller, at, length)?;
            kernel_log::clear();
            Ok(count)
        }
        CLEAR => {
            kernel_log::clear();
            Ok(0)
        }
        CONSOLE_LEVEL if (1..=8).contains(&length) => Ok(0),
        SIZE_BUFFER => Ok(log::KEPT_BYTES),
        _ => Err(Errno::EINVAL),
    }
}

fn read(caller: &mut Caller<'_>, at: UserAddress, length: i32) -> Result<usize, Errno> {
    let length = usize::try_from(length).map_err(|_| Errno::EINVAL)?;
    if at.as_u64() == 0 {
        return Err(Errno::EINVAL);
    }
    let text = kernel_log::text();
    let newest = kernel_log::newest_lines(&text, length);
    user::copy_out(caller.cx, at, newest).map_err(errno)?;
    Ok(newest.len())
}
