//! Timers that are read like files: `timerfd`.
//!
//! Invariant: how often a timer has expired is reckoned from its due time when someone asks; the interrupt only wakes who waits. So a
//! periodic timer that nobody reads interrupts once.

use alloc::string::String;
use alloc::sync::{Arc, Weak};
use core::any::Any;

use abi::Errno;
use libkernel::census::{Census, Counted};
use libkernel::clock;
use libkernel::wait::{Timer, TimerTarget, WaitQueue};
use sync::{IrqContext, Published, SpinLock, TaskContext, order};

use super::event::anonymous_attributes;
use super::file::{File, Manner, QueueOwner, Queues};
use super::readiness::Readiness;
use crate::error::restarting;
use crate::fs::Attributes;
use crate::fs::buffer::Sink;
use crate::timer_setting::Setting;
use crate::wall_clock::{self, Listener};

/// Timer files in use.
pub static LIVING: Census = Census::new("timer files");

/// On which clock a due time stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Not set, or expired and read.
    Never,
    /// Since boot.
    Steady(u64),
    /// Since 1970.
    Wall(u64),
}

struct State {
    due: Due,
    interval: u64,
    /// Reads fail when the wall clock is set.
    cancelled_by_setting: bool,
    cancelled: bool,
}

/// What a read finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    Expired(u64),
    Cancelled,
}

/// Those who wait, kept by the timer too.
struct Waiters {
    changed: WaitQueue,
    events: Published<u64>,
}

/// A timer with a descriptor.
pub struct TimerFile {
    _counted: Counted,
    /// Whether times are of the wall clock.
    is_wall: bool,
    state: SpinLock<State, order::Pipe>,
    waiters: Arc<Waiters>,
    timer: Timer,
}

impl TimerTarget for Waiters {
    fn expired(&self, irq: &IrqContext) {
        self.events.fetch_add(1);
        self.changed.wake_all(irq);
    }
}

impl QueueOwner for Waiters {
    fn queues(&self) -> Queues<'_> {
        Queues::from_iter([&self.changed])
    }
}

impl Due {
    /// What its clock shows.
    fn clock(self) -> u64 {
        if matches!(self, Self::Wall(_)) { clock::wall_clock() } else { clock::now() }
    }

    fn at(self) -> Option<u64> {
        match self {
            Self::Never => None,
            Self::Steady(at) | Self::Wall(at) => Some(at),
        }
    }

    fn moved_to(self, at: u64) -> Self {
        if matches!(self, Self::Wall(_)) { Self::Wall(at) } else { Self::Steady(at) }
    }
}

impl State {
    /// Expiries up to now that nobody has read.
    fn expiries(&self, shown: u64) -> u64 {
        match self.due.at() {
            Some(at) if at <= shown && self.interval == 0 => 1,
            Some(at) if at <= shown => 1 + (shown - at) / self.interval,
            _ => 0,
        }
    }

    /// Takes what a read takes.
    fn take(&mut self, shown: u64) -> Option<Found> {
        if core::mem::take(&mut self.cancelled) {
            return Some(Found::Cancelled);
        }
        let expiries = self.expiries(shown);
        let at = self.due.at().filter(|_| expiries > 0)?;
        self.due = match self.interval {
            0 => Due::Never,
            interval => self.due.moved_to(at.saturating_add(interval.saturating_mul(expiries))),
        };
        Some(Found::Expired(expiries))
    }

    fn setting(&self, shown: u64) -> Setting {
        let left_ns = match self.due.at() {
            Some(at) if at > shown => at - shown,
            Some(at) if self.interval > 0 => self.interval - (shown - at) % self.interval,
            _ => 0,
        };
        Setting { left_ns, interval_ns: self.interval }
    }
}

impl TimerFile {
    /// A timer that is not set.
    pub fn new(cx: &TaskContext, is_wall: bool) -> Arc<Self> {
        let waiters = Arc::new(Waiters { changed: WaitQueue::named("a timer file"), events: Published::<u64>::new(0) });
        let state = State { due: Due::Never, interval: 0, cancelled_by_setting: false, cancelled: false };
        let file =
            Arc::new(Self { _counted: LIVING.count(), is_wall, state: SpinLock::new(state), timer: Timer::new(waiters.clone()), waiters });
        if is_wall {
            let weak = Arc::downgrade(&file);
            let listener: Weak<dyn Listener> = weak;
            wall_clock::listen(cx, listener);
        }
        file
    }

    /// Sets it; answers how it stood. `absolute`: `left_ns` is a moment of its clock. `cancelled_by_setting`: reads fail with
    /// `ECANCELED` once the wall clock is set.
    pub fn set(&self, cx: &TaskContext, absolute: bool, cancelled_by_setting: bool, new: Setting) -> Setting {
        let due = match (new.left_ns, absolute, self.is_wall) {
            (0, _, _) => Due::Never,
            (at, true, true) => Due::Wall(at),
            (at, true, false) => Due::Steady(at),
            // A span is the same however the wall clock is set meanwhile.
            (span, false, _) => Due::Steady(clock::now().saturating_add(span)),
        };
        let mut state = self.state.lock(cx);
        let before = state.setting(state.due.clock());
        let cancelled_by_setting = cancelled_by_setting && absolute && self.is_wall;
        *state = State { due, interval: new.interval_ns, cancelled_by_setting, cancelled: false };
        self.arm(&state);
        before
    }

    /// How it stands.
    pub fn setting(&self, cx: &TaskContext) -> Setting {
        let state = self.state.lock(cx);
        state.setting(state.due.clock())
    }

    /// For the next expiry. Called under the state's lock, so that the last setting is the one that counts.
    fn arm(&self, state: &State) {
        match state.due.at() {
            Some(at) => self.timer.arm(clock::now().saturating_add(at.saturating_sub(state.due.clock()))),
            None => {
                self.timer.cancel();
            }
        }
    }

    fn take(&self, cx: &TaskContext) -> Option<Found> {
        let mut state = self.state.lock(cx);
        let shown = state.due.clock();
        let found = state.take(shown)?;
        self.arm(&state);
        Some(found)
    }
}

impl Listener for TimerFile {
    fn clock_was_set(&self, cx: &mut TaskContext) {
        let mut state = self.state.lock(cx);
        let is_cancelled = state.cancelled_by_setting;
        state.cancelled |= is_cancelled;
        self.arm(&state);
        drop(state);
        if is_cancelled {
            self.waiters.events.fetch_add(1);
            self.waiters.changed.wake_all(cx);
        }
    }
}

impl File for TimerFile {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn attributes(&self, _cx: &mut TaskContext) -> Result<Attributes, Errno> {
        Ok(anonymous_attributes())
    }

    fn read(&self, cx: &mut TaskContext, _at: u64, manner: Manner, into: &mut dyn Sink) -> Result<usize, Errno> {
        if into.remaining() < 8 {
            return Err(Errno::EINVAL);
        }
        let found = match self.take(cx) {
            Some(found) => found,
            None if manner.nonblocking => return Err(Errno::EAGAIN),
            None => self.waiters.changed.wait_until_or_interrupted(cx, |cx| self.take(cx)).map_err(restarting)?,
        };
        match found {
            Found::Cancelled => Err(Errno::ECANCELED),
            Found::Expired(count) => {
                into.put(cx, &count.to_ne_bytes())?;
                Ok(8)
            }
        }
    }

    fn readiness(&self, cx: &mut TaskContext) -> Readiness {
        let state = self.state.lock(cx);
        let ready = state.cancelled || state.expiries(state.due.clock()) > 0;
        if ready { Readiness::READ } else { Readiness::empty() }
    }

    fn queues(&self) -> Queues<'_> {
        self.waiters.queues()
    }

    fn queue_owner(&self) -> Option<Arc<dyn QueueOwner>> {
        Some(self.waiters.clone())
    }

    fn events(&self) -> u64 {
        self.waiters.events.load()
    }

    fn label(&self) -> Option<String> {
        Some(String::from("anon_inode:[timerfd]"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(due: Due, interval: u64) -> State {
        State { due, interval, cancelled_by_setting: false, cancelled: false }
    }

    #[test]
    fn a_read_takes_all_expiries_and_keeps_the_beat() {
        let mut timer = state(Due::Steady(100), 10);
        assert_eq!(timer.take(99), None);
        assert_eq!(timer.take(125), Some(Found::Expired(3)));
        assert_eq!(timer.due, Due::Steady(130));
        assert_eq!(timer.take(129), None);
    }

    #[test]
    fn a_timer_that_rings_once_is_read_once() {
        let mut timer = state(Due::Wall(100), 0);
        assert_eq!(timer.take(1000), Some(Found::Expired(1)));
        assert_eq!((timer.take(2000), timer.due), (None, Due::Never));
    }

    #[test]
    fn what_is_left_of_an_unread_periodic_timer_is_until_its_next_beat() {
        let timer = state(Due::Steady(100), 10);
        assert_eq!(timer.setting(90).left_ns, 10);
        assert_eq!(timer.setting(103).left_ns, 7);
        assert_eq!(state(Due::Steady(100), 0).setting(103).left_ns, 0);
    }

    #[test]
    fn a_cancelled_timer_says_so_once() {
        let mut timer = state(Due::Wall(100), 0);
        timer.cancelled = true;
        assert_eq!((timer.take(50), timer.take(50)), (Some(Found::Cancelled), None));
    }

    #[test]
    fn the_far_future_does_not_overflow() {
        let mut timer = state(Due::Steady(1), u64::MAX);
        assert_eq!(timer.take(u64::MAX), Some(Found::Expired(1)));
        assert_eq!(timer.due, Due::Steady(u64::MAX));
    }
}
