//! The twelve calls, as they are.
//!
//! Invariant: the one place with a system call instruction behind it; every pointer given here lives through the call.

use std::io;

pub const IO_CREATE: i64 = 501;
pub const IO_SUBMIT: i64 = 502;
pub const IO_WAIT: i64 = 503;
pub const IRQ_CREATE: i64 = 504;
pub const IPC_CREATE: i64 = 505;
pub const IPC_SEND: i64 = 506;
pub const IPC_RECEIVE: i64 = 507;
pub const SHMEM_CREATE: i64 = 508;
pub const NOTIFY_CREATE: i64 = 509;
pub const NOTIFY: i64 = 510;
pub const IO_SETUP_RINGS: i64 = 511;
pub const IO_RING_ENTER: i64 = 512;

/// Makes a call.
///
/// # Safety
/// What the arguments point at is as the call wants it, and is the caller's to lend until the call returns, or for as long as the
/// operation that it begins is pending.
pub unsafe fn call(number: i64, arguments: [u64; 5]) -> io::Result<u64> {
    let [a, b, c, d, e] = arguments;
    // SAFETY: the caller's promise.
    let answer = unsafe { libc::syscall(number, a, b, c, d, e) };
    u64::try_from(answer).map_err(|_| io::Error::last_os_error())
}

/// A call whose arguments are plain numbers.
pub fn plain(number: i64, arguments: [u64; 3]) -> io::Result<u64> {
    let [a, b, c] = arguments;
    // SAFETY: used for calls only that take no pointers in these places.
    unsafe { call(number, [a, b, c, 0, 0]) }
}

/// A new descriptor, from a call that makes one.
pub fn descriptor(number: i64, arguments: [u64; 3]) -> io::Result<std::os::fd::OwnedFd> {
    use std::os::fd::FromRawFd;
    let fd = i32::try_from(plain(number, arguments)?).map_err(io::Error::other)?;
    // SAFETY: the kernel has just made it, for us.
    Ok(unsafe { std::os::fd::OwnedFd::from_raw_fd(fd) })
}

/// A descriptor as an argument.
pub fn number_of(fd: &impl std::os::fd::AsRawFd) -> u64 {
    u64::from(fd.as_raw_fd().cast_unsigned())
}
