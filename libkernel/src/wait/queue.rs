//! Wait queues: who waits for what, and how they are woken.
//!
//! Invariant: a waker makes the condition true before it looks at the queue; whom it takes out of the queue it has
//! chosen, and tells so. One that had been chosen elsewhere already does not use up the wake.

use super::sleep::{manner, wait, without_end};
use super::waiter::{Alert, ByArrival, Deadline, Place};
use crate::error::KernelError;
use crate::thread::Thread;
use crate::thread::waiting::Manner;
use alloc::sync::Arc;
use arrayvec::ArrayVec;
use intrusive_collections::{Bound, RBTree};
use sync::{Allows, PreemptOff, Published, SpinLock, TaskContext, kind, order};

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
    /// How many places are taken: a waker that finds none takes no lock.
    count: Published<u32>,
    places: SpinLock<Places, order::WaitQueue>,
}

impl Default for WaitQueue {
    fn default() -> Self {
        Self::new()
    }
}

impl WaitQueue {
    sync::const_unless_loom! {
        /// For waits that reports need not name.
        pub const fn new() -> Self {
            Self::named("something")
        }
    }

    sync::const_unless_loom! {
        /// `name` says what is waited for: "a full pipe's reader".
        pub const fn named(name: &'static str) -> Self {
            let places = SpinLock::new(Places { tree: RBTree::new(ByArrival::NEW), arrivals: 0 });
            WaitQueue { name, holder: Published::<*mut ()>::new(core::ptr::null_mut()), count: Published::<u32>::new(0), places }
        }
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
        without_end(wait(cx, self, Deadline::NEVER, Manner::Steadfast, condition))
    }

    /// The same where it is nobody's fault if that takes for ever.
    #[track_caller]
    pub fn wait_patiently_until<R>(&self, cx: &mut TaskContext, condition: impl FnMut(&mut TaskContext) -> Option<R>) -> R {
        without_end(wait(cx, self, Deadline::NEVER, Manner::Patient, condition))
    }

    /// The same, but an interruption of the thread ends it.
    #[track_caller]
    pub fn wait_until_or_interrupted<R>(
        &self,
        cx: &mut TaskContext,
        condition: impl FnMut(&mut TaskContext) -> Option<R>,
    ) -> Result<R, KernelError> {
        wait(cx, self, Deadline::NEVER, Manner::Interruptible, condition)
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
        wait(cx, self, deadline, manner(interruptible), condition)
    }

    /// Wakes all watchers and the exclusive waiter that has waited longest. Right only where any waiter will do: all wait for the same, and
    /// one that leaves something over wakes the next.
    pub fn wake_one<X: Allows<kind::Irq>>(&self, context: &X) {
        self.wake(context, Some(1));
    }

    /// As `wake_one`, and hands the woken thread this CPU at its next switch, if it may run here: for one who is about
    /// to sleep or to end. With watchers only, to the last of them.
    pub fn wake_one_donating(&self, cx: &TaskContext) {
        self.wake_for(cx, Some(1), Some(cx));
    }

    /// As `wake_all`, and hands the CPU to the last of them in the same way.
    pub fn wake_all_donating(&self, cx: &TaskContext) {
        self.wake_for(cx, None, Some(cx));
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
        self.wake_for(context, exclusives, None);
    }

    /// The donor hands its CPU to the last of those that are woken.
    fn wake_for<X: Allows<kind::Irq>>(&self, context: &X, exclusives: Option<usize>, donor: Option<&TaskContext>) {
        // An exchange that changes nothing: a plain look might miss one that registers, who might miss the condition.
        if self.count.fetch_add(0) == 0 {
            return;
        }
        let mut end = None;
        let mut left = exclusives.unwrap_or(usize::MAX);
        loop {
            let mut batch = ArrayVec::<Arc<Place>, BATCH>::new();
            {
                let mut places = self.places.lock(context);
                let end = *end.get_or_insert(places.arrivals);
                let mut wanted = left;
                while !batch.is_full()
                    && let Some(place) = places.take_before(end, wanted != 0)
                {
                    wanted -= usize::from(place.exclusive);
                    batch.push(place);
                }
                self.count.fetch_sub(batch.len() as u32);
            }
            let mut again = batch.is_full();
            let last = batch.len().wrapping_sub(1);
            for (number, place) in batch.into_iter().enumerate() {
                let counts = place.choose(donor.filter(|_| number == last)) && place.exclusive;
                left -= usize::from(counts);
                // One that another queue had chosen already does not count: the wake is for the next.
                again |= place.exclusive && !counts;
            }
            if !again {
                return;
            }
        }
    }

    /// Registers a watch, for one wake.
    pub fn watch<X: Allows<kind::Irq>>(&self, context: &X, watch: &Watch) {
        self.register(context, &watch.0);
    }

    /// Takes it out again; it may just be called for the last time.
    pub fn unwatch<X: Allows<kind::Irq>>(&self, context: &X, watch: &Watch) {
        self.leave(context, &watch.0);
    }

    /// Does nothing, and says so, for one that is registered already.
    pub(super) fn register<X: Allows<kind::Irq>>(&self, cx: &X, place: &Arc<Place>) -> bool {
        let mut places = self.places.lock(cx);
        let is_new = !place.is_queued();
        if is_new {
            place.set_arrival(places.arrivals);
            places.arrivals += 1;
            places.tree.insert(Arc::clone(place));
            // An exchange, as the waker's look is: who comes second sees what the first did before.
            self.count.fetch_add(1);
        }
        is_new
    }

    /// For reports.
    pub(super) const fn holder(&self) -> &Published<*mut ()> {
        &self.holder
    }

    /// Was it still there?
    pub(super) fn leave<X: Allows<kind::Irq>>(&self, cx: &X, place: &Place) -> bool {
        let removed = {
            let mut places = self.places.lock(cx);
            // One that was never here has a number of another's.
            let removed = if place.is_queued() { places.tree.find_mut(&place.key()).remove() } else { None };
            self.count.fetch_sub(u32::from(removed.is_some()));
            removed
        };
        removed.is_some()
    }
}

/// Calls somebody at a queue's next wake. Used with one queue only.
pub struct Watch(Arc<Place>);

impl Watch {
    pub fn new(alert: Arc<dyn Alert>) -> Self {
        Watch(Place::for_alert(alert))
    }
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
