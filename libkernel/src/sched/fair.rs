//! The fair class: earliest eligible virtual deadline first.
//!
//! Invariant: `weight` and `weighted_runtime` sum over exactly the members: those waiting in the two trees, the one
//! that runs, and one just being switched away from. A member is eligible when it has had no more than its share.
//!
//! Virtual time of a member passes at its real running time, scaled by 1024 over its weight. The queue's virtual time
//! is the weighted average of its members'. Who waits stands in `ready`, by deadline, or, not yet eligible when last
//! looked at, in `early`, by virtual runtime; a look at the queue first moves over those that have become eligible.

use crate::thread::Thread;
use crate::thread::scheduling::NORMAL_WEIGHT;
use alloc::sync::Arc;
use intrusive_collections::rbtree::{self, CursorMut};
use intrusive_collections::{Adapter, DefaultPointerOps, KeyAdapter, RBTree, RBTreeAtomicLink, intrusive_adapter};

/// What a member may run before others with a like deadline get their turn.
pub(crate) const SLICE_NS: u64 = 3_000_000;
/// A member comes back from sleep with no more than this owed to it, or owing.
const LAG_LIMIT_NS: u64 = 2 * SLICE_NS;

intrusive_adapter!(ByDeadline = Arc<Thread>: Thread { fair_link => RBTreeAtomicLink });
intrusive_adapter!(ByRuntime = Arc<Thread>: Thread { fair_link => RBTreeAtomicLink });

impl<'a> KeyAdapter<'a> for ByDeadline {
    type Key = (i64, u64);
    fn get_key(&self, thread: &'a Thread) -> (i64, u64) {
        (thread.standing.virtual_deadline(), thread.id())
    }
}

impl<'a> KeyAdapter<'a> for ByRuntime {
    type Key = (i64, u64);
    fn get_key(&self, thread: &'a Thread) -> (i64, u64) {
        (thread.standing.virtual_runtime(), thread.id())
    }
}

/// Real nanoseconds in the virtual time of a weight.
fn scaled(nanoseconds: u64, weight: u64) -> i64 {
    (nanoseconds.min(1 << 40) * NORMAL_WEIGHT / weight).cast_signed()
}

fn weight_of(thread: &Thread) -> u64 {
    thread.standing.counted().weight()
}

pub(crate) struct Fair {
    ready: RBTree<ByDeadline>,
    early: RBTree<ByRuntime>,
    waiting: usize,
    weight: u64,
    weighted_runtime: i128,
    /// The average when there was last a member.
    last_average: i64,
}

impl Fair {
    pub(crate) const fn new() -> Self {
        Fair {
            ready: RBTree::new(ByDeadline::NEW),
            early: RBTree::new(ByRuntime::NEW),
            waiting: 0,
            weight: 0,
            weighted_runtime: 0,
            last_average: 0,
        }
    }

    pub(crate) const fn waiting(&self) -> usize {
        self.waiting
    }

    pub(crate) fn all_waiting(&self) -> impl Iterator<Item = &Thread> {
        self.ready.iter().chain(self.early.iter())
    }

    /// The queue's virtual time.
    fn average(&self) -> i64 {
        let weight = self.weight.cast_signed();
        match i64::try_from(self.weighted_runtime) {
            _ if weight == 0 => self.last_average,
            // Much faster, and it nearly always fits.
            Ok(sum) => sum.div_euclid(weight),
            Err(_) => self.weighted_runtime.div_euclid(i128::from(weight)) as i64,
        }
    }

    pub(crate) fn is_eligible(&self, thread: &Thread) -> bool {
        i128::from(thread.standing.virtual_runtime()) * i128::from(self.weight) <= self.weighted_runtime
    }

    /// Becomes a member, placed so that it keeps the lag it left with; it waits only after `put`.
    pub(crate) fn join(&mut self, thread: &Thread) {
        let (standing, weight) = (&thread.standing, weight_of(thread));
        let average = self.average();
        // Joining moves the average toward the newcomer: its lag is stretched so that it comes out as it was. Lags and
        // weights are limited so that this fits.
        let lag = match self.weight.cast_signed() {
            0 => 0,
            others => standing.lag().saturating_mul(others + weight.cast_signed()) / others,
        };
        standing.set_virtual_runtime(average.saturating_sub(lag));
        self.grant(thread);
        self.weight += weight;
        self.weighted_runtime += i128::from(standing.virtual_runtime()) * i128::from(weight);
    }

    /// Ceases to be a member. It is not waiting (any more).
    pub(crate) fn quit(&mut self, thread: &Thread) {
        let (standing, weight) = (&thread.standing, weight_of(thread));
        let average = self.average();
        let limit = scaled(LAG_LIMIT_NS, weight);
        standing.set_lag(average.saturating_sub(standing.virtual_runtime()).clamp(-limit, limit));
        self.weight -= weight;
        self.weighted_runtime -= i128::from(standing.virtual_runtime()) * i128::from(weight);
        self.last_average = average.max(standing.virtual_runtime());
        if self.weight != 0 {
            self.last_average = self.average();
        }
    }

    /// One leaves, and another becomes a member in its place, with the same weight. Each goes on with what the other was
    /// owed: nobody else has more or less for it.
    pub(crate) fn succeed(&self, leaving: &Thread, coming: &Thread) {
        let (from, to) = (&leaving.standing, &coming.standing);
        from.set_lag(to.lag());
        to.count_as_effective();
        to.set_virtual_runtime(from.virtual_runtime());
        to.set_virtual_deadline(from.virtual_deadline());
    }

    /// A new slice: the deadline moves on.
    fn grant(&self, thread: &Thread) {
        let standing = &thread.standing;
        standing.set_virtual_deadline(standing.virtual_runtime().saturating_add(scaled(SLICE_NS, weight_of(thread))));
    }

    /// A member waits from now on.
    pub(crate) fn put(&mut self, thread: Arc<Thread>) {
        self.waiting += 1;
        if self.is_eligible(&thread) {
            self.ready.insert(thread);
        } else {
            self.early.insert(thread);
        }
    }

    /// Takes a waiting member out of the trees; it stays a member.
    pub(crate) fn remove(&mut self, thread: &Thread) -> Option<Arc<Thread>> {
        let by_deadline = (thread.standing.virtual_deadline(), thread.id());
        let by_runtime = (thread.standing.virtual_runtime(), thread.id());
        let removed = self.ready.find_mut(&by_deadline).remove().or_else(|| self.early.find_mut(&by_runtime).remove())?;
        self.waiting -= 1;
        Some(removed)
    }

    /// Sorts the waiting members anew, as far as the first one's place depends on it.
    fn settle(&mut self) {
        while self.early.front().get().is_some_and(|thread| self.is_eligible(thread)) {
            if let Some(thread) = self.early.front_mut().remove() {
                self.ready.insert(thread);
            }
        }
        while self.ready.front().get().is_some_and(|thread| !self.is_eligible(thread)) {
            if let Some(thread) = self.ready.front_mut().remove() {
                self.early.insert(thread);
            }
        }
    }

    /// The best of those that wait.
    fn best(&mut self) -> Option<&Thread> {
        self.settle();
        self.ready.front().get().or_else(|| self.early.front().get())
    }

    /// Is someone waiting with a better right than the member that runs?
    pub(crate) fn beats(&mut self, running: &Thread) -> bool {
        let runner_is_eligible = self.is_eligible(running);
        let deadline = running.standing.virtual_deadline();
        self.settle();
        match self.ready.front().get() {
            Some(first) => !runner_is_eligible || first.standing.virtual_deadline() < deadline,
            None => false,
        }
    }

    /// Takes the best of those that wait; it stays a member.
    pub(crate) fn take(&mut self) -> Option<Arc<Thread>> {
        self.best()?;
        let taken = self.ready.front_mut().remove().or_else(|| self.early.front_mut().remove());
        self.waiting -= usize::from(taken.is_some());
        taken
    }

    /// Takes one that waits and that `suits`, from the end that would wait longest; it stays a member.
    pub(crate) fn take_last(&mut self, suits: impl Fn(&Thread) -> bool) -> Option<Arc<Thread>> {
        let taken = last_that(self.early.back_mut(), &suits).or_else(|| last_that(self.ready.back_mut(), &suits))?;
        self.waiting -= 1;
        Some(taken)
    }

    /// The member that runs has run for `nanoseconds`. Has it used up its slice?
    pub(crate) fn charge(&mut self, running: &Thread, nanoseconds: u64) -> bool {
        let (standing, weight) = (&running.standing, weight_of(running));
        let passed = scaled(nanoseconds, weight);
        standing.set_virtual_runtime(standing.virtual_runtime().saturating_add(passed));
        self.weighted_runtime += i128::from(passed) * i128::from(weight);
        let used_up = standing.virtual_runtime() >= standing.virtual_deadline();
        if used_up {
            self.grant(running);
        }
        used_up
    }

    /// The member that runs gives up the rest of its slice.
    pub(crate) fn forfeit(&mut self, running: &Thread) {
        let (standing, weight) = (&running.standing, weight_of(running));
        let rest = standing.virtual_deadline().saturating_sub(standing.virtual_runtime()).max(0);
        standing.set_virtual_runtime(standing.virtual_runtime() + rest);
        self.weighted_runtime += i128::from(rest) * i128::from(weight);
        self.grant(running);
    }

    /// Real nanoseconds until the slice of the member that runs is used up.
    pub(crate) fn slice_left(&self, running: &Thread) -> u64 {
        let standing = &running.standing;
        let rest = standing.virtual_deadline().saturating_sub(standing.virtual_runtime()).max(0).cast_unsigned();
        (u128::from(rest) * u128::from(weight_of(running)) / u128::from(NORMAL_WEIGHT)) as u64
    }
}

/// How many are looked at for one that may be taken.
const LOOK_AT: usize = 32;

fn last_that<A>(mut cursor: CursorMut<'_, A>, suits: &impl Fn(&Thread) -> bool) -> Option<Arc<Thread>>
where
    A: Adapter<LinkOps = rbtree::AtomicLinkOps, PointerOps = DefaultPointerOps<Arc<Thread>>>,
{
    for _ in 0..LOOK_AT {
        if suits(cursor.get()?) {
            return cursor.remove();
        }
        cursor.move_prev();
    }
    None
}
