//! Timers: a target is called when its time has come.
//!
//! Invariant: a timer is in the list of the CPU that its `home` names, and in none when that is `NOWHERE`; both
//! change together, under that list's lock. A target is called with no lock held, so it may be called once more
//! just after its timer was cancelled: it must take that as nothing, or be waited for (`cancel_and_wait`).

use crate::alarm::{self, Slot};
use crate::census::{Census, Counted};
use crate::clock;
use alloc::sync::Arc;
use intrusive_collections::{KeyAdapter, RBTree, RBTreeAtomicLink, intrusive_adapter};
use sync::twin::{self, Twin};
use sync::{Counter, CpuId, IrqContext, IrqOff, PerCpu, Published, SpinLock, TaskContext, cpu, might_sleep, order};

/// What a timer calls, in its CPU's interrupt handler.
pub trait TimerTarget: Send + Sync {
    fn expired(&self, context: &IrqContext);
}

const NOWHERE: usize = usize::MAX;
/// How many targets one interrupt calls, so that others get their turn.
const MOST_AT_ONCE: usize = 64;

/// Timers, armed or not.
pub static LIVING: Census = Census::new("timers");

struct Node {
    _counted: Counted,
    link: RBTreeAtomicLink,
    number: u64,
    at: Counter,
    home: Published<usize>,
    /// How many CPUs are about to call the target, or are in it.
    calls: Published<u32>,
    target: Arc<dyn TimerTarget>,
}

intrusive_adapter!(ByTime = Arc<Node>: Node { link => RBTreeAtomicLink });

impl<'a> KeyAdapter<'a> for ByTime {
    type Key = (u64, u64);
    fn get_key(&self, node: &'a Node) -> (u64, u64) {
        (node.at.get(), node.number)
    }
}

/// One CPU's timers, the next first.
struct Timers(RBTree<ByTime>);

type List = SpinLock<Timers, order::Timers>;

sync::shared_per_cpu! {
    static LISTS: PerCpu<List> = SpinLock::new(Timers::new());
}
static NUMBERS: Counter = Counter::new(0);

impl Timers {
    const fn new() -> Self {
        Timers(RBTree::new(ByTime::NEW))
    }

    fn next(&self) -> Option<u64> {
        self.0.front().get().map(|node| node.at.get())
    }

    /// False when another CPU has armed the same timer meanwhile.
    fn insert(&mut self, node: &Arc<Node>, at: u64, here: CpuId) -> bool {
        if node.home.compare_exchange(NOWHERE, here.index()).is_err() {
            return false;
        }
        node.at.set(at);
        self.0.insert(Arc::clone(node));
        true
    }

    /// Takes it out if it is in this list.
    fn remove(&mut self, node: &Node, home: CpuId) -> bool {
        if node.home.load() != home.index() {
            return false;
        }
        if twin::is(Twin::CancelForgetsTheList) {
            node.home.store(NOWHERE);
            return true;
        }
        let removed = self.0.find_mut(&(node.at.get(), node.number)).remove();
        node.home.store(NOWHERE);
        removed.is_some()
    }

    fn take_due(&mut self, now: u64) -> Option<Arc<Node>> {
        let mut first = self.0.front_mut();
        let due = if first.get()?.at.get() <= now { first.remove()? } else { return None };
        // Before it is nowhere: who finds it there then finds the call too.
        if !twin::is(Twin::CallCountedLate) {
            due.calls.fetch_add(1);
        }
        due.home.store(NOWHERE);
        Some(due)
    }
}

/// A timer; dropping it cancels it.
pub struct Timer(Arc<Node>);

impl Timer {
    /// Not armed yet.
    pub fn new(target: Arc<dyn TimerTarget>) -> Timer {
        Timer(Arc::new(Node {
            _counted: LIVING.count(),
            link: RBTreeAtomicLink::new(),
            number: NUMBERS.increment(),
            at: Counter::new(0),
            home: Published::<usize>::new(NOWHERE),
            calls: Published::<u32>::new(0),
            target,
        }))
    }

    /// Calls `target` at this time (nanoseconds since boot).
    pub fn at(at: u64, target: Arc<dyn TimerTarget>) -> Timer {
        let timer = Timer::new(target);
        timer.arm(at);
        timer
    }

    /// Calls the target at this time instead of when it was armed for before. From anywhere, handlers too.
    pub fn arm(&self, at: u64) {
        let mut irq = IrqOff::new();
        loop {
            self.cancel();
            let here = cpu::current();
            let (armed, next) = {
                let mut timers = LISTS.of(here).lock(&irq);
                (timers.insert(&self.0, at, here), timers.next())
            };
            if armed {
                alarm::set(Slot::Timers, next, &mut irq);
                return;
            }
        }
    }

    /// Was it still armed? If not, its target was called, or is just being called.
    pub fn cancel(&self) -> bool {
        loop {
            let home = self.0.home.load();
            if home == NOWHERE {
                return false;
            }
            let home = CpuId::new(home);
            if LISTS.of(home).lock_without_context().remove(&self.0, home) {
                return true;
            }
        }
    }

    /// Afterwards its target is not being called, nor will be: whatever the target looks up in its call may go. Whoever
    /// might arm the timer has been told not to, and the caller holds no spin lock that the target takes.
    pub fn cancel_and_wait(&self, _: &TaskContext) {
        might_sleep();
        loop {
            self.cancel();
            // Looked at on both sides, since a call may arm the timer again as its last deed.
            if !self.is_being_called() && self.due().is_none() && !self.is_being_called() {
                return;
            }
            cpu::relax();
        }
    }

    fn is_being_called(&self) -> bool {
        self.0.calls.load() != 0
    }

    /// When it is due; `None` when it is not armed.
    pub fn due(&self) -> Option<u64> {
        (self.0.home.load() != NOWHERE).then(|| self.0.at.get())
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.cancel();
    }
}

/// Called once, at boot.
pub fn initialise() {
    alarm::set_called(Slot::Timers, timers_are_due);
}

fn timers_are_due(context: &IrqContext) {
    let mut irq = IrqOff::new();
    let list = LISTS.of(cpu::current());
    let now = clock::now();
    for _ in 0..MOST_AT_ONCE {
        let due = list.lock(&irq).take_due(now);
        let Some(due) = due else { break };
        if twin::is(Twin::CallCountedLate) {
            due.calls.fetch_add(1);
        }
        due.target.expired(context);
        due.calls.fetch_sub(1);
    }
    let next = list.lock(&irq).next();
    alarm::set(Slot::Timers, next, &mut irq);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    struct Nothing;

    impl TimerTarget for Nothing {
        fn expired(&self, _: &IrqContext) {}
    }

    const HERE: CpuId = CpuId::BOOT;

    #[test]
    fn timers_come_out_in_order_of_time_and_only_when_due() {
        let mut timers = Timers::new();
        let all: Vec<Timer> = (0..4).map(|_| Timer::new(Arc::new(Nothing))).collect();
        for (timer, at) in all.iter().zip([30, 10, 20, 10]) {
            assert!(timers.insert(&timer.0, at, HERE));
        }
        assert_eq!(timers.next(), Some(10));
        let due: Vec<u64> = core::iter::from_fn(|| timers.take_due(20)).map(|node| node.at.get()).collect();
        assert_eq!(due, [10, 10, 20]);
        assert_eq!(timers.next(), Some(30));
        assert!(timers.remove(&all[0].0, HERE));
    }

    #[test]
    fn who_cancels_and_waits_returns_only_after_the_call_and_what_that_armed() {
        let timer = Timer::new(Arc::new(Nothing));
        let mut timers = Timers::new();
        assert!(timers.insert(&timer.0, 5, HERE));
        let Some(due) = timers.take_due(5) else { panic!("a timer was due and did not come out") };
        let returned = sync::Flag::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                // SAFETY: nothing asks whose context it is.
                #[allow(unsafe_code)]
                let cx = unsafe { TaskContext::enter(core::ptr::NonNull::dangling()) };
                timer.cancel_and_wait(&cx);
                returned.set();
            });
            std::thread::sleep(std::time::Duration::from_millis(20));
            assert!(!returned.is_set(), "the target is still being called");
            timer.arm(u64::MAX);
            due.calls.fetch_sub(1);
        });
        assert!(returned.is_set() && timer.due().is_none());
    }

    #[test]
    fn a_timer_is_in_one_list_at_most() {
        let (mut one, mut other) = (Timers::new(), Timers::new());
        let timer = Timer::new(Arc::new(Nothing));
        assert!(one.insert(&timer.0, 5, CpuId::new(0)));
        assert!(!other.insert(&timer.0, 5, CpuId::new(1)));
        assert!(!other.remove(&timer.0, CpuId::new(1)));
        assert!(one.remove(&timer.0, CpuId::new(0)));
        assert!(!one.remove(&timer.0, CpuId::new(0)), "cancelled twice");
        assert!(other.insert(&timer.0, 6, CpuId::new(1)));
        assert!(other.remove(&timer.0, CpuId::new(1)));
    }
}
