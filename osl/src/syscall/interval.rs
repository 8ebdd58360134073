//! alarm, setitimer, getitimer.
//!
//! Invariant: a time that is not negative and well formed is taken; any other is EINVAL and changes nothing.

use abi::Errno;
use abi::time::IntervalTimer;
use libkernel::address_space::{UserAddress, user};

use super::Caller;
use crate::error::errno;
use crate::process::interval::Counted;
use crate::timer_setting::Setting;

const NANOSECONDS: u64 = 1_000_000_000;

/// Answers how many seconds were left of the alarm before, rounded so that a running one never reads as none.
pub fn alarm(caller: &mut Caller<'_>, seconds: u32) -> Result<u64, Errno> {
    let new = Setting { left_ns: u64::from(seconds) * NANOSECONDS, interval_ns: 0 };
    let before = set(caller, Counted::Real, new);
    Ok(rounded(before.left_ns))
}

fn rounded(nanoseconds: u64) -> u64 {
    let (seconds, rest) = (nanoseconds / NANOSECONDS, nanoseconds % NANOSECONDS);
    let up = rest >= NANOSECONDS / 2 || (seconds == 0 && rest > 0);
    seconds + u64::from(up)
}

fn set(caller: &mut Caller<'_>, counted: Counted, new: Setting) -> Setting {
    let process = caller.task.process();
    process.interval.set(caller.cx, process, counted, new)
}

pub fn setitimer(caller: &mut Caller<'_>, which: i32, new: UserAddress, old: UserAddress) -> Result<(), Errno> {
    let counted = Counted::from_number(which)?;
    let wanted = match new.as_u64() {
        0 => IntervalTimer::default(),
        _ => user::copy_in_value(caller.cx, new).map_err(errno)?,
    };
    let setting = Setting::of_interval_timer(&wanted).ok_or(Errno::EINVAL)?;
    let before = set(caller, counted, setting);
    if old.as_u64() != 0 {
        write(caller, old, before)?;
    }
    Ok(())
}

pub fn getitimer(caller: &mut Caller<'_>, which: i32, at: UserAddress) -> Result<(), Errno> {
    let counted = Counted::from_number(which)?;
    let process = caller.task.process();
    let now = process.interval.get(caller.cx, process, counted);
    write(caller, at, now)
}

fn write(caller: &mut Caller<'_>, at: UserAddress, setting: Setting) -> Result<(), Errno> {
    user::copy_out_value(caller.cx, at, &setting.as_interval_timer()).map_err(errno)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alarm_about_to_ring_reads_as_one_second() {
        assert_eq!(rounded(1), 1);
        assert_eq!(rounded(0), 0);
        assert_eq!(rounded(1_400_000_000), 1);
        assert_eq!(rounded(1_600_000_000), 2);
    }
}
