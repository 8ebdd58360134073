//! sendmmsg and recvmmsg: several messages in one call.
//!
//! Invariant: what was sent or received before an error counts; the error is told by the next call, where it happens again.

use abi::Errno;
use abi::socket::{MULTIPLE_HEADER_BYTES, message};
use libkernel::address_space::{UserAddress, user};
use libkernel::clock;

use super::super::Caller;
use super::super::poll::{deadline_in, write_rest};
use super::ends::socket_of;
use super::message::{recvmsg, sendmsg};
use crate::error::errno;
use crate::fs::buffer::partial;

/// The most messages of one call.
const MOST: u32 = 1024;
/// Where in its header the length of a message is told.
const LENGTH: u64 = 56;

/// Acts on each header until `act` fails or says that it was the last.
fn each(
    caller: &mut Caller<'_>,
    headers: UserAddress,
    count: u32,
    mut act: impl FnMut(&mut Caller<'_>, UserAddress) -> Result<(usize, bool), Errno>,
) -> Result<usize, Errno> {
    let mut done = 0;
    for index in 0..u64::from(count.min(MOST)) {
        let at = UserAddress::new(headers.as_u64().wrapping_add(index.wrapping_mul(MULTIPLE_HEADER_BYTES)));
        let (length, is_last) = match act(caller, at) {
            Ok(acted) => acted,
            Err(error) => return partial(done, error),
        };
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        let told = user::copy_out_value(caller.cx, UserAddress::new(at.as_u64().wrapping_add(LENGTH)), &length).map_err(errno);
        if let Err(error) = told {
            return partial(done, error);
        }
        done += 1;
        if is_last {
            break;
        }
    }
    Ok(done)
}

pub fn sendmmsg(caller: &mut Caller<'_>, fd: i32, headers: UserAddress, count: u32, flags: u32) -> Result<usize, Errno> {
    socket_of(caller, fd)?;
    each(caller, headers, count, |caller, at| Ok((sendmsg(caller, fd, at, flags)?, false)))
}

pub fn recvmmsg(
    caller: &mut Caller<'_>,
    fd: i32,
    (headers, count): (UserAddress, u32),
    flags: u32,
    timeout: UserAddress,
) -> Result<usize, Errno> {
    let deadline = deadline_in(caller, timeout)?;
    socket_of(caller, fd)?;
    let mut flags = flags;
    let received = each(caller, headers, count, |caller, at| {
        let length = recvmsg(caller, fd, at, flags & !message::WAIT_FOR_ONE)?;
        if flags & message::WAIT_FOR_ONE != 0 {
            flags |= message::DONT_WAIT;
        }
        // The time is looked at after each message only.
        Ok((length, deadline.is_some_and(|deadline| deadline <= clock::now())))
    });
    write_rest(caller, timeout, deadline);
    received
}
