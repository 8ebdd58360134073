//! prctl and arch_prctl: a process's smaller switches.
//!
//! Invariant: what is not known here is EINVAL, so that a program can tell.

use abi::Errno;
use abi::prctl::*;
use abi::process::arch;
use abi::signal::SIGNAL_COUNT;
use libkernel::address_space::{UserAddress, user};
use libkernel::thread::registers;

use super::Caller;
use crate::error::errno;
use crate::process::table::TREE;
use crate::process::task::NAME_BYTES;

/// The highest right that `PR_CAPBSET_READ` knows.
const LAST_RIGHT: u64 = 40;
const SLACK_NS: u64 = 50_000;

pub fn prctl(caller: &mut Caller<'_>, option: i32, words: [u64; 4]) -> Result<u64, Errno> {
    let [first, ..] = words;
    let at = UserAddress::new(first);
    let rest_is_zero = words.iter().skip(1).all(|word| *word == 0);
    match option.cast_unsigned() {
        PR_SET_NAME => set_name(caller, at)?,
        PR_GET_NAME => {
            let name = caller.task.name_bytes(caller.cx);
            user::copy_out(caller.cx, at, &name).map_err(errno)?;
        }
        PR_SET_PDEATHSIG => caller.task.death_signal.store(signal(first)?),
        PR_GET_PDEATHSIG => {
            let signal = caller.task.death_signal.load();
            user::copy_out_value(caller.cx, at, &signal).map_err(errno)?;
        }
        PR_SET_NO_NEW_PRIVS if first == 1 && rest_is_zero => caller.task.process().no_new_rights.set(),
        PR_GET_NO_NEW_PRIVS if first == 0 && rest_is_zero => {
            return Ok(u64::from(caller.task.process().no_new_rights.is_set()));
        }
        PR_SET_CHILD_SUBREAPER => set_adopts(caller, first != 0),
        PR_GET_CHILD_SUBREAPER => {
            let adopts = u32::from(adopts(caller));
            user::copy_out_value(caller.cx, at, &adopts).map_err(errno)?;
        }
        PR_SET_DUMPABLE => set_dumpable(caller, first)?,
        PR_GET_DUMPABLE => return Ok(u64::from(caller.task.process().dumpable.is_set())),
        PR_SET_KEEPCAPS if first <= 1 => {}
        PR_GET_KEEPCAPS | PR_GET_SECCOMP | PR_GET_TIMING | PR_GET_SECUREBITS => return Ok(0),
        PR_CAPBSET_READ if first <= LAST_RIGHT => return Ok(1),
        PR_SET_TIMERSLACK => {}
        PR_GET_TIMERSLACK => return Ok(SLACK_NS),
        PR_SET_THP_DISABLE if rest_is_zero => caller.space()?.refuse_large(caller.cx, first != 0),
        PR_GET_THP_DISABLE if first == 0 && rest_is_zero => return Ok(u64::from(caller.space()?.refuses_large(caller.cx))),
        PR_SET_VMA => {}
        PR_GET_TID_ADDRESS => {
            let address = caller.task.clear_child.load();
            user::copy_out_value(caller.cx, at, &address).map_err(errno)?;
        }
        _ => return Err(Errno::EINVAL),
    }
    Ok(0)
}

fn signal(number: u64) -> Result<u32, Errno> {
    u32::try_from(number).ok().filter(|signal| *signal <= SIGNAL_COUNT).ok_or(Errno::EINVAL)
}

fn set_name(caller: &mut Caller<'_>, at: UserAddress) -> Result<(), Errno> {
    let mut name = [0; NAME_BYTES];
    // Byte by byte to the end mark: the name may stand at the very end of what is mapped.
    for (offset, place) in (0u64..).zip(name.iter_mut().take(NAME_BYTES - 1)) {
        let from = at.as_u64().checked_add(offset).ok_or(Errno::EFAULT)?;
        *place = user::copy_in_value(caller.cx, UserAddress::new(from)).map_err(errno)?;
        if *place == 0 {
            break;
        }
    }
    caller.task.set_name(caller.cx, &name);
    Ok(())
}

fn set_adopts(caller: &mut Caller<'_>, adopts: bool) {
    let id = caller.task.process().id();
    if let Some(entry) = TREE.lock(caller.cx).entries.get_mut(&id) {
        entry.adopts = adopts;
    }
}

fn adopts(caller: &mut Caller<'_>) -> bool {
    let id = caller.task.process().id();
    TREE.lock(caller.cx).entries.get(&id).is_some_and(|entry| entry.adopts)
}

fn set_dumpable(caller: &Caller<'_>, value: u64) -> Result<(), Errno> {
    match value {
        0 => caller.task.process().dumpable.clear(),
        1 => caller.task.process().dumpable.set(),
        _ => return Err(Errno::EINVAL),
    }
    Ok(())
}

pub fn arch_prctl(caller: &mut Caller<'_>, code: u64, address: u64) -> Result<(), Errno> {
    let at = UserAddress::new(address);
    match code {
        arch::SET_FS => registers::set_fs_base(caller.cx, address).map_err(|_| Errno::EPERM),
        arch::SET_GS => registers::set_gs_base(caller.cx, address).map_err(|_| Errno::EPERM),
        arch::GET_FS => {
            let base = registers::fs_base(caller.cx);
            user::copy_out_value(caller.cx, at, &base).map_err(errno)
        }
        arch::GET_GS => {
            let base = registers::gs_base(caller.cx);
            user::copy_out_value(caller.cx, at, &base).map_err(errno)
        }
        _ => Err(Errno::EINVAL),
    }
}
