//! Wait queues: how every thread sleeps.
//!
//! Invariant: a waiter is registered before it looks at its condition for the last time before sleeping; a waker
//! makes the condition true before it looks at the queue. A waiter that leaves after it was chosen, for whatever
//! reason, passes the choice on: so no wake is lost, and a needless one costs only a look.

use super::timers::Timer;
use super::waiter::{ByArrival, Deadline, Place, Waiter};
use crate::clock;
use crate::error::KernelError;
use crate::sched::{self, switch};
use crate::thread::waiting::{Manner, Wait};
use crate::thread::{Thread, current};
use alloc::sync::Arc;
use alloc::vec::Vec;
use arrayvec::ArrayVec;
use core::panic::Location;
use intrusive_collections::{Bound, RBTree};
use sync::{Allows, PreemptOff, Published, SpinLock, TaskContext, kind, might_sleep, order};

/// How many are woken between two looks at the queue.
const BATCH: usize = 8;

struct Places {
    /// Watchers first, then the exclusive ones, each in order of arrival.
    tree: RBTree<ByArrival>,
    arrivals: u64,
}

pub struct WaitQueue {
    /// What its waiters wait for, in reports.
    name: &'static str,
    /// Where the thread is that all waiters wait for, as far as it is known.
    holder: Published<*mut ()>,
    places: SpinLock<Places, order::WaitQueue>,
}

impl Default for WaitQueue {
    fn default() -> Self {
        Self::new()
    }
}

impl WaitQueue {
    /// For waits that reports need not name.
    pub const fn new() -> Self {
        Self::named("something")
    }

    /// `name` says what is waited for: "a full pipe's reader".
    pub const fn named(name: &'static str) -> Self {
        let places = SpinLock::new(Places { tree: RBTree::new(ByArrival::NEW), arrivals: 0 });
        WaitQueue { name, holder: Published::<*mut ()>::new(core::ptr::null_mut()), places }
    }

    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// For reports: who is expected to wake the waiters, or nobody in particular.
    pub fn set_holder(&self, thread: Option<&Thread>) {
        self.holder.store(thread.map_or(core::ptr::null_mut(), |thread| core::ptr::from_ref(thread).cast_mut().cast()));
    }

    /// The same for the thread itself, and for hot paths.
    #[inline]
    pub(super) fn hold(&self, cx: &TaskContext) {
        self.holder.store(cx.thread_pointer().as_ptr());
    }

    /// Sleeps until the condition says `Some`. The condition takes its own locks.
    #[track_caller]
    pub fn wait_until<R>(&self, cx: &mut TaskContext, condition: impl FnMut(&mut TaskContext) -> Option<R>) -> R {
        without_end(wait(cx, &[self], true, Deadline::NEVER, Manner::Steadfast, condition))
    }

    /// The same where it is nobody's fault if that takes for ever.
    #[track_caller]
    pub fn wait_patiently_until<R>(&self, cx: &mut TaskContext, condition: impl FnMut(&mut TaskContext) -> Option<R>) -> R {
        without_end(wait(cx, &[self], true, Deadline::NEVER, Manner::Patient, condition))
    }

    /// The same, but an interruption of the thread ends it.
    #[track_caller]
    pub fn wait_until_or_interrupted<R>(
        &self,
        cx: &mut TaskContext,
        condition: impl FnMut(&mut TaskContext) -> Option<R>,
    ) -> Result<R, KernelError> {
        wait(cx, &[self], true, Deadline::NEVER, Manner::Interruptible, condition)
    }

    /// The same, with an end.
    #[track_caller]
    pub fn wait_until_or<R>(
        &self,
        cx: &mut TaskContext,
        deadline: Deadline,
        interruptible: bool,
        condition: impl FnMut(&mut TaskContext) -> Option<R>,
    ) -> Result<R, KernelError> {
        wait(cx, &[self], true, deadline, manner(interruptible), condition)
    }

    /// Wakes all watchers and the exclusive waiter that has waited longest.
    pub fn wake_one<X: Allows<kind::Irq>>(&self, context: &X) {
        self.wake(context, Some(1));
    }

    /// As `wake_one`, and hands the woken thread this CPU at its next switch, if it may run here: for one who is about
    /// to sleep or to end. With watchers only, to the last of them.
    pub fn wake_one_donating(&self, cx: &TaskContext) {
        self.wake_with(cx, Some(1), |thread, is_last| if is_last { sched::wake_donating(cx, thread) } else { sched::wake(thread) });
    }

    /// As `wake_all`, and hands the CPU to the last of them in the same way.
    pub fn wake_all_donating(&self, cx: &TaskContext) {
        self.wake_with(cx, None, |thread, is_last| if is_last { sched::wake_donating(cx, thread) } else { sched::wake(thread) });
    }

    /// Wakes everyone that waits now.
    pub fn wake_all<X: Allows<kind::Irq>>(&self, context: &X) {
        self.wake(context, None);
    }

    /// Does anyone wait now? A guess, unless the lock that guards the condition is held.
    pub fn has_waiters<X: Allows<kind::Irq>>(&self, context: &X) -> bool {
        !self.places.lock(context).tree.is_empty()
    }

    /// `wake_one` for a `Drop`, which has no context.
    pub(super) fn wake_one_from_drop(&self) {
        self.wake_one(&PreemptOff::new());
    }

    fn wake<X: Allows<kind::Irq>>(&self, context: &X, exclusives: Option<usize>) {
        self.wake_with(context, exclusives, |thread, _| sched::wake(thread));
    }

    /// `wake` is told whether the thread is the last for now.
    fn wake_with<X: Allows<kind::Irq>>(&self, context: &X, exclusives: Option<usize>, wake: impl Fn(&Arc<Thread>, bool)) {
        let mut end = None;
        let mut left = exclusives.unwrap_or(usize::MAX);
        loop {
            let mut batch = ArrayVec::<Arc<Place>, BATCH>::new();
            {
                let mut places = self.places.lock(context);
                let end = *end.get_or_insert(places.arrivals);
                while !batch.is_full()
                    && let Some(place) = places.take_before(end, left.saturating_sub(count_exclusive(&batch)) != 0)
                {
                    batch.push(place);
                }
            }
            let mut again = batch.is_full();
            let last = batch.len().wrapping_sub(1);
            for (number, place) in batch.into_iter().enumerate() {
                let counts = place.waiter.choose(|thread| wake(thread, number == last)) && place.exclusive;
                left -= usize::from(counts);
                // One that another queue had chosen already does not count: the wake is for the next.
                again |= place.exclusive && !counts;
            }
            if !again {
                return;
            }
        }
    }

    /// Does nothing for one that is registered already.
    fn register(&self, cx: &TaskContext, place: &Arc<Place>) {
        let mut places = self.places.lock(cx);
        if !place.is_queued() {
            place.set_arrival(places.arrivals);
            places.arrivals += 1;
            places.tree.insert(Arc::clone(place));
        }
    }

    /// Was it still there?
    fn leave(&self, cx: &TaskContext, place: &Place) -> bool {
        let removed = self.places.lock(cx).tree.find_mut(&place.key()).remove();
        removed.is_some()
    }
}

fn count_exclusive(batch: &[Arc<Place>]) -> usize {
    batch.iter().filter(|place| place.exclusive).count()
}

impl Places {
    /// The next to be woken of those that arrived before `end`.
    fn take_before(&mut self, end: u64, exclusive_too: bool) -> Option<Arc<Place>> {
        let mut first = self.tree.front_mut();
        if first.get().is_some_and(|place| !place.exclusive && place.arrival() < end) {
            return first.remove();
        }
        if !exclusive_too {
            return None;
        }
        let mut first = self.tree.lower_bound_mut(Bound::Included(&(true, 0_u64)));
        if first.get()?.arrival() < end { first.remove() } else { None }
    }
}

/// Waits on several queues at once, without taking any of their wakes from those that wait for one each.
#[track_caller]
pub fn wait_on<R>(
    cx: &mut TaskContext,
    queues: &[&WaitQueue],
    deadline: Deadline,
    interruptible: bool,
    condition: impl FnMut(&mut TaskContext) -> Option<R>,
) -> Result<R, KernelError> {
    wait(cx, queues, false, deadline, manner(interruptible), condition)
}

/// Sleeps. `Err(Interrupted)` when the thread was called out before.
#[track_caller]
pub fn sleep_until(cx: &mut TaskContext, deadline: Deadline, interruptible: bool) -> Result<(), KernelError> {
    match wait(cx, &[], false, deadline, manner(interruptible), |_| None::<()>) {
        Ok(()) | Err(KernelError::TimedOut) => Ok(()),
        Err(error) => Err(error),
    }
}

const fn manner(interruptible: bool) -> Manner {
    if interruptible { Manner::Interruptible } else { Manner::Steadfast }
}

fn without_end<R>(result: Result<R, KernelError>) -> R {
    match result {
        Ok(result) => result,
        Err(_) => panic!("a wait without end or interruption ended"),
    }
}

#[track_caller]
fn wait<R>(
    cx: &mut TaskContext,
    queues: &[&WaitQueue],
    exclusive: bool,
    deadline: Deadline,
    manner: Manner,
    mut condition: impl FnMut(&mut TaskContext) -> Option<R>,
) -> Result<R, KernelError> {
    might_sleep();
    if let Some(result) = condition(cx) {
        return Ok(result);
    }
    if deadline.has_passed() {
        return Err(KernelError::TimedOut);
    }
    let thread = Arc::clone(current::of(cx));
    let waiter = Waiter::new(&thread);
    let places: Vec<_> = queues.iter().map(|queue| (*queue, Place::new(&waiter, exclusive))).collect();
    let timer = deadline.0.map(|at| Timer::at(at, waiter.clone()));
    let wait = Wait {
        names: &|index| places.get(index).map(|(queue, _)| queue.name),
        holder: places.first().map(|(queue, _)| &queue.holder),
        location: Location::caller(),
        since: clock::now(),
        until: deadline.0,
        manner,
    };
    let result = sleep_through(cx, &thread, &waiter, &places, &wait, &mut condition);
    drop(timer);
    for (queue, place) in &places {
        if !queue.leave(cx, place) && place.exclusive {
            queue.wake_one(cx);
        }
    }
    result
}

fn sleep_through<R>(
    cx: &mut TaskContext,
    thread: &Arc<Thread>,
    waiter: &Waiter,
    places: &[(&WaitQueue, Arc<Place>)],
    wait: &Wait<'_>,
    condition: &mut impl FnMut(&mut TaskContext) -> Option<R>,
) -> Result<R, KernelError> {
    let interruptible = wait.manner == Manner::Interruptible;
    loop {
        for (queue, place) in places {
            queue.register(cx, place);
        }
        if let Some(result) = condition(cx) {
            return Ok(result);
        }
        if waiter.has_expired() {
            return Err(KernelError::TimedOut);
        }
        if interruptible && thread.is_interrupted() {
            return Err(KernelError::Interrupted);
        }
        if thread.park.prepare() && waiter.is_undisturbed(interruptible) {
            thread.waits.during(wait, || switch::sleep(cx));
        }
        thread.park.finish();
        waiter.take_choice();
    }
}
