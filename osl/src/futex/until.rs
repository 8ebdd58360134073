//! Until when a wait lasts.
//!
//! Invariant: a moment of the wall clock stays that moment when the clock is set meanwhile; a span of time is a moment of the steady
//! clock.

use abi::Errno;
use abi::time::Timespec;
use libkernel::address_space::{UserAddress, user};
use libkernel::wait::{Deadline, WaitQueue, wait_on};
use libkernel::{KernelError, clock};
use sync::TaskContext;

use crate::error::errno;
use crate::wall_clock;

/// The end of a wait, if it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// It has none.
    Never,
    /// A moment of the steady clock, in nanoseconds.
    Steady(u64),
    /// A moment of the wall clock, in nanoseconds.
    Wall(u64),
}

impl Until {
    /// A moment that a program names at an address (0: none), by the wall clock or the steady one.
    pub fn moment(cx: &mut TaskContext, at: u64, by_wall_clock: bool) -> Result<Self, Errno> {
        let time = read(cx, at)?;
        Ok(time.map_or(Self::Never, if by_wall_clock { Self::Wall } else { Self::Steady }))
    }

    /// A span that a program names at an address (0: for ever), from now on.
    pub fn span(cx: &mut TaskContext, at: u64) -> Result<Self, Errno> {
        let span = read(cx, at)?;
        Ok(span.map_or(Self::Never, |span| Self::Steady(clock::now().saturating_add(span))))
    }

    /// Sleeps on all these queues until `is_over`.
    pub fn sleep(self, cx: &mut TaskContext, queues: &[&WaitQueue], mut is_over: impl FnMut() -> bool) -> Result<(), KernelError> {
        let moment = match self {
            Self::Never => return wait_on(cx, queues, Deadline::NEVER, true, |_| is_over().then_some(())),
            Self::Steady(at) => return wait_on(cx, queues, Deadline::at(at), true, |_| is_over().then_some(())),
            Self::Wall(moment) => moment,
        };
        let mut queues = queues.to_vec();
        queues.push(&wall_clock::WAS_SET);
        loop {
            let set = wall_clock::times_set();
            let deadline = Deadline::at(moment.saturating_sub(clock::boot_time()));
            let over = |_: &mut TaskContext| match (is_over(), wall_clock::times_set() == set) {
                (true, _) => Some(true),
                (false, false) => Some(false),
                (false, true) => None,
            };
            if wait_on(cx, &queues, deadline, true, over)? {
                return Ok(());
            }
        }
    }
}

fn read(cx: &mut TaskContext, at: u64) -> Result<Option<u64>, Errno> {
    if at == 0 {
        return Ok(None);
    }
    let time: Timespec = user::copy_in_value(cx, UserAddress::new(at)).map_err(errno)?;
    time.to_nanoseconds().map(Some).ok_or(Errno::EINVAL)
}
