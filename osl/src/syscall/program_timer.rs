//! timer_create, timer_settime, timer_gettime, timer_getoverrun, timer_delete.
//!
//! Invariant: nothing is made or changed by a call that fails.

use abi::Errno;
use abi::signal::{SIGALRM, SIGEV_NONE, SIGEV_SIGNAL, SIGEV_THREAD, SIGEV_THREAD_ID, SIGNAL_COUNT, SignalEvent};
use abi::time::{IntervalTimespec, TIMER_ABSTIME};
use libkernel::address_space::{UserAddress, user};

use super::Caller;
use super::clocks::Clock;
use crate::error::errno;
use crate::process::program_timers;
use crate::process::signals::program_timer::{Counts, Notice};
use crate::timer_setting::Setting;

pub fn timer_create(caller: &mut Caller<'_>, clock: i32, event: UserAddress, result: UserAddress) -> Result<(), Errno> {
    let counts = counted(caller, Clock::of(clock)?)?;
    let (notice, value) = match event.as_u64() {
        0 => (Notice::Signal { signal: SIGALRM, thread: None }, None),
        _ => {
            let event: SignalEvent = user::copy_in_value(caller.cx, event).map_err(errno)?;
            (notice(&event)?, Some(event.value))
        }
    };
    let process = caller.task.process().clone();
    let number = program_timers::create(caller.cx, &process, counts, notice, value)?;
    let told = user::copy_out_value(caller.cx, result, &number).map_err(errno);
    if told.is_err() {
        program_timers::delete(caller.cx, &process, number)?;
    }
    told
}

/// What a timer by this clock counts.
fn counted(caller: &Caller<'_>, clock: Clock) -> Result<Counts, Errno> {
    let own = caller.task.process().id();
    match clock {
        Clock::Wall => Ok(Counts::Wall),
        Clock::Steady => Ok(Counts::Steady),
        Clock::Process(id) if id == 0 || id == own => Ok(Counts::Process),
        Clock::Thread(0) => Ok(Counts::Thread(caller.task.id())),
        Clock::Thread(id) => {
            let is_own = caller.task.process().signals.lock(caller.cx).members.contains_key(&id);
            if is_own { Ok(Counts::Thread(id)) } else { Err(Errno::EINVAL) }
        }
        Clock::Process(_) => Err(Errno::EINVAL),
        Clock::SteadyToRead | Clock::WallToRead => Err(Errno::EOPNOTSUPP),
    }
}

fn notice(event: &SignalEvent) -> Result<Notice, Errno> {
    let signal = u32::try_from(event.signal).ok().filter(|signal| (1..=SIGNAL_COUNT).contains(signal));
    match event.notify {
        SIGEV_NONE => Ok(Notice::Nothing),
        SIGEV_SIGNAL | SIGEV_THREAD => Ok(Notice::Signal { signal: signal.ok_or(Errno::EINVAL)?, thread: None }),
        SIGEV_THREAD_ID => Ok(Notice::Signal { signal: signal.ok_or(Errno::EINVAL)?, thread: Some(event.thread) }),
        _ => Err(Errno::EINVAL),
    }
}

pub fn timer_settime(caller: &mut Caller<'_>, number: i32, flags: i32, new: UserAddress, old: UserAddress) -> Result<(), Errno> {
    if new.as_u64() == 0 {
        return Err(Errno::EINVAL);
    }
    let new: IntervalTimespec = user::copy_in_value(caller.cx, new).map_err(errno)?;
    let new = Setting::of_timespecs(&new).ok_or(Errno::EINVAL)?;
    let before = program_timers::set(caller.cx, caller.task.process(), number, flags & TIMER_ABSTIME != 0, new)?;
    if old.as_u64() == 0 {
        return Ok(());
    }
    user::copy_out_value(caller.cx, old, &before.as_timespecs()).map_err(errno)
}

pub fn timer_gettime(caller: &mut Caller<'_>, number: i32, result: UserAddress) -> Result<(), Errno> {
    let now = program_timers::get(caller.cx, caller.task.process(), number)?;
    user::copy_out_value(caller.cx, result, &now.as_timespecs()).map_err(errno)
}

pub fn timer_getoverrun(caller: &mut Caller<'_>, number: i32) -> Result<i32, Errno> {
    program_timers::overrun(caller.cx, caller.task.process(), number)
}

pub fn timer_delete(caller: &mut Caller<'_>, number: i32) -> Result<(), Errno> {
    program_timers::delete(caller.cx, caller.task.process(), number)
}
