//! dup, fcntl, flock, pipe, eventfd: descriptors themselves.
//!
//! Invariant: a descriptor that another thread closes meanwhile stays usable for the call that looked it up.

mod record_lock;

use alloc::sync::Arc;

use abi::Errno;
use abi::constant::{
    EFD_CLOEXEC, EFD_NONBLOCK, EFD_SEMAPHORE, F_ADD_SEALS, F_DUPFD, F_DUPFD_CLOEXEC, F_GET_SEALS, F_GETFD, F_GETFL, F_GETLK, F_GETOWN,
    F_GETPIPE_SZ, F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW, F_SETFD, F_SETFL, F_SETLK, F_SETLKW, F_SETPIPE_SZ, FD_CLOEXEC, LOCK_EX, LOCK_NB,
    LOCK_SH, LOCK_UN, O_CLOEXEC, O_DIRECT, O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY,
};
use abi::process::limit;
use libkernel::address_space::UserAddress;

use super::{Caller, file, memory_file, place};
use crate::file::OpenFile;
use crate::file::event::EventCounter;
use crate::file::pipe::{CAPACITY, PipeEnd};
use crate::file::pipe_node::PipeNode;
use crate::file::whole_locks::{self, Owner};

pub fn dup(caller: &mut Caller<'_>, fd: i32) -> Result<i32, Errno> {
    let open = caller.files().get(caller.cx, fd)?;
    file::install(caller, open, false)
}

pub fn dup2(caller: &mut Caller<'_>, old: i32, new: i32) -> Result<i32, Errno> {
    if old == new {
        caller.files().get(caller.cx, old)?;
        return Ok(new);
    }
    replace(caller, old, new, false)
}

pub fn dup3(caller: &mut Caller<'_>, old: i32, new: i32, flags: u32) -> Result<i32, Errno> {
    place::check_flags(flags, O_CLOEXEC)?;
    if old == new {
        return Err(Errno::EINVAL);
    }
    replace(caller, old, new, flags & O_CLOEXEC != 0)
}

fn replace(caller: &mut Caller<'_>, old: i32, new: i32, close_on_exec: bool) -> Result<i32, Errno> {
    let most = caller.process().soft_limit(caller.cx, limit::FILES);
    if u64::try_from(new).map_or(true, |new| new >= most) {
        return Err(Errno::EBADF);
    }
    let files = caller.files();
    let open = files.get(caller.cx, old)?;
    if let Some(before) = files.insert_at(caller.cx, open, close_on_exec, new, most)? {
        file::closed(caller, before);
    }
    Ok(new)
}

pub fn fcntl(caller: &mut Caller<'_>, fd: i32, command: u32, argument: u64) -> Result<u64, Errno> {
    let files = caller.files();
    let open = files.get(caller.cx, fd)?;
    let low = u32::try_from(argument & u64::from(u32::MAX)).unwrap_or(0);
    match command {
        F_DUPFD | F_DUPFD_CLOEXEC => {
            let most = caller.process().soft_limit(caller.cx, limit::FILES);
            let lowest = usize::try_from(low.cast_signed()).map_err(|_| Errno::EINVAL)?;
            if u64::from(low) >= most {
                return Err(Errno::EINVAL);
            }
            let new = files.insert(caller.cx, open, command == F_DUPFD_CLOEXEC, lowest, most)?;
            Ok(u64::from(new.cast_unsigned()))
        }
        F_GETFD => Ok(if files.is_close_on_exec(caller.cx, fd)? { u64::from(FD_CLOEXEC) } else { 0 }),
        F_SETFD => {
            files.set_close_on_exec(caller.cx, fd, low & FD_CLOEXEC != 0)?;
            Ok(0)
        }
        F_GETFL => Ok(u64::from(open.flags())),
        _ if open.is_path_only() => Err(Errno::EBADF),
        F_SETFL => {
            open.set_flags(low);
            Ok(0)
        }
        F_GETLK | F_SETLK | F_SETLKW | F_OFD_GETLK | F_OFD_SETLK | F_OFD_SETLKW => {
            record_lock::record_lock(caller, &open, command, UserAddress::new(argument))
        }
        F_GETOWN => Ok(0),
        F_ADD_SEALS => memory_file::add_seals(caller, &open, low),
        F_GET_SEALS => memory_file::seals(&open),
        F_GETPIPE_SZ if is_pipe(&open) => Ok(CAPACITY as u64),
        F_SETPIPE_SZ if is_pipe(&open) => {
            if u64::from(low) > CAPACITY as u64 {
                Err(Errno::EPERM)
            } else {
                Ok(CAPACITY as u64)
            }
        }
        _ => Err(Errno::EINVAL),
    }
}

fn is_pipe(open: &OpenFile) -> bool {
    open.file().as_any().is::<PipeEnd>()
}

pub fn flock(caller: &mut Caller<'_>, fd: i32, operation: u32) -> Result<(), Errno> {
    let open = caller.files().get_usable(caller.cx, fd)?;
    let node = open.file().node().ok_or(Errno::EINVAL)?;
    let (file, owner) = (node.identity(), Owner::of(&open));
    let wait = operation & LOCK_NB == 0;
    match operation & !LOCK_NB {
        LOCK_SH => whole_locks::set(caller.cx, file, owner, false, wait),
        LOCK_EX => whole_locks::set(caller.cx, file, owner, true, wait),
        LOCK_UN => {
            whole_locks::release(file, owner);
            Ok(())
        }
        _ => Err(Errno::EINVAL),
    }
}

pub fn pipe(caller: &mut Caller<'_>, at: UserAddress) -> Result<(), Errno> {
    pipe2(caller, at, 0)
}

pub fn pipe2(caller: &mut Caller<'_>, at: UserAddress, flags: u32) -> Result<(), Errno> {
    place::check_flags(flags, O_CLOEXEC | O_NONBLOCK | O_DIRECT)?;
    if flags & O_DIRECT != 0 {
        return Err(Errno::EINVAL);
    }
    let credentials = caller.credentials();
    let (reader, writer) = PipeNode::ends(caller.cx, &credentials);
    let reader = file::opened(caller, Arc::new(reader), flags | O_RDONLY);
    let writer = file::opened(caller, Arc::new(writer), flags | O_WRONLY);
    file::install_pair(caller, at, [reader, writer], flags & O_CLOEXEC != 0)
}

pub fn eventfd2(caller: &mut Caller<'_>, count: u32, flags: u32) -> Result<i32, Errno> {
    place::check_flags(flags, EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE)?;
    let counter = Arc::new(EventCounter::new(u64::from(count), flags & EFD_SEMAPHORE != 0));
    file::install_new(caller, counter, (flags & !EFD_SEMAPHORE) | O_RDWR)
}
