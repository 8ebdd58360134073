//! timerfd_create, timerfd_settime, timerfd_gettime, signalfd: files that stand for a time or for signals.
//!
//! Invariant: nothing is made or changed by a call that fails.

use alloc::sync::Arc;

use abi::Errno;
use abi::constant::{O_CLOEXEC, O_NONBLOCK, O_RDWR, TFD_CLOEXEC, TFD_NONBLOCK, TFD_TIMER_ABSTIME, TFD_TIMER_CANCEL_ON_SET};
use abi::time::{IntervalTimespec, clock as number};
use libkernel::address_space::{UserAddress, user};

use super::{Caller, file, place};
use crate::error::errno;
use crate::file::OpenFile;
use crate::file::timer::TimerFile;
use crate::process::signals::SignalSet;
use crate::signal::file::SignalFile;
use crate::timer_setting::Setting;

pub fn timerfd_create(caller: &mut Caller<'_>, clock: i32, flags: u32) -> Result<i32, Errno> {
    place::check_flags(flags, TFD_CLOEXEC | TFD_NONBLOCK)?;
    let is_wall = match clock {
        number::REALTIME | number::REALTIME_ALARM => true,
        number::MONOTONIC | number::BOOTTIME | number::BOOTTIME_ALARM => false,
        _ => return Err(Errno::EINVAL),
    };
    let wakes_machine = matches!(clock, number::REALTIME_ALARM | number::BOOTTIME_ALARM);
    if wakes_machine && !caller.credentials().is_privileged() {
        return Err(Errno::EPERM);
    }
    let timer = TimerFile::new(caller.cx, is_wall);
    file::install_new(caller, timer, flags | O_RDWR)
}

fn timer_of(open: &Arc<OpenFile>) -> Result<&TimerFile, Errno> {
    open.file().as_any().downcast_ref::<TimerFile>().ok_or(Errno::EINVAL)
}

pub fn timerfd_settime(caller: &mut Caller<'_>, fd: i32, flags: u32, new: UserAddress, old: UserAddress) -> Result<(), Errno> {
    let new: IntervalTimespec = user::copy_in_value(caller.cx, new).map_err(errno)?;
    place::check_flags(flags, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET)?;
    let new = Setting::of_timespecs(&new).ok_or(Errno::EINVAL)?;
    let open = caller.files().get_usable(caller.cx, fd)?;
    let before = timer_of(&open)?.set(caller.cx, flags & TFD_TIMER_ABSTIME != 0, flags & TFD_TIMER_CANCEL_ON_SET != 0, new);
    if old.as_u64() == 0 {
        return Ok(());
    }
    user::copy_out_value(caller.cx, old, &before.as_timespecs()).map_err(errno)
}

pub fn timerfd_gettime(caller: &mut Caller<'_>, fd: i32, result: UserAddress) -> Result<(), Errno> {
    let open = caller.files().get_usable(caller.cx, fd)?;
    let now = timer_of(&open)?.setting(caller.cx);
    user::copy_out_value(caller.cx, result, &now.as_timespecs()).map_err(errno)
}

pub fn signalfd(caller: &mut Caller<'_>, fd: i32, mask: UserAddress, size: usize, flags: u32) -> Result<i32, Errno> {
    if size != size_of::<u64>() {
        return Err(Errno::EINVAL);
    }
    let bits: u64 = user::copy_in_value(caller.cx, mask).map_err(errno)?;
    place::check_flags(flags, O_CLOEXEC | O_NONBLOCK)?;
    let wanted = SignalSet::from_bits(bits).blockable();
    if fd == -1 {
        return file::install_new(caller, Arc::new(SignalFile::new(wanted)), flags | O_RDWR);
    }
    let open = caller.files().get_usable(caller.cx, fd)?;
    let file = open.file().as_any().downcast_ref::<SignalFile>().ok_or(Errno::EINVAL)?;
    file.show(caller.cx, wanted);
    Ok(fd)
}
