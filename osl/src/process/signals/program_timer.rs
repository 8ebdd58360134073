//! The timers of `timer_create`, as far as they lie under the signals' lock.
//!
//! Invariant: a timer has at most one signal waiting, for which room was kept when it was made, so its interrupt needs no memory. It is
//! armed again when that signal is taken, and the beats in between are its overrun.

use alloc::collections::BTreeMap;

use abi::Errno;
use abi::signal::{SignalInfo, code};
use libkernel::clock;
use libkernel::wait::Timer;

use super::set::SignalSet;
use super::state::SignalState;
use crate::timer_setting::Setting;

/// What a timer counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counts {
    /// Time since boot.
    Steady,
    /// The wall clock.
    Wall,
    /// Processor time of the process.
    Process,
    /// Processor time of one of its threads.
    Thread(i32),
}

/// What is told when it expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Nothing: the program asks.
    Nothing,
    /// A signal, to one thread or to whichever takes it.
    Signal {
        /// Its number.
        signal: u32,
        /// For this thread alone.
        thread: Option<i32>,
    },
}

/// One timer.
pub struct ProgramTimer {
    serial: u64,
    pub(in crate::process) alarm: Timer,
    counts: Counts,
    notice: Notice,
    value: u64,
    /// When it expires next, on what it counts; 0: not running.
    due: u64,
    interval: u64,
    /// Its signal waits to be taken.
    waiting: bool,
    /// The beats that the signal taken last stands for, beyond its own.
    overrun: i32,
}

/// A process's timers.
#[derive(Default)]
pub struct ProgramTimers {
    by_number: BTreeMap<i32, ProgramTimer>,
    next: i32,
}

/// A timer by processor time looks again at least so long after a look.
const SHORTEST_LOOK_NS: u64 = 1_000_000;

impl ProgramTimers {
    /// None.
    pub const fn new() -> Self {
        Self { by_number: BTreeMap::new(), next: 0 }
    }
}

impl ProgramTimer {
    pub(in crate::process) fn new(serial: u64, alarm: Timer, counts: Counts, notice: Notice, value: u64) -> Self {
        Self { serial, alarm, counts, notice, value, due: 0, interval: 0, waiting: false, overrun: 0 }
    }

    /// For when its time may have come, if `shown` is what it counts now.
    fn arm(&self, shown: u64, threads: u64) {
        if self.due == 0 || self.notice == Notice::Nothing || self.waiting {
            return;
        }
        let left = self.due.saturating_sub(shown);
        let span = match self.counts {
            Counts::Steady | Counts::Wall => left,
            Counts::Process => (left / threads.max(1)).max(SHORTEST_LOOK_NS),
            Counts::Thread(_) => left.max(SHORTEST_LOOK_NS),
        };
        self.alarm.arm(clock::now().saturating_add(span));
    }

    fn setting(&self, shown: u64) -> Setting {
        let left_ns = match (self.due, self.interval) {
            (0, _) => 0,
            (due, _) if due > shown => due - shown,
            // Its interrupt or its taker has not come yet; 0 would say that it does not run.
            (due, interval) if interval > 0 => interval - (shown - due) % interval,
            _ if self.notice == Notice::Nothing || self.waiting => 0,
            _ => 1,
        };
        Setting { left_ns, interval_ns: self.interval }
    }

    fn set(&mut self, shown: u64, absolute: bool, new: Setting) {
        self.interval = new.interval_ns;
        self.overrun = 0;
        self.due = match new.left_ns {
            0 => 0,
            at if absolute => at,
            span => shown.saturating_add(span),
        };
    }

    /// Its signal is taken, at `shown`: how many beats were missed.
    fn taken(&mut self, shown: u64) -> i32 {
        self.waiting = false;
        if self.due == 0 || self.due > shown {
            // It was set anew since.
            return 0;
        }
        let missed = (shown - self.due).checked_div(self.interval).unwrap_or(0);
        self.due = match self.interval {
            0 => 0,
            interval => self.due.saturating_add(interval.saturating_mul(missed.saturating_add(1))),
        };
        self.overrun = i32::try_from(missed).unwrap_or(i32::MAX);
        self.overrun
    }

    fn information(&self, number: i32, signal: u32) -> SignalInfo {
        let mut information = SignalInfo::new(signal, code::TIMER);
        // si_timerid and si_overrun (filled in when it is taken), si_value.
        information.fields[0] = u64::from(number.cast_unsigned());
        information.fields[1] = self.value;
        information
    }
}

/// What an expiry found.
pub(super) enum Expired {
    /// Not yet, or not any more.
    No,
    /// Its signal waits now: for one thread, or for any.
    Told(u32, Option<i32>),
}

impl SignalState {
    /// What such a timer counts, now.
    fn shown(&self, counts: Counts) -> u64 {
        match counts {
            Counts::Steady => clock::now(),
            Counts::Wall => clock::wall_clock(),
            Counts::Process => self.usage().spent.total_ns(),
            Counts::Thread(id) => self.members.get(&id).map_or(0, |member| member.task.times().total_ns()),
        }
    }

    fn threads(&self) -> u64 {
        u64::try_from(self.members.len()).unwrap_or(u64::MAX)
    }

    /// Keeps room for a timer's signal, and gives it a number.
    pub(in crate::process) fn reserve_timer(&mut self, notice: Notice, most: usize) -> Result<i32, Errno> {
        if self.timers.by_number.len() >= most || self.ending.is_some() {
            return Err(Errno::EAGAIN);
        }
        let prepared = match notice {
            Notice::Nothing => true,
            Notice::Signal { thread: None, .. } => self.shared.prepare(),
            Notice::Signal { thread: Some(id), .. } => self.members.get_mut(&id).ok_or(Errno::EINVAL)?.pending.prepare(),
        };
        if !prepared {
            return Err(Errno::EAGAIN);
        }
        let number = self.timers.next;
        self.timers.next = number.checked_add(1).ok_or(Errno::EAGAIN)?;
        Ok(number)
    }

    pub(in crate::process) fn insert_timer(&mut self, number: i32, timer: ProgramTimer) {
        self.timers.by_number.insert(number, timer);
    }

    /// Takes a timer away; it is to be dropped unlocked.
    pub(in crate::process) fn remove_timer(&mut self, number: i32) -> Option<ProgramTimer> {
        let removed = self.timers.by_number.remove(&number)?;
        match removed.notice {
            Notice::Nothing => {}
            Notice::Signal { thread: None, .. } => self.shared.give_back_prepared(),
            Notice::Signal { thread: Some(id), .. } => {
                if let Some(member) = self.members.get_mut(&id) {
                    member.pending.give_back_prepared();
                }
            }
        }
        Some(removed)
    }

    pub(in crate::process) fn remove_first_timer(&mut self) -> Option<ProgramTimer> {
        let (&number, _) = self.timers.by_number.first_key_value()?;
        self.remove_timer(number)
    }

    /// How a timer stands; with `new`, sets it. `None`: there is no such timer.
    pub(in crate::process) fn timer_setting(&mut self, number: i32, new: Option<(bool, Setting)>) -> Option<Setting> {
        let counts = self.timers.by_number.get(&number)?.counts;
        let (shown, threads) = (self.shown(counts), self.threads());
        let timer = self.timers.by_number.get_mut(&number)?;
        let before = timer.setting(shown);
        if let Some((absolute, new)) = new {
            timer.alarm.cancel();
            timer.set(shown, absolute, new);
            timer.arm(shown, threads);
        }
        Some(before)
    }

    pub(in crate::process) fn timer_overrun(&self, number: i32) -> Option<i32> {
        Some(self.timers.by_number.get(&number)?.overrun)
    }

    /// A timer's interrupt has come.
    pub(super) fn timer_expired(&mut self, number: i32, serial: u64) -> Expired {
        let Some(counts) = self.timers.by_number.get(&number).map(|timer| timer.counts) else { return Expired::No };
        let (shown, threads) = (self.shown(counts), self.threads());
        let Some(timer) = self.timers.by_number.get_mut(&number).filter(|timer| timer.serial == serial) else { return Expired::No };
        let Notice::Signal { signal, thread } = timer.notice else { return Expired::No };
        if timer.due == 0 || timer.waiting {
            return Expired::No;
        }
        if shown < timer.due {
            timer.arm(shown, threads);
            return Expired::No;
        }
        let information = timer.information(number, signal);
        let pending = match thread {
            None => &mut self.shared,
            Some(id) => match self.members.get_mut(&id) {
                Some(member) => &mut member.pending,
                None => return Expired::No,
            },
        };
        timer.waiting = true;
        pending.add_prepared(signal, information);
        Expired::Told(signal, thread)
    }

    /// A signal has been taken: if it is a timer's, the timer goes on, and its missed beats are written down.
    pub(super) fn timer_signal_taken(&mut self, information: &mut SignalInfo) {
        if information.code != code::TIMER {
            return;
        }
        let number = (information.fields[0] as u32).cast_signed();
        let Some(counts) = self.timers.by_number.get(&number).map(|timer| timer.counts) else { return };
        let (shown, threads) = (self.shown(counts), self.threads());
        if let Some(timer) = self.timers.by_number.get_mut(&number).filter(|timer| timer.waiting) {
            let overrun = timer.taken(shown);
            information.fields[0] |= u64::from(overrun.cast_unsigned()) << 32;
            timer.arm(shown, threads);
        }
    }

    /// Signals have been thrown away untaken: the timers that they were of go on as if they had been taken.
    pub(super) fn timer_signals_forgotten(&mut self, signals: SignalSet) {
        let (threads, mut from) = (self.threads(), 0);
        let waits = |timer: &ProgramTimer| match timer.notice {
            Notice::Signal { signal, .. } => timer.waiting && signals.contains(signal),
            Notice::Nothing => false,
        };
        while let Some((&number, timer)) = self.timers.by_number.range(from..).find(|(_, timer)| waits(timer)) {
            let shown = self.shown(timer.counts);
            if let Some(timer) = self.timers.by_number.get_mut(&number) {
                timer.taken(shown);
                timer.arm(shown, threads);
            }
            from = number.saturating_add(1);
        }
    }

    /// The wall clock was set.
    pub(in crate::process) fn wall_clock_was_set(&self) {
        for timer in self.timers.by_number.values().filter(|timer| timer.counts == Counts::Wall) {
            timer.arm(clock::wall_clock(), 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::sync::Arc;
    use libkernel::wait::TimerTarget;
    use sync::IrqContext;

    struct Nobody;

    impl TimerTarget for Nobody {
        fn expired(&self, _: &IrqContext) {}
    }

    fn timer(notice: Notice) -> ProgramTimer {
        ProgramTimer::new(0, Timer::new(Arc::new(Nobody)), Counts::Steady, notice, 7)
    }

    #[test]
    fn missed_beats_are_the_overrun_and_the_beat_is_kept() {
        let mut timer = timer(Notice::Signal { signal: 14, thread: None });
        timer.set(0, true, Setting { left_ns: 100, interval_ns: 10 });
        assert_eq!(timer.taken(135), 3);
        assert_eq!((timer.due, timer.overrun), (140, 3));
    }

    #[test]
    fn a_timer_set_anew_while_its_signal_waits_keeps_the_new_time() {
        let mut timer = timer(Notice::Signal { signal: 14, thread: None });
        timer.set(0, true, Setting { left_ns: 100, interval_ns: 10 });
        timer.waiting = true;
        timer.set(110, false, Setting { left_ns: 500, interval_ns: 0 });
        assert_eq!(timer.taken(120), 0);
        assert_eq!(timer.due, 610);
    }

    #[test]
    fn a_timer_that_tells_nobody_is_reckoned_when_asked() {
        let mut timer = timer(Notice::Nothing);
        timer.set(0, true, Setting { left_ns: 100, interval_ns: 30 });
        assert_eq!(timer.setting(40).left_ns, 60);
        assert_eq!(timer.setting(150).left_ns, 10);
        timer.set(0, true, Setting { left_ns: 100, interval_ns: 0 });
        assert_eq!(timer.setting(150).left_ns, 0);
    }
}
