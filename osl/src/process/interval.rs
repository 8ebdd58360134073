//! The three timers of `setitimer`: by the clock, by the program's own processor time, and by all its processor time.
//!
//! Invariant: a timer's words are changed by the process's own calls and by its expiry, never both for one expiry: a timer by the
//! clock is armed again when its signal is taken, one by processor time by the handler that finds the time used up.

use alloc::sync::{Arc, Weak};

use abi::Errno;
use abi::signal::{SIGALRM, SIGPROF, SIGVTALRM};
use libkernel::clock;
use libkernel::wait::{Timer, TimerTarget};
use sync::{IrqContext, Once, Published, TaskContext};

use super::shared::Process;
use super::signals::post;
use super::times::Spent;
use crate::timer_setting::Setting;

/// What a timer counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// Time that passes.
    Real,
    /// Processor time in the program.
    Virtual,
    /// Processor time in the program and in the kernel for it.
    Profiling,
}

/// A timer by processor time looks again at least so long after a look.
const SHORTEST_LOOK_NS: u64 = 1_000_000;

struct One {
    counted: Counted,
    process: Weak<Process>,
    timer: Once<Timer>,
    /// When it expires, on what it counts; 0: not running.
    at: Published<u64>,
    interval: Published<u64>,
}

/// A process's three timers.
pub struct IntervalTimers([One; 3]);

impl Counted {
    /// By the number that a program uses.
    pub fn from_number(number: i32) -> Result<Self, Errno> {
        match number {
            0 => Ok(Self::Real),
            1 => Ok(Self::Virtual),
            2 => Ok(Self::Profiling),
            _ => Err(Errno::EINVAL),
        }
    }

    fn signal(self) -> u32 {
        match self {
            Self::Real => SIGALRM,
            Self::Virtual => SIGVTALRM,
            Self::Profiling => SIGPROF,
        }
    }

    fn of(self, spent: Spent) -> u64 {
        if self == Self::Virtual { spent.user_ns } else { spent.total_ns() }
    }
}

struct Expiry {
    process: Weak<Process>,
    counted: Counted,
}

impl TimerTarget for Expiry {
    fn expired(&self, irq: &IrqContext) {
        let Some(process) = self.process.upgrade() else {
            return;
        };
        let one = process.interval.one(self.counted);
        match self.counted {
            Counted::Real => post::alarm(irq, &process, SIGALRM),
            counted => {
                let (spent, threads) = process.spent_now(irq);
                if one.look(counted.of(spent), threads) {
                    post::alarm(irq, &process, counted.signal());
                }
            }
        }
    }
}

impl One {
    fn new(process: Weak<Process>, counted: Counted) -> Self {
        let (at, interval) = (Published::<u64>::new(0), Published::<u64>::new(0));
        Self { counted, process, timer: Once::new(), at, interval }
    }

    fn timer(&self) -> &Timer {
        self.timer.get().unwrap_or_else(|| {
            let target = Arc::new(Expiry { process: self.process.clone(), counted: self.counted });
            self.timer.get_or_set(Timer::new(target))
        })
    }

    /// Looks whether the processor time is used up, and when to look again. Has it expired?
    fn look(&self, used: u64, threads: u64) -> bool {
        let at = self.at.load();
        if at == 0 {
            return false;
        }
        let expired = used >= at;
        let interval = self.interval.load();
        let next = match (expired, interval) {
            (false, _) => at,
            (true, 0) => 0,
            (true, interval) => used.saturating_add(interval),
        };
        if self.at.compare_exchange(at, next).is_ok()
            && next != 0
            && let Some(timer) = self.timer.get()
        {
            let soonest = (next - used) / threads.max(1);
            timer.arm(clock::now().saturating_add(soonest.max(SHORTEST_LOOK_NS)));
        }
        expired
    }
}

impl IntervalTimers {
    /// None of them runs.
    pub fn new(process: Weak<Process>) -> Self {
        Self([Counted::Real, Counted::Virtual, Counted::Profiling].map(|counted| One::new(process.clone(), counted)))
    }

    fn one(&self, counted: Counted) -> &One {
        let [real, virtual_time, profiling] = &self.0;
        match counted {
            Counted::Real => real,
            Counted::Virtual => virtual_time,
            Counted::Profiling => profiling,
        }
    }

    /// How a timer stands.
    pub fn get(&self, cx: &TaskContext, process: &Process, counted: Counted) -> Setting {
        let one = self.one(counted);
        let at = one.at.load();
        let now = match counted {
            Counted::Real => clock::now(),
            counted => counted.of(process.spent_now(cx).0),
        };
        // A timer that is due but was not seen to yet has a moment left: 0 would say that it does not run.
        let left_ns = if at == 0 { 0 } else { at.saturating_sub(now).max(1) };
        Setting { left_ns, interval_ns: one.interval.load() }
    }

    /// Sets a timer; answers how it stood.
    pub fn set(&self, cx: &TaskContext, process: &Process, counted: Counted, new: Setting) -> Setting {
        let before = self.get(cx, process, counted);
        let one = self.one(counted);
        let timer = one.timer();
        one.at.store(0);
        // A program that has stopped its alarm is not hit by it any more, however late the handler comes.
        timer.cancel_and_wait(cx);
        one.interval.store(new.interval_ns);
        if new.left_ns != 0 {
            let due = clock::now().saturating_add(new.left_ns);
            let at = match counted {
                Counted::Real => due,
                counted => counted.of(process.spent_now(cx).0).saturating_add(new.left_ns),
            };
            one.at.store(at);
            timer.arm(due);
        }
        before
    }

    /// A thread has taken this signal: if it was the clock's and is to be repeated, it is armed again; so a program that does not
    /// look is not flooded.
    pub fn taken(&self, _: &TaskContext, signal: u32) {
        let one = self.one(Counted::Real);
        let at = one.at.load();
        let now = clock::now();
        if signal != SIGALRM || at == 0 || at > now {
            return;
        }
        let interval = one.interval.load();
        let next = if interval == 0 { 0 } else { next_after(at, interval, now) };
        if one.at.compare_exchange(at, next).is_ok()
            && next != 0
            && let Some(timer) = one.timer.get()
        {
            timer.arm(next);
        }
    }

    /// The process ends. Afterwards no handler holds it: a handler must not be the one who lets go of it last.
    pub fn cancel_all(&self, cx: &TaskContext) {
        for one in &self.0 {
            one.at.store(0);
            if let Some(timer) = one.timer.get() {
                timer.cancel_and_wait(cx);
            }
        }
    }
}

/// The first repetition after now.
fn next_after(at: u64, interval: u64, now: u64) -> u64 {
    let missed = now.saturating_sub(at) / interval;
    at.saturating_add(interval.saturating_mul(missed.saturating_add(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repetition_keeps_its_beat_however_late_the_last_was_taken() {
        assert_eq!(next_after(100, 10, 100), 110);
        assert_eq!(next_after(100, 10, 109), 110);
        assert_eq!(next_after(100, 10, 110), 120);
        assert_eq!(next_after(100, 10, 1234), 1240);
        assert_eq!(next_after(u64::MAX, 10, u64::MAX), u64::MAX);
    }

    #[test]
    fn a_timer_by_processor_time_expires_when_the_time_is_used_and_repeats() {
        let one = One::new(Weak::new(), Counted::Virtual);
        assert!(!one.look(50, 1), "not running");
        one.at.store(100);
        one.interval.store(30);
        assert!(!one.look(99, 1));
        assert!(one.look(105, 1));
        assert_eq!(one.at.load(), 135);
        one.interval.store(0);
        assert!(one.look(135, 1));
        assert_eq!(one.at.load(), 0);
    }
}
