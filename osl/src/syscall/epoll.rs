//! epoll_create, epoll_ctl, epoll_wait.
//!
//! Invariant: a set never contains itself, at no depth, so looking at it ends.

use alloc::sync::Arc;

use abi::Errno;
use abi::constant::{
    EPOLL_CLOEXEC, EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD, EPOLLERR, EPOLLET, EPOLLEXCLUSIVE, EPOLLHUP, EPOLLIN, EPOLLOUT,
    EPOLLWAKEUP, O_RDWR,
};
use abi::poll::EpollEvent;
use libkernel::address_space::{UserAddress, user};

use super::poll::{after, deadline_in};
use super::{Caller, call_mask, file, place};
use crate::error::errno;
use crate::file::OpenFile;
use crate::file::epoll::EventSet;

const MILLISECOND: u64 = 1_000_000;
const EVENT: u64 = 12;
/// As many as fit below 2 GiB.
const MOST_EVENTS: usize = i32::MAX as usize / EVENT as usize;
/// How deep sets may stand in sets.
const DEPTH: u32 = 5;

pub fn epoll_create(caller: &mut Caller<'_>, size: i32) -> Result<i32, Errno> {
    if size <= 0 { Err(Errno::EINVAL) } else { epoll_create1(caller, 0) }
}

pub fn epoll_create1(caller: &mut Caller<'_>, flags: u32) -> Result<i32, Errno> {
    place::check_flags(flags, EPOLL_CLOEXEC)?;
    file::install_new(caller, Arc::new(EventSet::new()), flags | O_RDWR)
}

fn set_of(open: &Arc<OpenFile>) -> Result<&EventSet, Errno> {
    open.file().as_any().downcast_ref::<EventSet>().ok_or(Errno::EINVAL)
}

pub fn epoll_ctl(caller: &mut Caller<'_>, set: i32, operation: u32, fd: i32, event: UserAddress) -> Result<(), Errno> {
    let wanted: EpollEvent =
        if operation == EPOLL_CTL_DEL { EpollEvent::default() } else { user::copy_in_value(caller.cx, event).map_err(errno)? };
    let files = caller.files();
    let set_open = files.get_usable(caller.cx, set)?;
    let open = files.get_usable(caller.cx, fd)?;
    if !open.file().can_be_polled() {
        return Err(Errno::EPERM);
    }
    let set = set_of(&set_open)?;
    if Arc::ptr_eq(&set_open, &open) {
        return Err(Errno::EINVAL);
    }
    match operation {
        EPOLL_CTL_ADD => {
            check_exclusive(wanted.events, &open)?;
            check_no_loop(caller, &open, &set_open, DEPTH)?;
            set.add(caller.cx, fd, &open, wanted)
        }
        EPOLL_CTL_MOD if wanted.events & EPOLLEXCLUSIVE != 0 => Err(Errno::EINVAL),
        EPOLL_CTL_MOD => set.modify(caller.cx, fd, &open, wanted),
        EPOLL_CTL_DEL => set.remove(caller.cx, fd, &open),
        _ => Err(Errno::EINVAL),
    }
}

/// An exclusive watch takes few other words, and is of no set.
fn check_exclusive(events: u32, open: &OpenFile) -> Result<(), Errno> {
    const BESIDE: u32 = EPOLLEXCLUSIVE | EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET;
    let is_set = open.file().as_any().is::<EventSet>();
    if events & EPOLLEXCLUSIVE != 0 && (events & !BESIDE != 0 || is_set) { Err(Errno::EINVAL) } else { Ok(()) }
}

fn check_no_loop(caller: &mut Caller<'_>, inner: &Arc<OpenFile>, outer: &Arc<OpenFile>, depth: u32) -> Result<(), Errno> {
    for member in inner.file().members(caller.cx) {
        let left = depth.checked_sub(1).ok_or(Errno::ELOOP)?;
        if Arc::ptr_eq(&member, outer) {
            return Err(Errno::ELOOP);
        }
        check_no_loop(caller, &member, outer, left)?;
    }
    Ok(())
}

pub fn epoll_wait(caller: &mut Caller<'_>, set: i32, events: UserAddress, most: i32, timeout: i32) -> Result<usize, Errno> {
    let deadline = u64::try_from(timeout).ok().map(|timeout| after(timeout.saturating_mul(MILLISECOND)));
    wait_until(caller, set, events, most, deadline)
}

pub fn epoll_pwait(
    caller: &mut Caller<'_>,
    set: i32,
    (events, most): (UserAddress, i32),
    timeout: i32,
    signals: UserAddress,
    size: usize,
) -> Result<usize, Errno> {
    call_mask::begin(caller, signals, size)?;
    let answer = epoll_wait(caller, set, events, most, timeout);
    call_mask::end(caller, answer == Err(Errno::EINTR));
    answer
}

pub fn epoll_pwait2(
    caller: &mut Caller<'_>,
    set: i32,
    (events, most): (UserAddress, i32),
    timeout: UserAddress,
    signals: UserAddress,
    size: usize,
) -> Result<usize, Errno> {
    let deadline = deadline_in(caller, timeout)?;
    call_mask::begin(caller, signals, size)?;
    let answer = wait_until(caller, set, events, most, deadline);
    call_mask::end(caller, answer == Err(Errno::EINTR));
    answer
}

fn wait_until(caller: &mut Caller<'_>, set: i32, events: UserAddress, most: i32, deadline: Option<u64>) -> Result<usize, Errno> {
    let most = usize::try_from(most).ok().filter(|most| (1..=MOST_EVENTS).contains(most)).ok_or(Errno::EINVAL)?;
    let open = caller.files().get_usable(caller.cx, set)?;
    set_of(&open)?;
    let found = EventSet::wait(&open, caller.cx, most, deadline)?;
    for (event, index) in found.iter().zip(0u64..) {
        let place = events.as_u64().checked_add(index * EVENT).ok_or(Errno::EFAULT)?;
        user::copy_out_value(caller.cx, UserAddress::new(place), event).map_err(errno)?;
    }
    Ok(found.len())
}
