//! Which clock a clock number means, and what it shows.
//!
//! Invariant: no clock but the wall clock ever goes back, on any CPU.

use abi::Errno;
use abi::time::clock as number;
use libkernel::clock;

use super::Caller;
use crate::process;

/// A clock that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// Since 1970; may be set.
    Wall,
    /// Since boot; steady.
    Steady,
    /// Since boot, but not to be slept on (`CLOCK_MONOTONIC_RAW`, the coarse clocks).
    SteadyToRead,
    /// The wall clock, not to be slept on.
    WallToRead,
    /// Processor time of a process; 0 is the caller's.
    Process(i32),
    /// Processor time of a thread; 0 is the caller's.
    Thread(i32),
}

impl Clock {
    /// Numbers below zero name another process's or thread's clock: `man 3 clock_getcpuclockid`.
    pub fn of(clock: i32) -> Result<Self, Errno> {
        match clock {
            number::REALTIME | number::REALTIME_ALARM | number::TAI => Ok(Self::Wall),
            number::MONOTONIC | number::BOOTTIME | number::BOOTTIME_ALARM => Ok(Self::Steady),
            number::MONOTONIC_RAW | number::MONOTONIC_COARSE => Ok(Self::SteadyToRead),
            number::REALTIME_COARSE => Ok(Self::WallToRead),
            number::PROCESS_CPUTIME => Ok(Self::Process(0)),
            number::THREAD_CPUTIME => Ok(Self::Thread(0)),
            _ if clock < 0 && clock & 3 != 3 => {
                let owner = !(clock >> 3);
                Ok(if clock & 4 == 0 { Self::Process(owner) } else { Self::Thread(owner) })
            }
            _ => Err(Errno::EINVAL),
        }
    }

    /// The same clock, if `clock_nanosleep` takes it.
    pub fn for_sleeping(self) -> Result<Self, Errno> {
        match self {
            Self::Wall | Self::Steady => Ok(self),
            Self::Thread(0) => Err(Errno::EINVAL),
            Self::SteadyToRead | Self::WallToRead | Self::Process(_) | Self::Thread(_) => Err(Errno::EOPNOTSUPP),
        }
    }
}

/// What the clock shows, in nanoseconds.
pub fn read(caller: &mut Caller<'_>, clock: Clock) -> Result<u64, Errno> {
    match clock {
        Clock::Wall | Clock::WallToRead => Ok(clock::wall_clock()),
        Clock::Steady | Clock::SteadyToRead => Ok(clock::now()),
        Clock::Process(0) => Ok(caller.process().times(caller.cx).total_ns()),
        Clock::Process(process) => {
            let process = process::find(caller.cx, process).ok_or(Errno::EINVAL)?;
            Ok(process.times(caller.cx).total_ns())
        }
        Clock::Thread(0) => Ok(caller.task.times().total_ns()),
        Clock::Thread(thread) => {
            let task = process::find_task(caller.cx, thread).ok_or(Errno::EINVAL)?;
            // Linux gives away a thread's clock only inside its own process.
            if task.process().id() != caller.process().id() {
                return Err(Errno::EINVAL);
            }
            Ok(task.times().total_ns())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_negative_number_is_another_process_or_thread() {
        let process_clock = |pid: i32| (!pid << 3) | 2;
        assert_eq!(Clock::of(process_clock(17)), Ok(Clock::Process(17)));
        assert_eq!(Clock::of(process_clock(17) | 4), Ok(Clock::Thread(17)));
    }

    #[test]
    fn an_unknown_clock_is_refused() {
        assert_eq!(Clock::of(10), Err(Errno::EINVAL));
        assert_eq!(Clock::of(99), Err(Errno::EINVAL));
    }

    #[test]
    fn one_sleeps_on_wall_and_steady_clocks_only() {
        assert!(Clock::Wall.for_sleeping().is_ok() && Clock::Steady.for_sleeping().is_ok());
        assert_eq!(Clock::Thread(0).for_sleeping(), Err(Errno::EINVAL));
        assert_eq!(Clock::SteadyToRead.for_sleeping(), Err(Errno::EOPNOTSUPP));
    }
}
