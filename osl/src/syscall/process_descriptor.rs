//! pidfd_open, pidfd_send_signal, pidfd_getfd: processes by descriptor.
//!
//! Invariant: a call through a descriptor reaches the process that was opened, or nobody.

use alloc::sync::Arc;

use abi::Errno;
use abi::constant::{O_CLOEXEC, O_NONBLOCK, O_RDWR};
use abi::signal::SignalInfo;
use libkernel::address_space::{UserAddress, user};

use super::{Caller, file, limits};
use crate::error::errno;
use crate::process::descriptor::ProcessDescriptor;
use crate::process::shared::{Process, Stage};
use crate::process::{find, find_task};
use crate::signal::send;

/// `PIDFD_SIGNAL_THREAD`, `PIDFD_SIGNAL_THREAD_GROUP`, `PIDFD_SIGNAL_PROCESS_GROUP`.
const TO_THREAD: u32 = 1;
const TO_PROCESS: u32 = 2;
const TO_GROUP: u32 = 4;

/// The process that a descriptor stands for, and whether asking it is not to wait.
pub fn process_of(caller: &mut Caller<'_>, fd: i32) -> Result<(Arc<Process>, bool), Errno> {
    let open = caller.files().get_usable(caller.cx, fd)?;
    let found = open.file().as_any().downcast_ref::<ProcessDescriptor>().ok_or(Errno::EBADF)?;
    Ok((found.process().clone(), open.flags() & O_NONBLOCK != 0))
}

pub fn pidfd_open(caller: &mut Caller<'_>, number: i32, flags: u32) -> Result<i32, Errno> {
    if flags & !O_NONBLOCK != 0 || number <= 0 {
        return Err(Errno::EINVAL);
    }
    let Some(process) = find(caller.cx, number) else {
        // A thread that is not its process's first has no process of its number.
        return Err(if find_task(caller.cx, number).is_some() { Errno::ENOENT } else { Errno::ESRCH });
    };
    file::install_new(caller, ProcessDescriptor::new(process), flags | O_RDWR | O_CLOEXEC)
}

pub fn pidfd_send_signal(caller: &mut Caller<'_>, fd: i32, signal: i32, information: UserAddress, flags: u32) -> Result<(), Errno> {
    if ![0, TO_THREAD, TO_PROCESS, TO_GROUP].contains(&flags) {
        return Err(Errno::EINVAL);
    }
    let (process, _) = process_of(caller, fd)?;
    let information: Option<SignalInfo> = match information.as_u64() {
        0 => None,
        _ => Some(user::copy_in_value(caller.cx, information).map_err(errno)?),
    };
    if information.is_some_and(|information| information.signal != signal) {
        return Err(Errno::EINVAL);
    }
    if process.stage() == Stage::Buried {
        return Err(Errno::ESRCH);
    }
    let (task, number) = (caller.task.clone(), process.id());
    match (flags, information) {
        (TO_GROUP, None) => send::kill(caller.cx, &task, number.checked_neg().ok_or(Errno::ESRCH)?, signal),
        (TO_THREAD, None) => send::kill_thread(caller.cx, &task, Some(number), number, signal),
        (TO_THREAD, Some(information)) => send::queue(caller.cx, &task, number, Some(number), signal, information),
        (_, information) => send::to_opened(caller.cx, &task, &process, signal, information),
    }
}

pub fn pidfd_getfd(caller: &mut Caller<'_>, fd: i32, theirs: i32, flags: u32) -> Result<i32, Errno> {
    if flags != 0 {
        return Err(Errno::EINVAL);
    }
    let (process, _) = process_of(caller, fd)?;
    let files = process.tasks(caller.cx).iter().find_map(|task| task.open_files(caller.cx)).ok_or(Errno::ESRCH)?;
    let is_own = process.id() == caller.task.process().id();
    if !is_own && !limits::may_change(&caller.credentials(), &process.credentials(caller.cx)) {
        return Err(Errno::EPERM);
    }
    let open = files.get(caller.cx, theirs)?;
    file::install(caller, open, true)
}
