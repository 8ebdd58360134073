//! semget, semop, semtimedop, semctl: sets of semaphores that programs find by a number or a key.
//!
//! Invariant: operations and values are copied in, and checked, before the set is locked; what is told was copied under its lock.

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use abi::Errno;
use libkernel::address_space::{UserAddress, user};
use libkernel::wait::Deadline;
use zerocopy::IntoBytes;

use super::super::{Caller, poll};
use super::semaphore_text::{self as text, OperationText, SetText};
use crate::credentials::Credentials;
use crate::error::errno;
use crate::system_v::rights::{READ, WRITE};
use crate::system_v::segment::seconds;
use crate::system_v::semaphore_set::{MOST_VALUE, Operation, Set, State};
use crate::system_v::semaphores::{self, MOST_IN_A_SET, MOST_OPERATIONS, Wish};

const IPC_CREAT: u32 = 0o1000;
const IPC_EXCL: u32 = 0o2000;
const IPC_RMID: i32 = 0;
const IPC_SET: i32 = 1;
const IPC_STAT: i32 = 2;
const IPC_INFO: i32 = 3;
const GETPID: i32 = 11;
const GETVAL: i32 = 12;
const GETALL: i32 = 13;
const GETNCNT: i32 = 14;
const GETZCNT: i32 = 15;
const SETVAL: i32 = 16;
const SETALL: i32 = 17;
const SEM_STAT: i32 = 18;
const SEM_INFO: i32 = 19;
const SEM_STAT_ANY: i32 = 20;

pub fn semget(caller: &mut Caller<'_>, key: i32, length: i32, flags: u32) -> Result<i32, Errno> {
    let length = usize::try_from(length).ok().filter(|length| *length <= MOST_IN_A_SET).ok_or(Errno::EINVAL)?;
    let wish = Wish { key, length, mode: flags & 0o777, create: flags & IPC_CREAT != 0, exclusive: flags & IPC_EXCL != 0 };
    semaphores::find_or_make(caller.cx, &caller.credentials(), wish)
}

pub fn semop(caller: &mut Caller<'_>, number: i32, at: UserAddress, count: u32) -> Result<(), Errno> {
    semtimedop(caller, number, at, count, UserAddress::new(0))
}

pub fn semtimedop(caller: &mut Caller<'_>, number: i32, at: UserAddress, count: u32, timeout: UserAddress) -> Result<(), Errno> {
    let count = usize::try_from(count).map_err(|_| Errno::E2BIG)?;
    if count == 0 || number < 0 {
        return Err(Errno::EINVAL);
    }
    if count > MOST_OPERATIONS {
        return Err(Errno::E2BIG);
    }
    let mut texts = vec![OperationText::default(); count];
    user::copy_in(caller.cx, at, texts.as_mut_slice().as_mut_bytes()).map_err(errno)?;
    let deadline = Deadline(poll::deadline_in(caller, timeout)?);
    let operations: Vec<Operation> = texts.into_iter().map(OperationText::decode).collect();
    let set = semaphores::get(caller.cx, number)?;
    if operations.iter().any(|operation| usize::from(operation.index) >= set.length) {
        return Err(Errno::EFBIG);
    }
    let process = caller.process();
    if operations.iter().any(|operation| operation.is_undone) {
        process.undoes_operations.set();
    }
    let credentials = caller.credentials();
    semaphores::operate(caller.cx, &credentials, process.id(), &set, &operations, deadline)
}

pub fn semctl(caller: &mut Caller<'_>, number: i32, index: i32, command: i32, argument: u64) -> Result<i32, Errno> {
    if number < 0 {
        return Err(Errno::EINVAL);
    }
    let credentials = caller.credentials();
    let at = UserAddress::new(argument);
    match command {
        IPC_RMID => semaphores::remove(caller.cx, &credentials, number).map(|()| 0),
        IPC_SET => change(caller, &credentials, number, at),
        IPC_STAT => {
            let set = semaphores::get(caller.cx, number)?;
            tell(caller, Some(&credentials), &set, at).map(|_| 0)
        }
        SEM_STAT | SEM_STAT_ANY => {
            let set = semaphores::at(caller.cx, number.unsigned_abs())?;
            tell(caller, (command == SEM_STAT).then_some(&*credentials), &set, at)
        }
        IPC_INFO | SEM_INFO => information(caller, command == SEM_INFO, at),
        GETALL => get_all(caller, &credentials, number, at),
        SETALL => set_all(caller, &credentials, number, at),
        SETVAL => set_value(caller, &credentials, number, index, argument),
        GETVAL | GETPID | GETNCNT | GETZCNT => ask(caller, &credentials, number, index, command),
        _ => Err(Errno::EINVAL),
    }
}

fn allowed(state: &State, who: &Credentials, wanted: u32) -> Result<(), Errno> {
    if state.rights.allow(who, wanted) { Ok(()) } else { Err(Errno::EACCES) }
}

/// The index of a semaphore of the set.
fn index_in(set: &Set, index: i32) -> Result<u16, Errno> {
    u16::try_from(index).ok().filter(|index| usize::from(*index) < set.length).ok_or(Errno::EINVAL)
}

fn ask(caller: &mut Caller<'_>, who: &Credentials, number: i32, index: i32, command: i32) -> Result<i32, Errno> {
    let set = semaphores::get(caller.cx, number)?;
    semaphores::with(caller.cx, &set, |state| {
        allowed(state, who, READ)?;
        let index = index_in(&set, index)?;
        let semaphore = state.semaphores().get(usize::from(index)).ok_or(Errno::EINVAL)?;
        Ok(match command {
            GETVAL => semaphore.value,
            GETPID => semaphore.last,
            _ => i32::try_from(state.waiters(index, command == GETZCNT)).unwrap_or(i32::MAX),
        })
    })
}

fn set_value(caller: &mut Caller<'_>, who: &Credentials, number: i32, index: i32, argument: u64) -> Result<i32, Errno> {
    let value = argument as i32;
    if !(0..=MOST_VALUE).contains(&value) {
        return Err(Errno::ERANGE);
    }
    let set = semaphores::get(caller.cx, number)?;
    let index = index_in(&set, index)?;
    let process = caller.task.process().id();
    semaphores::with(caller.cx, &set, |state| {
        allowed(state, who, WRITE)?;
        state.set(index, &[value], process, seconds());
        Ok(0)
    })
}

fn get_all(caller: &mut Caller<'_>, who: &Credentials, number: i32, at: UserAddress) -> Result<i32, Errno> {
    let set = semaphores::get(caller.cx, number)?;
    let mut values: Vec<u16> = Vec::with_capacity(set.length);
    semaphores::with(caller.cx, &set, |state| {
        allowed(state, who, READ)?;
        values.extend(state.semaphores().iter().map(|semaphore| u16::try_from(semaphore.value).unwrap_or(u16::MAX)));
        Ok(())
    })?;
    user::copy_out(caller.cx, at, values.as_bytes()).map_err(errno)?;
    Ok(0)
}

fn set_all(caller: &mut Caller<'_>, who: &Credentials, number: i32, at: UserAddress) -> Result<i32, Errno> {
    let set = semaphores::get(caller.cx, number)?;
    semaphores::with(caller.cx, &set, |state| allowed(state, who, WRITE))?;
    let mut values = vec![0u16; set.length];
    user::copy_in(caller.cx, at, values.as_mut_slice().as_mut_bytes()).map_err(errno)?;
    let values: Vec<i32> = values.into_iter().map(i32::from).collect();
    if values.iter().any(|value| *value > MOST_VALUE) {
        return Err(Errno::ERANGE);
    }
    let process = caller.task.process().id();
    semaphores::with(caller.cx, &set, |state| {
        state.set(0, &values, process, seconds());
        Ok(0)
    })
}

fn change(caller: &mut Caller<'_>, who: &Credentials, number: i32, at: UserAddress) -> Result<i32, Errno> {
    let wish: SetText = user::copy_in_value(caller.cx, at).map_err(errno)?;
    let set = semaphores::get(caller.cx, number)?;
    semaphores::with(caller.cx, &set, |state| {
        if !state.rights.allow_control(who) {
            return Err(Errno::EPERM);
        }
        if wish.user == u32::MAX || wish.group == u32::MAX {
            return Err(Errno::EINVAL);
        }
        state.rights.change(wish.user, wish.group, wish.mode);
        state.changed_at = seconds();
        Ok(0)
    })
}

/// Answers the set's number.
fn tell(caller: &mut Caller<'_>, who: Option<&Credentials>, set: &Arc<Set>, at: UserAddress) -> Result<i32, Errno> {
    let told = semaphores::with(caller.cx, set, |state| {
        who.map_or(Ok(()), |who| allowed(state, who, READ))?;
        Ok(SetText::of(set, state))
    })?;
    user::copy_out_value(caller.cx, at, &told).map_err(errno)?;
    Ok(set.number)
}

/// Answers the highest place in use.
fn information(caller: &mut Caller<'_>, of_use: bool, at: UserAddress) -> Result<i32, Errno> {
    let list = semaphores::list(caller.cx);
    let in_use = of_use.then(|| (list.len(), list.iter().map(|(_, set)| set.length).sum()));
    user::copy_out_value(caller.cx, at, &text::information(in_use)).map_err(errno)?;
    Ok(list.last().and_then(|(place, _)| i32::try_from(*place).ok()).unwrap_or(0))
}
