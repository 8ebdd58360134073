//! sched_setscheduler, sched_setaffinity, setpriority and their relatives: all with real effect.
//!
//! Invariant: a change is checked against the caller's rights before the thread sees any of it.

use alloc::sync::Arc;

use abi::Errno;
use abi::process::{SchedParameter, limit, policy};
use abi::time::Timespec;
use libkernel::address_space::{UserAddress, user};
use libkernel::sched;
use sync::{CpuSet, cpu};

use super::Caller;
use super::sched_rules::{self, Grants, Wanted};
use super::scheduling;
use crate::error::errno;
use crate::process::{self, Task};

const MASK_BYTES: usize = 8;

pub fn sched_yield(caller: &mut Caller<'_>) -> Result<(), Errno> {
    sched::yield_now(caller.cx);
    Ok(())
}

pub fn getcpu(caller: &mut Caller<'_>, cpu: UserAddress, node: UserAddress) -> Result<(), Errno> {
    let here = u32::try_from(libkernel::thread::current::of(caller.cx).last_cpu().index()).unwrap_or(0);
    if cpu.as_u64() != 0 {
        user::copy_out_value(caller.cx, cpu, &here).map_err(errno)?;
    }
    if node.as_u64() != 0 {
        user::copy_out_value(caller.cx, node, &0_u32).map_err(errno)?;
    }
    Ok(())
}

pub fn sched_setaffinity(caller: &mut Caller<'_>, thread: i32, length: usize, mask: UserAddress) -> Result<(), Errno> {
    let mut bytes = [0; MASK_BYTES];
    let given = length.min(MASK_BYTES);
    if let Some(part) = bytes.get_mut(..given) {
        user::copy_in(caller.cx, mask, part).map_err(errno)?;
    }
    let allowed = CpuSet::from_bits(u64::from_le_bytes(bytes)).intersect(cpu::online());
    let task = match target(caller, thread) {
        Err(Errno::ESRCH) if !allowed.is_empty() && is_over(caller, thread) => return Ok(()),
        found => found?,
    };
    owned(caller, &task)?;
    if allowed.is_empty() {
        return Err(Errno::EINVAL);
    }
    match task.thread() {
        Some(thread) => sched::set_affinity(caller.cx, &thread, allowed).map_err(errno),
        // It is on its way out.
        None => Ok(()),
    }
}

/// One whose first thread has ended, and that was not waited for: Linux takes its mask, which changes nothing any more.
fn is_over(caller: &mut Caller<'_>, thread: i32) -> bool {
    process::find(caller.cx, thread).is_some()
}

/// Gives back how many bytes of the mask were written.
pub fn sched_getaffinity(caller: &mut Caller<'_>, thread: i32, length: usize, mask: UserAddress) -> Result<usize, Errno> {
    if length < MASK_BYTES || !length.is_multiple_of(MASK_BYTES) {
        return Err(Errno::EINVAL);
    }
    let task = target(caller, thread)?;
    let allowed = scheduling::thread_of(&task)?.affinity().intersect(cpu::online());
    user::copy_out(caller.cx, mask, &allowed.bits().to_le_bytes()).map_err(errno)?;
    Ok(MASK_BYTES)
}

pub fn sched_setscheduler(caller: &mut Caller<'_>, thread: i32, policy: i32, parameter: UserAddress) -> Result<(), Errno> {
    let policy = u32::try_from(policy).map_err(|_| Errno::EINVAL)?;
    let parameter = parameter_in(caller, thread, parameter)?;
    let task = target(caller, thread)?;
    let wanted = Wanted {
        policy: policy & !policy::RESET_ON_FORK,
        priority: priority_in(parameter)?,
        reset_on_fork: policy & policy::RESET_ON_FORK != 0,
        nice: scheduling::of(&task)?.nice,
    };
    change(caller, &task, wanted)
}

pub fn sched_setparam(caller: &mut Caller<'_>, thread: i32, parameter: UserAddress) -> Result<(), Errno> {
    let parameter = parameter_in(caller, thread, parameter)?;
    let task = target(caller, thread)?;
    let wanted = Wanted { priority: priority_in(parameter)?, ..scheduling::of(&task)? };
    change(caller, &task, wanted)
}

pub fn sched_getscheduler(caller: &mut Caller<'_>, thread: i32) -> Result<u32, Errno> {
    let task = valid_target(caller, thread)?;
    let now = scheduling::of(&task)?;
    Ok(now.policy | if now.reset_on_fork { policy::RESET_ON_FORK } else { 0 })
}

pub fn sched_getparam(caller: &mut Caller<'_>, thread: i32, parameter: UserAddress) -> Result<(), Errno> {
    if parameter.as_u64() == 0 {
        return Err(Errno::EINVAL);
    }
    let task = valid_target(caller, thread)?;
    let priority = i32::try_from(scheduling::of(&task)?.priority).unwrap_or(0);
    user::copy_out_value(caller.cx, parameter, &SchedParameter { priority }).map_err(errno)
}

pub fn sched_get_priority_max(policy: i32) -> Result<u32, Errno> {
    let policy = u32::try_from(policy).map_err(|_| Errno::EINVAL)?;
    Ok(sched_rules::priorities(policy)?.1)
}

pub fn sched_get_priority_min(policy: i32) -> Result<u32, Errno> {
    let policy = u32::try_from(policy).map_err(|_| Errno::EINVAL)?;
    Ok(sched_rules::priorities(policy)?.0)
}

pub fn sched_rr_get_interval(caller: &mut Caller<'_>, thread: i32, interval: UserAddress) -> Result<(), Errno> {
    let task = valid_target(caller, thread)?;
    let slice = scheduling::turn_ns(&scheduling::of(&task)?);
    user::copy_out_value(caller.cx, interval, &Timespec::from_nanoseconds(slice)).map_err(errno)
}

fn parameter_in(caller: &mut Caller<'_>, thread: i32, at: UserAddress) -> Result<SchedParameter, Errno> {
    if at.as_u64() == 0 || thread < 0 {
        return Err(Errno::EINVAL);
    }
    user::copy_in_value(caller.cx, at).map_err(errno)
}

fn priority_in(parameter: SchedParameter) -> Result<u32, Errno> {
    u32::try_from(parameter.priority).map_err(|_| Errno::EINVAL)
}

/// The thread that a call names; 0 is the caller's own.
pub(super) fn target(caller: &mut Caller<'_>, thread: i32) -> Result<Arc<Task>, Errno> {
    match thread {
        0 => Ok(caller.task.clone()),
        _ => process::find_task(caller.cx, thread).ok_or(Errno::ESRCH),
    }
}

/// As `target`, for the calls that tell a negative number from one that nobody has.
fn valid_target(caller: &mut Caller<'_>, thread: i32) -> Result<Arc<Task>, Errno> {
    if thread < 0 { Err(Errno::EINVAL) } else { target(caller, thread) }
}

/// Refuses what belongs to someone else.
pub(super) fn owned(caller: &Caller<'_>, task: &Arc<Task>) -> Result<(), Errno> {
    let owner = task.credentials(caller.cx);
    if sched_rules::owns(&caller.credentials(), &owner) { Ok(()) } else { Err(Errno::EPERM) }
}

/// What the target's limits grant.
pub(super) fn grants(caller: &Caller<'_>, task: &Arc<Task>) -> Grants {
    let process = task.process();
    Grants { nice: process.soft_limit(caller.cx, limit::NICE), priority: process.soft_limit(caller.cx, limit::REAL_TIME_PRIORITY) }
}

/// Checks and makes one change.
pub(super) fn change(caller: &mut Caller<'_>, task: &Arc<Task>, wanted: Wanted) -> Result<(), Errno> {
    sched_rules::is_valid(&wanted)?;
    if !caller.credentials().is_privileged() {
        owned(caller, task)?;
        let now = scheduling::of(task)?;
        sched_rules::may_change(&now, &wanted, grants(caller, task))?;
    }
    scheduling::set(caller.cx, task, wanted)
}
