//! Numbers of processes, threads, groups and sessions; and what a thread leaves word of for its end.
//!
//! Invariant: numbers come from the task and the tree; nothing a program writes anywhere changes them.

use abi::Errno;
use abi::process::RobustListHead;
use libkernel::address_space::{UserAddress, user};

use super::Caller;
use crate::error::errno;
use crate::process::{self, groups};

pub fn getpid(caller: &mut Caller<'_>) -> Result<i32, Errno> {
    Ok(caller.task.process().id())
}

pub fn gettid(caller: &mut Caller<'_>) -> Result<i32, Errno> {
    Ok(caller.task.id())
}

pub fn getppid(caller: &mut Caller<'_>) -> Result<i32, Errno> {
    Ok(caller.task.process().parent_id(caller.cx))
}

pub fn getpgrp(caller: &mut Caller<'_>) -> Result<i32, Errno> {
    getpgid(caller, 0)
}

pub fn getpgid(caller: &mut Caller<'_>, process: i32) -> Result<i32, Errno> {
    groups::group_of(caller.cx, caller.task.process(), process)
}

pub fn setpgid(caller: &mut Caller<'_>, process: i32, group: i32) -> Result<(), Errno> {
    groups::set_group(caller.cx, caller.task.process(), process, group)
}

pub fn getsid(caller: &mut Caller<'_>, process: i32) -> Result<i32, Errno> {
    groups::session_of(caller.cx, caller.task.process(), process)
}

pub fn setsid(caller: &mut Caller<'_>) -> Result<i32, Errno> {
    groups::begin_session(caller.cx, caller.task.process())
}

pub fn set_tid_address(caller: &mut Caller<'_>, address: UserAddress) -> Result<i32, Errno> {
    caller.task.clear_child.store(address.as_u64());
    Ok(caller.task.id())
}

pub fn set_robust_list(caller: &mut Caller<'_>, head: UserAddress, length: usize) -> Result<(), Errno> {
    if length != size_of::<RobustListHead>() {
        return Err(Errno::EINVAL);
    }
    caller.task.robust_list.store(head.as_u64());
    Ok(())
}

pub fn get_robust_list(caller: &mut Caller<'_>, thread: i32, head: UserAddress, length: UserAddress) -> Result<(), Errno> {
    let task = match thread {
        0 => caller.task.clone(),
        1.. => process::find_task(caller.cx, thread).ok_or(Errno::ESRCH)?,
        _ => return Err(Errno::ESRCH),
    };
    let own = caller.credentials();
    let theirs = task.credentials(caller.cx);
    if !own.is_privileged() && own.uid != theirs.uid {
        return Err(Errno::EPERM);
    }
    let address = task.robust_list.load();
    user::copy_out_value(caller.cx, length, &(size_of::<RobustListHead>() as u64)).map_err(errno)?;
    user::copy_out_value(caller.cx, head, &address).map_err(errno)
}
