//! timer_create and its kin: a process's own timers.
//!
//! Invariant: a timer is looked up by number and serial under the signals' lock, so a late interrupt never meets another of its number;
//! whoever takes a timer away waits until its interrupt has ended, so no interrupt is the last to let go of a process.

use alloc::sync::{Arc, Weak};

use abi::Errno;
use abi::process::limit;
use libkernel::census::{Census, Counted};
use libkernel::wait::{Timer, TimerTarget};
use sync::{Counter, IrqContext, TaskContext};

use super::shared::Process;
use super::signals::post;
use super::signals::program_timer::{Counts, Notice, ProgramTimer};
use crate::timer_setting::Setting;
use crate::wall_clock::{self, Listener};

/// Program timers there are.
pub static LIVING: Census = Census::new("program timers");
static SERIALS: Counter = Counter::new(0);

struct Expiry {
    _counted: Counted,
    process: Weak<Process>,
    number: i32,
    serial: u64,
}

impl TimerTarget for Expiry {
    fn expired(&self, irq: &IrqContext) {
        if let Some(process) = self.process.upgrade() {
            post::timer_expired(irq, &process, self.number, self.serial);
        }
    }
}

impl Listener for Process {
    fn clock_was_set(&self, cx: &mut TaskContext) {
        self.signals.lock(cx).wall_clock_was_set();
    }
}

/// Makes a timer that is not set. Without a `value` its signal carries its number.
pub fn create(cx: &TaskContext, process: &Arc<Process>, counts: Counts, notice: Notice, value: Option<u64>) -> Result<i32, Errno> {
    let most = usize::try_from(process.soft_limit(cx, limit::PENDING_SIGNALS)).unwrap_or(usize::MAX);
    let number = process.signals.lock(cx).reserve_timer(notice, most)?;
    if counts == Counts::Wall && process.hears_of_wall_clock.claim() {
        let weak = Arc::downgrade(process);
        let listener: Weak<dyn Listener> = weak;
        wall_clock::listen(cx, listener);
    }
    let serial = SERIALS.increment();
    let alarm = Timer::new(Arc::new(Expiry { _counted: LIVING.count(), process: Arc::downgrade(process), number, serial }));
    let value = value.unwrap_or(u64::from(number.cast_unsigned()));
    process.signals.lock(cx).insert_timer(number, ProgramTimer::new(serial, alarm, counts, notice, value));
    Ok(number)
}

/// Sets a timer; answers how it stood.
pub fn set(cx: &TaskContext, process: &Process, number: i32, absolute: bool, new: Setting) -> Result<Setting, Errno> {
    process.signals.lock(cx).timer_setting(number, Some((absolute, new))).ok_or(Errno::EINVAL)
}

/// How a timer stands.
pub fn get(cx: &TaskContext, process: &Process, number: i32) -> Result<Setting, Errno> {
    process.signals.lock(cx).timer_setting(number, None).ok_or(Errno::EINVAL)
}

/// How many beats the signal taken last stood for, beyond its own.
pub fn overrun(cx: &TaskContext, process: &Process, number: i32) -> Result<i32, Errno> {
    process.signals.lock(cx).timer_overrun(number).ok_or(Errno::EINVAL)
}

/// Takes a timer away.
pub fn delete(cx: &TaskContext, process: &Process, number: i32) -> Result<(), Errno> {
    let removed = process.signals.lock(cx).remove_timer(number).ok_or(Errno::EINVAL)?;
    removed.alarm.cancel_and_wait(cx);
    Ok(())
}

/// Takes all of them away: the program changes or the process ends.
pub fn delete_all(cx: &TaskContext, process: &Process) {
    loop {
        let removed = process.signals.lock(cx).remove_first_timer();
        let Some(removed) = removed else { return };
        removed.alarm.cancel_and_wait(cx);
    }
}
