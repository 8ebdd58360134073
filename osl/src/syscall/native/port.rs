//! io_create, io_submit, io_wait.
//!
//! Invariant: a completion leaves the port only when the program has it.

use alloc::sync::Arc;

use abi::Errno;
use abi::constant::O_RDWR;
use abi::native::{Completion, Submission};
use abi::process::limit;
use libkernel::address_space::{UserAddress, user};
use libkernel::error::KernelError;
use libkernel::ipc::{Finished, Taker};
use libkernel::wait::Deadline;
use sync::TaskContext;
use zerocopy::IntoBytes;

use super::super::{Caller, file, place};
use crate::error::errno;
use crate::file::OpenFile;
use crate::native::Port;
use crate::native::rings::completion;
use crate::native::space::Owner;
use crate::native::submit::Asker;

/// How many completions are copied at once.
const BATCH: usize = 32;

pub fn create(caller: &mut Caller<'_>, flags: u32) -> Result<i32, Errno> {
    place::check_flags(flags, 0)?;
    file::install_new(caller, Arc::new(Port::new()), O_RDWR)
}

/// The port that a descriptor is.
pub(super) fn port_of(open: &OpenFile) -> Result<&Port, Errno> {
    open.file().as_any().downcast_ref().ok_or(Errno::EBADF)
}

/// Does something as the program that calls.
pub(super) fn as_asker<R>(caller: &mut Caller<'_>, act: impl FnOnce(&mut TaskContext, &Asker<'_>) -> R) -> Result<R, Errno> {
    let (space, files) = (caller.space()?, caller.files());
    let limit = caller.process().soft_limit(caller.cx, limit::FILES);
    let owner = || Owner { space: Arc::downgrade(&space), files: Arc::downgrade(&files), limit };
    Ok(act(caller.cx, &Asker { files: &files, owner: &owner }))
}

pub fn submit(caller: &mut Caller<'_>, fd: i32, at: UserAddress, count: u32) -> Result<u32, Errno> {
    let open = caller.files().get_usable(caller.cx, fd)?;
    let port = port_of(&open)?;
    port.clear_spent(caller.cx);
    as_asker(caller, |cx, asker| {
        for index in 0..count {
            let entry = place_of::<Submission>(at, index).and_then(|at| user::copy_in_value(cx, at).map_err(errno));
            match entry {
                Ok(entry) if port.submit(cx, asker, &entry) => {}
                Err(error) if index == 0 => return Err(error),
                _ => return Ok(index),
            }
        }
        Ok(count)
    })?
}

/// Where the element with this number is.
fn place_of<T>(at: UserAddress, index: u32) -> Result<UserAddress, Errno> {
    let offset = u64::from(index).saturating_mul(size_of::<T>() as u64);
    at.as_u64().checked_add(offset).map(UserAddress::new).ok_or(Errno::EFAULT)
}

pub fn wait(caller: &mut Caller<'_>, fd: i32, out: UserAddress, most: u32, least: u32, nanoseconds: u64) -> Result<u32, Errno> {
    let open = caller.files().get_usable(caller.cx, fd)?;
    let port = port_of(&open)?;
    if least > most || port.core().has_ring(caller.cx) {
        return Err(Errno::EINVAL);
    }
    let deadline = if nanoseconds == 0 { Deadline::NEVER } else { Deadline::after(nanoseconds) };
    let taker = port.core().taker().map_err(errno)?;
    // Only who may take completions changes the mode: from here on it stays.
    if port.core().has_ring(caller.cx) {
        return Err(Errno::EINVAL);
    }
    let mut done = 0;
    loop {
        port.advance_all(caller.cx);
        let handed = hand_out(caller.cx, &taker, out, &mut done, most);
        port.clear_spent(caller.cx);
        match handed {
            Ok(()) if done < least => {}
            Err(error) if done == 0 => return Err(error),
            _ => return Ok(done),
        }
        match taker.wait(caller.cx, deadline) {
            Err(KernelError::TimedOut) => return Ok(done),
            Err(error) if done == 0 => return Err(errno(error)),
            Err(_) => return Ok(done),
            Ok(()) => {}
        }
    }
}

/// Copies completions to the program, behind the `done` that it has.
fn hand_out(cx: &mut TaskContext, taker: &Taker<'_>, out: UserAddress, done: &mut u32, most: u32) -> Result<(), Errno> {
    while *done < most {
        let mut found = [Finished::default(); BATCH];
        let room = usize::try_from(most - *done).unwrap_or(BATCH).min(BATCH);
        let count = taker.look(cx, found.get_mut(..room).unwrap_or_default());
        if count == 0 {
            break;
        }
        let completions = found.map(|finished| completion(&finished));
        let ready = completions.get(..count).unwrap_or_default();
        user::copy_out(cx, place_of::<Completion>(out, *done)?, ready.as_bytes()).map_err(errno)?;
        taker.handed_out(cx, count);
        *done += u32::try_from(count).unwrap_or(0);
    }
    Ok(())
}
