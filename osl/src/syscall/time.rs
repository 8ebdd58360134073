//! clock_gettime, nanosleep and the other calls about time.
//!
//! Invariant: a sleep ends at its moment or with a signal, and then tells how much was left; a clock that is set wakes whoever
//! waits for a moment of it.

use abi::Errno;
use abi::time::{TIMER_ABSTIME, Timespec, Timeval, Timezone, clock as number};
use libkernel::address_space::{UserAddress, user};
use libkernel::clock;
use libkernel::error::KernelError;
use libkernel::wait::{self, Deadline};

use super::Caller;
use super::clocks::{self, Clock};
use crate::error::errno;
use crate::process::Restart;
use crate::wall_clock;

const SECOND_NS: u64 = 1_000_000_000;

pub fn clock_gettime(caller: &mut Caller<'_>, clock: i32, result: UserAddress) -> Result<(), Errno> {
    let now = clocks::read(caller, Clock::of(clock)?)?;
    user::copy_out_value(caller.cx, result, &Timespec::from_nanoseconds(now)).map_err(errno)
}

pub fn clock_getres(caller: &mut Caller<'_>, clock: i32, result: UserAddress) -> Result<(), Errno> {
    Clock::of(clock)?;
    if result.as_u64() == 0 {
        return Ok(());
    }
    let coarse = matches!(clock, number::REALTIME_COARSE | number::MONOTONIC_COARSE);
    let resolution = if coarse { 1_000_000 } else { 1 };
    user::copy_out_value(caller.cx, result, &Timespec::from_nanoseconds(resolution)).map_err(errno)
}

pub fn clock_settime(caller: &mut Caller<'_>, clock: i32, value: UserAddress) -> Result<(), Errno> {
    let value: Timespec = user::copy_in_value(caller.cx, value).map_err(errno)?;
    let nanoseconds = value.to_nanoseconds().ok_or(Errno::EINVAL)?;
    if clock != number::REALTIME {
        return Err(Errno::EINVAL);
    }
    set_wall_clock(caller, nanoseconds)
}

pub fn gettimeofday(caller: &mut Caller<'_>, result: UserAddress, zone: UserAddress) -> Result<(), Errno> {
    if result.as_u64() != 0 {
        let now = Timeval::from_nanoseconds(clock::wall_clock());
        user::copy_out_value(caller.cx, result, &now).map_err(errno)?;
    }
    if zone.as_u64() != 0 {
        user::copy_out_value(caller.cx, zone, &Timezone::default()).map_err(errno)?;
    }
    Ok(())
}

/// The time zone that may come with it is the C library's affair and not kept.
pub fn settimeofday(caller: &mut Caller<'_>, value: UserAddress) -> Result<(), Errno> {
    if value.as_u64() == 0 {
        return privileged(caller);
    }
    let value: Timeval = user::copy_in_value(caller.cx, value).map_err(errno)?;
    let nanoseconds = value.to_nanoseconds().ok_or(Errno::EINVAL)?;
    set_wall_clock(caller, nanoseconds)
}

pub fn time(caller: &mut Caller<'_>, result: UserAddress) -> Result<u64, Errno> {
    let seconds = clock::wall_clock() / SECOND_NS;
    if result.as_u64() != 0 {
        user::copy_out_value(caller.cx, result, &seconds).map_err(errno)?;
    }
    Ok(seconds)
}

pub fn nanosleep(caller: &mut Caller<'_>, request: UserAddress, remaining: UserAddress) -> Result<(), Errno> {
    clock_nanosleep(caller, number::MONOTONIC, 0, request, remaining)
}

pub fn clock_nanosleep(caller: &mut Caller<'_>, clock: i32, flags: i32, request: UserAddress, remaining: UserAddress) -> Result<(), Errno> {
    let clock = Clock::of(clock)?.for_sleeping()?;
    let request: Timespec = user::copy_in_value(caller.cx, request).map_err(errno)?;
    let nanoseconds = request.to_nanoseconds().ok_or(Errno::EINVAL)?;
    if flags & TIMER_ABSTIME != 0 {
        return sleep_until_reading(caller, clock, nanoseconds);
    }
    // A relative sleep is measured by the steady clock: setting the wall clock does not change its length.
    sleep_for(caller, clock::now().saturating_add(nanoseconds), remaining)
}

/// Goes on with a relative sleep that a signal without a handler broke off; `deadline` is of the steady clock.
pub fn resume_sleep(caller: &mut Caller<'_>, deadline: u64, remaining: u64) -> Result<(), Errno> {
    sleep_for(caller, deadline, UserAddress::new(remaining))
}

fn sleep_for(caller: &mut Caller<'_>, deadline: u64, remaining: UserAddress) -> Result<(), Errno> {
    match wait::sleep_until(caller.cx, Deadline::at(deadline), true) {
        Ok(()) => Ok(()),
        Err(_) if clock::now() >= deadline => Ok(()),
        Err(_) => {
            let left = deadline.saturating_sub(clock::now());
            if remaining.as_u64() != 0 {
                user::copy_out_value(caller.cx, remaining, &Timespec::from_nanoseconds(left)).map_err(errno)?;
            }
            let restart = Restart::Sleep { clock: number::MONOTONIC, deadline, remaining: remaining.as_u64() };
            *caller.task.restart.lock(caller.cx) = Some(restart);
            Err(Errno::ERESTART_RESTARTBLOCK)
        }
    }
}

/// Sleeps until a clock shows `moment`, however often it is set meanwhile.
fn sleep_until_reading(caller: &mut Caller<'_>, clock: Clock, moment: u64) -> Result<(), Errno> {
    loop {
        let set_before = wall_clock::times_set();
        let shown = clocks::read(caller, clock)?;
        let Some(left) = moment.checked_sub(shown).filter(|&left| left > 0) else { return Ok(()) };
        let deadline = clock::now().saturating_add(left);
        let was_set = |_: &mut _| (wall_clock::times_set() != set_before).then_some(());
        match wall_clock::WAS_SET.wait_until_or(caller.cx, Deadline::at(deadline), true, was_set) {
            Ok(()) | Err(KernelError::TimedOut) => {}
            Err(_) => return Err(Errno::ERESTARTNOHAND),
        }
    }
}

fn set_wall_clock(caller: &mut Caller<'_>, nanoseconds: u64) -> Result<(), Errno> {
    privileged(caller)?;
    wall_clock::set(caller.cx, nanoseconds);
    Ok(())
}

fn privileged(caller: &Caller<'_>) -> Result<(), Errno> {
    if caller.credentials().is_privileged() { Ok(()) } else { Err(Errno::EPERM) }
}
