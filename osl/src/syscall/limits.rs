//! Limits and use of resources.
//!
//! Invariant: a process may be asked about or changed by itself, by a process of the same users and groups, and by the privileged.

use alloc::sync::Arc;

use abi::Errno;
use abi::process::{Rlimit, Tms, limit};
use libkernel::address_space::{UserAddress, user};
use libkernel::clock;

use super::Caller;
use crate::credentials::Credentials;
use crate::error::errno;
use crate::file::table::HARD_LIMIT;
use crate::process::{self, Process};

const NANOSECONDS_PER_TICK: u64 = 10_000_000;
const SELF: i32 = 0;
const CHILDREN: i32 = -1;
const THREAD: i32 = 1;

pub fn getrlimit(caller: &mut Caller<'_>, number: u32, at: UserAddress) -> Result<(), Errno> {
    let found = caller.task.process().limit(caller.cx, number).ok_or(Errno::EINVAL)?;
    user::copy_out_value(caller.cx, at, &found).map_err(errno)
}

pub fn setrlimit(caller: &mut Caller<'_>, number: u32, at: UserAddress) -> Result<(), Errno> {
    let new: Rlimit = user::copy_in_value(caller.cx, at).map_err(errno)?;
    let process = caller.process();
    set(caller, &process, number, new)
}

pub fn prlimit64(caller: &mut Caller<'_>, process: i32, number: u32, new: UserAddress, old: UserAddress) -> Result<(), Errno> {
    let wanted: Option<Rlimit> = match new.as_u64() {
        0 => None,
        _ => Some(user::copy_in_value(caller.cx, new).map_err(errno)?),
    };
    let process = match process {
        0 => caller.process(),
        _ => other(caller, process)?,
    };
    let before = process.limit(caller.cx, number).ok_or(Errno::EINVAL)?;
    if let Some(wanted) = wanted {
        set(caller, &process, number, wanted)?;
    }
    if old.as_u64() != 0 {
        user::copy_out_value(caller.cx, old, &before).map_err(errno)?;
    }
    Ok(())
}

fn other(caller: &mut Caller<'_>, number: i32) -> Result<Arc<Process>, Errno> {
    let found = process::find(caller.cx, number).ok_or(Errno::ESRCH)?;
    let theirs = found.credentials(caller.cx);
    let is_own = found.id() == caller.task.process().id();
    if is_own || may_change(&caller.credentials(), &theirs) { Ok(found) } else { Err(Errno::EPERM) }
}

pub(in crate::syscall) fn may_change(own: &Credentials, theirs: &Credentials) -> bool {
    let same_user = [theirs.uid, theirs.euid, theirs.suid].iter().all(|user| *user == own.uid);
    let same_group = [theirs.gid, theirs.egid, theirs.sgid].iter().all(|group| *group == own.gid);
    own.is_privileged() || same_user && same_group
}

fn set(caller: &mut Caller<'_>, process: &Process, number: u32, new: Rlimit) -> Result<(), Errno> {
    let privileged = caller.credentials().is_privileged();
    if number == limit::FILES && new.hard > HARD_LIMIT as u64 {
        return Err(Errno::EPERM);
    }
    process.set_limit(caller.cx, number, new, privileged)?;
    if matches!(number, limit::ADDRESS_SPACE | limit::DATA | limit::STACK) {
        tell_memory(caller, process);
    }
    Ok(())
}

/// The memory keeps its own copy of the limits that it checks.
fn tell_memory(caller: &mut Caller<'_>, process: &Process) {
    let Some(space) = process.space(caller.cx) else {
        return;
    };
    let limits = process.memory_limits(caller.cx);
    space.set_limits(caller.cx, limits);
}

pub fn getrusage(caller: &mut Caller<'_>, who: i32, at: UserAddress) -> Result<(), Errno> {
    let process = caller.task.process();
    let usage = match who {
        SELF => process.usage(caller.cx),
        CHILDREN => process.children_usage(caller.cx),
        THREAD => caller.task.usage(),
        _ => return Err(Errno::EINVAL),
    };
    user::copy_out_value(caller.cx, at, &usage.as_rusage()).map_err(errno)
}

fn ticks(nanoseconds: u64) -> i64 {
    i64::try_from(nanoseconds / NANOSECONDS_PER_TICK).unwrap_or(i64::MAX)
}

pub fn times(caller: &mut Caller<'_>, at: UserAddress) -> Result<i64, Errno> {
    if at.as_u64() != 0 {
        let process = caller.task.process();
        let (own, children) = (process.times(caller.cx), process.children_times(caller.cx));
        let answer = Tms {
            user: ticks(own.user_ns),
            system: ticks(own.system_ns),
            children_user: ticks(children.user_ns),
            children_system: ticks(children.system_ns),
        };
        user::copy_out_value(caller.cx, at, &answer).map_err(errno)?;
    }
    Ok(ticks(clock::now()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_user_program_is_not_changed_by_who_started_it() {
        let own = Credentials::of(1000, 1000);
        assert!(may_change(&own, &own));
        assert!(!may_change(&own, &Credentials { euid: 0, ..own.clone() }));
        assert!(may_change(&Credentials::root(), &own));
    }
}
