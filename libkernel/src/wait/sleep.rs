//! How every thread sleeps.
//!
//! Invariant: a waiter is registered before it looks at its condition for the last time before sleeping; a waker
//! makes the condition true before it looks at the queue. A waiter that leaves after it was chosen, and not because
//! of that, passes the choice on: so no wake is lost, and a needless one costs only a look.

use super::queue::WaitQueue;
use super::timers::{Timer, TimerTarget};
use super::waiter::{Deadline, Place, Waiter};
use crate::clock;
use crate::error::KernelError;
use crate::sched::switch;
use crate::thread::current;
use crate::thread::waiting::{Manner, Wait};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::panic::Location;
use sync::twin::{self, Twin};
use sync::{TaskContext, might_sleep};

/// A place in a queue, as its owner knows it.
struct Registration<'a> {
    queue: &'a WaitQueue,
    place: Arc<Place>,
    /// How often it was put into the queue, as far as no choice from there was taken note of since.
    open: u32,
}

impl<'a> Registration<'a> {
    const fn new(queue: &'a WaitQueue, place: Arc<Place>) -> Self {
        Registration { queue, place, open: 0 }
    }

    fn enter(&mut self, cx: &TaskContext) {
        self.open += u32::from(self.queue.register(cx, &self.place));
    }

    /// A choice was taken note of. If the place was put there twice, a second choice may be under way.
    const fn chosen(&mut self) {
        if self.open == 1 {
            self.open = 0;
        }
    }

    /// A choice that was not taken note of is passed on.
    fn leave(&self, cx: &TaskContext) {
        if self.open != 0 && !self.queue.leave(cx, &self.place) && self.place.exclusive && !twin::is(Twin::ChosenLeavesSilently) {
            self.queue.wake_one(cx);
        }
    }
}

/// Waits in one queue, for one wake.
#[track_caller]
pub(super) fn wait<R>(
    cx: &mut TaskContext,
    queue: &WaitQueue,
    deadline: Deadline,
    manner: Manner,
    mut condition: impl FnMut(&mut TaskContext) -> Option<R>,
) -> Result<R, KernelError> {
    might_sleep();
    if let Some(result) = condition(cx) {
        return Ok(result);
    }
    let place = Place::alone(current::of(cx));
    let registrations = &mut [Registration::new(queue, Arc::clone(&place))];
    let limits = Limits { deadline, manner, location: Location::caller() };
    sleep_through(cx, place.waiter(), registrations, limits, || place.clone(), &mut condition)
}

/// Waits on several queues at once, without taking any of their wakes from those that wait for one each.
#[track_caller]
pub fn wait_on<R>(
    cx: &mut TaskContext,
    queues: &[&WaitQueue],
    deadline: Deadline,
    interruptible: bool,
    mut condition: impl FnMut(&mut TaskContext) -> Option<R>,
) -> Result<R, KernelError> {
    might_sleep();
    if let Some(result) = condition(cx) {
        return Ok(result);
    }
    let waiter = Arc::new(Waiter::new(current::of(cx)));
    let mut registrations: Vec<_> = queues.iter().map(|queue| Registration::new(queue, Place::of(&waiter))).collect();
    let limits = Limits { deadline, manner: manner(interruptible), location: Location::caller() };
    sleep_through(cx, &waiter, &mut registrations, limits, || waiter.clone(), &mut condition)
}

/// Sleeps. `Err(Interrupted)` when the thread was called out before.
#[track_caller]
pub fn sleep_until(cx: &mut TaskContext, deadline: Deadline, interruptible: bool) -> Result<(), KernelError> {
    match wait_on(cx, &[], deadline, interruptible, |_| None::<()>) {
        Ok(()) | Err(KernelError::TimedOut) => Ok(()),
        Err(error) => Err(error),
    }
}

pub(super) const fn manner(interruptible: bool) -> Manner {
    if interruptible { Manner::Interruptible } else { Manner::Steadfast }
}

pub(super) fn without_end<R>(result: Result<R, KernelError>) -> R {
    match result {
        Ok(result) => result,
        Err(_) => panic!("a wait without end or interruption ended"),
    }
}

/// What ends a wait beside its condition, and who waits.
struct Limits {
    deadline: Deadline,
    manner: Manner,
    location: &'static Location<'static>,
}

fn sleep_through<R, T: TimerTarget + 'static>(
    cx: &mut TaskContext,
    waiter: &Waiter,
    registrations: &mut [Registration<'_>],
    limits: Limits,
    target: impl FnOnce() -> Arc<T>,
    condition: &mut impl FnMut(&mut TaskContext) -> Option<R>,
) -> Result<R, KernelError> {
    if limits.deadline.has_passed() {
        return Err(KernelError::TimedOut);
    }
    let timer = limits.deadline.0.map(|at| Timer::at(at, target()));
    let since = clock::now();
    let result = loop {
        if !twin::is(Twin::RegistersAfterLooking) {
            registrations.iter_mut().for_each(|registration| registration.enter(cx));
        }
        if let Some(result) = condition(cx) {
            break Ok(result);
        }
        if twin::is(Twin::RegistersAfterLooking) {
            registrations.iter_mut().for_each(|registration| registration.enter(cx));
        }
        if let Some(error) = ended(waiter, limits.manner) {
            break Err(error);
        }
        sleep_once(cx, waiter, registrations, &limits, since);
        if waiter.take_choice() {
            if let [only] = registrations {
                only.chosen();
            }
            // Most wakes end the wait. If this one does not, the waiter registers anew before it looks once more.
            if let Some(result) = condition(cx) {
                break Ok(result);
            }
        }
    };
    drop(timer);
    registrations.iter().for_each(|registration| registration.leave(cx));
    result
}

/// Why the wait is over though its condition does not hold.
fn ended(waiter: &Waiter, manner: Manner) -> Option<KernelError> {
    if waiter.has_expired() {
        Some(KernelError::TimedOut)
    } else if manner == Manner::Interruptible && waiter.thread().is_interrupted() {
        Some(KernelError::Interrupted)
    } else {
        None
    }
}

/// Until someone wakes the thread, for whatever reason.
fn sleep_once(cx: &mut TaskContext, waiter: &Waiter, registrations: &[Registration<'_>], limits: &Limits, since: u64) {
    let thread = waiter.thread();
    let marked_late = twin::is(Twin::BlockedMarkedLate);
    if marked_late {
        thread.park.finish();
    }
    if thread.park.prepare() && (marked_late || waiter.is_undisturbed(limits.manner == Manner::Interruptible)) {
        let wait = Wait {
            names: &|index| registrations.get(index).map(|registration| registration.queue.name()),
            holder: registrations.first().map(|registration| registration.queue.holder()),
            location: limits.location,
            since,
            until: limits.deadline.0,
            manner: limits.manner,
        };
        thread.waits.during(&wait, || switch::sleep(cx));
    }
    thread.park.finish();
}
