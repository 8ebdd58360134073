//! shmget, shmat, shmdt, shmctl: segments of memory that programs find by a number or a key.
//!
//! Invariant: what is told to a program was copied under the table's lock, and is written to it after.

use abi::Errno;
use libkernel::address_space::{Backing, MapRequest, Placement, Protection, UserAddress, user};

use super::super::Caller;
use super::segment_text::{self as text, Change, SegmentText};
use crate::credentials::Credentials;
use crate::error::errno;
use crate::system_v::rights::{EXECUTE, READ, WRITE};
use crate::system_v::segment::seconds;
use crate::system_v::segments::{self, Which, Wish};

const PAGE: u64 = 4096;
const IPC_CREAT: u32 = 0o1000;
const IPC_EXCL: u32 = 0o2000;
const SHM_HUGETLB: u32 = 0o4000;
const SHM_RDONLY: u32 = 0o10000;
const SHM_RND: u32 = 0o20000;
const SHM_REMAP: u32 = 0o40000;
const SHM_EXEC: u32 = 0o100_000;
const IPC_RMID: i32 = 0;
const IPC_SET: i32 = 1;
const IPC_STAT: i32 = 2;
const IPC_INFO: i32 = 3;
const SHM_LOCK: i32 = 11;
const SHM_UNLOCK: i32 = 12;
const SHM_STAT: i32 = 13;
const SHM_INFO: i32 = 14;
const SHM_STAT_ANY: i32 = 15;

pub fn shmget(caller: &mut Caller<'_>, key: i32, bytes: u64, flags: u32) -> Result<i32, Errno> {
    if flags & SHM_HUGETLB != 0 {
        return Err(Errno::ENOMEM);
    }
    let credentials = caller.credentials();
    let wish = Wish { key, bytes, mode: flags & 0o777, create: flags & IPC_CREAT != 0, exclusive: flags & IPC_EXCL != 0 };
    let process = caller.task.process().id();
    segments::find_or_make(caller.cx, &credentials, process, wish)
}

pub fn shmat(caller: &mut Caller<'_>, number: i32, address: u64, flags: u32) -> Result<u64, Errno> {
    let address = match address {
        0 if flags & SHM_REMAP != 0 => return Err(Errno::EINVAL),
        unaligned if !unaligned.is_multiple_of(PAGE) && flags & SHM_RND == 0 => return Err(Errno::EINVAL),
        any => any & !(PAGE - 1),
    };
    let protection = Protection { read: true, write: flags & SHM_RDONLY == 0, execute: flags & SHM_EXEC != 0 };
    let wanted = READ | if protection.write { WRITE } else { 0 } | if protection.execute { EXECUTE } else { 0 };
    let credentials = caller.credentials();
    let attaching = segments::attach(caller.cx, &credentials, number, wanted)?;
    let placement = match (address, flags & SHM_REMAP != 0) {
        (0, _) => Placement::Anywhere(None),
        (at, true) => Placement::Fixed(UserAddress::new(at)),
        (at, false) => Placement::FixedNoReplace(UserAddress::new(at)),
    };
    let backing = Backing::Source { source: attaching.source(), first_page: 0, shared: true };
    let space = caller.space()?;
    let at = space.map(caller.cx, MapRequest { placement, length: attaching.length(), protection, backing });
    let at = at.map_err(|error| match errno(error) {
        Errno::EEXIST => Errno::EINVAL,
        other => other,
    })?;
    Ok(at.as_u64())
}

pub fn shmdt(caller: &mut Caller<'_>, address: u64) -> Result<(), Errno> {
    if !address.is_multiple_of(PAGE) {
        return Err(Errno::EINVAL);
    }
    let space = caller.space()?;
    space.detach(caller.cx, UserAddress::new(address)).map_err(errno)
}

pub fn shmctl(caller: &mut Caller<'_>, number: i32, command: i32, at: UserAddress) -> Result<i32, Errno> {
    if number < 0 || command < 0 {
        return Err(Errno::EINVAL);
    }
    let credentials = caller.credentials();
    match command {
        IPC_RMID => segments::remove(caller.cx, &credentials, number).map(|()| 0),
        IPC_SET => set(caller, &credentials, number, at).map(|()| 0),
        SHM_LOCK | SHM_UNLOCK => {
            let is_locked = command == SHM_LOCK;
            segments::change(caller.cx, &credentials, number, |facts| facts.is_locked = is_locked).map(|()| 0)
        }
        IPC_STAT => stat(caller, Some(&credentials), Which::Number(number), at).map(|_| 0),
        SHM_STAT => stat(caller, Some(&credentials), Which::Place(number.unsigned_abs()), at),
        SHM_STAT_ANY => stat(caller, None, Which::Place(number.unsigned_abs()), at),
        IPC_INFO | SHM_INFO => info(caller, command == SHM_INFO, at),
        _ => Err(Errno::EINVAL),
    }
}

fn set(caller: &mut Caller<'_>, credentials: &Credentials, number: i32, at: UserAddress) -> Result<(), Errno> {
    let wish: SegmentText = user::copy_in_value(caller.cx, at).map_err(errno)?;
    let Change { user, group, mode } = wish.change();
    if user == u32::MAX || group == u32::MAX {
        return Err(Errno::EINVAL);
    }
    let now = seconds();
    segments::change(caller.cx, credentials, number, |facts| {
        facts.rights.change(user, group, mode);
        facts.changed_at = now;
    })
}

fn stat(caller: &mut Caller<'_>, who: Option<&Credentials>, which: Which, at: UserAddress) -> Result<i32, Errno> {
    let (facts, uses) = segments::facts(caller.cx, who, which)?;
    user::copy_out_value(caller.cx, at, &SegmentText::of(&facts, uses)).map_err(errno)?;
    Ok(facts.number)
}

/// Answers the highest place in use.
fn info(caller: &mut Caller<'_>, of_use: bool, at: UserAddress) -> Result<i32, Errno> {
    let list = segments::list(caller.cx);
    let pages = list.iter().map(|(_, facts, _)| facts.bytes.div_ceil(PAGE)).sum();
    let in_memory = list.iter().map(|(_, _, uses)| uses.in_memory).sum();
    let told = if of_use {
        user::copy_out_value(caller.cx, at, &text::in_use(list.len() as u64, pages, in_memory))
    } else {
        user::copy_out_value(caller.cx, at, &text::limits())
    };
    told.map_err(errno)?;
    Ok(list.last().and_then(|(place, ..)| i32::try_from(*place).ok()).unwrap_or(0))
}
