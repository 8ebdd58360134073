//! sched_setattr and sched_getattr: the extensible form of the same.
//!
//! Invariant: bytes beyond what this kernel knows must be zero, or the caller is told the size that it knows.

use alloc::vec;

use abi::Errno;
use abi::process::{SchedAttributes, policy};
use libkernel::address_space::{UserAddress, user};
use zerocopy::{FromBytes, IntoBytes};

use super::Caller;
use super::sched::{change, target};
use super::sched_rules::{self, Wanted};
use super::scheduling;
use crate::error::errno;

const KNOWN: usize = size_of::<SchedAttributes>();
const LARGEST: usize = 4096;

const FLAG_RESET_ON_FORK: u64 = 0x01;
const FLAG_KEEP_POLICY: u64 = 0x08;
const FLAG_KEEP_PARAMETERS: u64 = 0x10;

pub fn sched_setattr(caller: &mut Caller<'_>, thread: i32, at: UserAddress, flags: u32) -> Result<(), Errno> {
    if at.as_u64() == 0 || thread < 0 || flags != 0 {
        return Err(Errno::EINVAL);
    }
    let attributes = attributes_in(caller, at)?;
    let task = target(caller, thread)?;
    let now = scheduling::of(&task)?;
    let wanted = wanted(&attributes, &now)?;
    change(caller, &task, wanted)
}

pub fn sched_getattr(caller: &mut Caller<'_>, thread: i32, at: UserAddress, size: u32, flags: u32) -> Result<(), Errno> {
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    if at.as_u64() == 0 || thread < 0 || flags != 0 || !(KNOWN..=LARGEST).contains(&size) {
        return Err(Errno::EINVAL);
    }
    let task = target(caller, thread)?;
    let now = scheduling::of(&task)?;
    let attributes = SchedAttributes {
        size: u32::try_from(KNOWN).unwrap_or(0),
        policy: now.policy,
        flags: if now.reset_on_fork { FLAG_RESET_ON_FORK } else { 0 },
        nice: if sched_rules::is_real_time(now.policy) { 0 } else { now.nice },
        priority: now.priority,
        ..SchedAttributes::default()
    };
    user::copy_out_value(caller.cx, at, &attributes).map_err(errno)
}

/// The struct begins with its own size: shorter ones are older, longer ones may hold only zeros where we know nothing.
fn attributes_in(caller: &mut Caller<'_>, at: UserAddress) -> Result<SchedAttributes, Errno> {
    let size: u32 = user::copy_in_value(caller.cx, at).map_err(errno)?;
    let size = if size == 0 { KNOWN } else { usize::try_from(size).unwrap_or(usize::MAX) };
    if !(KNOWN..=LARGEST).contains(&size) {
        return too_large(caller, at);
    }
    let mut bytes = vec![0_u8; size];
    user::copy_in(caller.cx, at, &mut bytes).map_err(errno)?;
    let (known, beyond) = bytes.split_at_checked(KNOWN).ok_or(Errno::EINVAL)?;
    if beyond.iter().any(|&byte| byte != 0) {
        return too_large(caller, at);
    }
    SchedAttributes::read_from_bytes(known).map_err(|_| Errno::EINVAL)
}

fn too_large(caller: &mut Caller<'_>, at: UserAddress) -> Result<SchedAttributes, Errno> {
    let known = u32::try_from(KNOWN).unwrap_or(0);
    user::copy_out(caller.cx, at, known.as_bytes()).map_err(errno)?;
    Err(Errno::E2BIG)
}

fn wanted(attributes: &SchedAttributes, now: &Wanted) -> Result<Wanted, Errno> {
    let known_flags = FLAG_RESET_ON_FORK | FLAG_KEEP_POLICY | FLAG_KEEP_PARAMETERS;
    if attributes.flags & !known_flags != 0 || attributes.policy & policy::RESET_ON_FORK != 0 {
        return Err(Errno::EINVAL);
    }
    let keeps = |flag: u64| attributes.flags & flag != 0;
    let policy = if keeps(FLAG_KEEP_POLICY) { now.policy } else { attributes.policy };
    let (nice, priority) = if keeps(FLAG_KEEP_PARAMETERS) {
        (now.nice, now.priority)
    } else if sched_rules::is_real_time(policy) {
        (now.nice, attributes.priority)
    } else {
        (attributes.nice.clamp(-20, 19), attributes.priority)
    };
    Ok(Wanted { policy, nice, priority, reset_on_fork: keeps(FLAG_RESET_ON_FORK) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Wanted = Wanted { policy: policy::OTHER, nice: 3, priority: 0, reset_on_fork: false };

    #[test]
    fn keeping_the_policy_keeps_it() {
        let attributes = SchedAttributes { policy: policy::FIFO, flags: FLAG_KEEP_POLICY, nice: 99, ..Default::default() };
        assert_eq!(wanted(&attributes, &NOW), Ok(Wanted { nice: 19, ..NOW }));
    }

    #[test]
    fn an_unknown_flag_is_refused() {
        let attributes = SchedAttributes { flags: 0x8000, ..Default::default() };
        assert_eq!(wanted(&attributes, &NOW), Err(Errno::EINVAL));
    }

    #[test]
    fn real_time_keeps_the_nice_value_for_later() {
        let attributes = SchedAttributes { policy: policy::FIFO, priority: 7, nice: -9, ..Default::default() };
        assert_eq!(wanted(&attributes, &NOW), Ok(Wanted { policy: policy::FIFO, priority: 7, ..NOW }));
    }
}
