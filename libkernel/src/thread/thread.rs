//! A thread: its stack, its context, its state.
//!
//! Invariant: `seat` says where it is: running on its home CPU, queued there, or neither; it changes under that
//! CPU's run queue lock only. A living thread holds a reference to itself, given up by the switch that buries it.

use super::accounting::Account;
use super::list;
use super::owned::Owned;
use super::remains::{self, Remains};
use super::scheduling::{Scheduling, Standing};
use super::stack::Stack;
use super::user::OwnMemory;
use super::waiting::WaitRecord;
use crate::census::{Census, Counted};
use alloc::boxed::Box;
use alloc::sync::Arc;
use arrayvec::ArrayString;
use core::any::Any;
use intrusive_collections::{LinkedListAtomicLink, RBTreeAtomicLink};
use machine::context::Context;
use machine::cpu::fpu::ExtendedState;
use sync::{Counter, CpuId, CpuSet, Flag, Park, Published, SpinLock, TaskContext, order};

/// What a personality hangs on a thread. It must not own the thread, or neither is ever freed.
pub type Payload = Arc<dyn Any + Send + Sync>;
/// What a thread runs. It may return; the thread then ends.
pub type Entry = Box<dyn FnOnce(&mut TaskContext) + Send>;

pub const NAME_BYTES: usize = 32;

/// Where a thread is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Seat {
    /// Asleep, or in the hands of whoever is about to queue it.
    Nowhere = 0,
    /// In its home CPU's queue.
    Queued = 1,
    /// On its home CPU, or just being switched away from there.
    Running = 2,
    /// Dead; nobody runs it again.
    Buried = 3,
}

/// See `Owned`: the running CPU's alone.
pub(crate) struct Private {
    pub(crate) context: Context,
    pub(crate) stack: Option<Stack>,
    pub(crate) entry: Option<Entry>,
    pub(crate) memory: Option<Arc<OwnMemory>>,
    /// The user half of the floating-point and vector registers; kernel threads have none.
    pub(crate) extended: Option<ExtendedState>,
    pub(crate) fs_base: u64,
    pub(crate) gs_base: u64,
    pub(crate) sleep_held: u64,
    /// Its program is to hear of every time that it was away from its CPU.
    pub(crate) tells_absence: bool,
    pub(crate) itself: Option<Arc<Thread>>,
}

/// Threads, from their making to the last reference to them.
pub static LIVING: Census = Census::new("threads");

pub struct Thread {
    _counted: Counted,
    id: u64,
    name: SpinLock<ArrayString<NAME_BYTES>, order::ThreadState>,
    remains: Option<Box<Remains>>,
    idle: bool,
    pub(crate) park: Park,
    pub(crate) waits: WaitRecord,
    attention: Flag,
    /// It has been away from its CPU, and its program has not heard of it yet.
    was_away: Flag,
    interrupted: Flag,
    /// A copy from or to its program failed because there was no page for it.
    starved: Flag,
    home: Published<usize>,
    seat: Published<u8>,
    affinity: Published<u64>,
    pub(crate) standing: Standing,
    pub(crate) account: Account,
    pub(crate) real_time_link: LinkedListAtomicLink,
    pub(crate) fair_link: RBTreeAtomicLink,
    pub(crate) private: Owned<Private>,
}

static NEXT_ID: Counter = Counter::new(1);

/// All that a new thread is made of.
pub(crate) struct Parts<'a> {
    pub(crate) name: &'a str,
    pub(crate) payload: Option<Payload>,
    pub(crate) scheduling: Scheduling,
    pub(crate) affinity: CpuSet,
    pub(crate) home: CpuId,
    pub(crate) idle: bool,
    pub(crate) private: Private,
}

impl Thread {
    pub(crate) fn new(parts: Parts<'_>) -> Arc<Thread> {
        let thread = Arc::new(Thread {
            _counted: LIVING.count(),
            id: NEXT_ID.increment(),
            name: SpinLock::new(short(parts.name)),
            account: Account::new(parts.payload.is_some()),
            remains: Some(Remains::new(parts.payload)),
            idle: parts.idle,
            park: Park::new(),
            waits: WaitRecord::new(),
            attention: Flag::new(false),
            was_away: Flag::new(false),
            interrupted: Flag::new(false),
            starved: Flag::new(false),
            home: Published::<usize>::new(parts.home.index()),
            seat: Published::<u8>::new(Seat::Nowhere as u8),
            affinity: Published::<u64>::new(parts.affinity.bits()),
            standing: Standing::new(parts.scheduling),
            real_time_link: LinkedListAtomicLink::new(),
            fair_link: RBTreeAtomicLink::new(),
            private: Owned::new(parts.private),
        });
        list::enter(&thread);
        thread
    }

    /// The kernel's own number; never used again.
    pub const fn id(&self) -> u64 {
        self.id
    }

    pub const fn is_idle(&self) -> bool {
        self.idle
    }

    pub fn name(&self) -> ArrayString<NAME_BYTES> {
        *self.name.lock_without_context()
    }

    /// For panics: without waiting for anyone.
    pub(crate) fn try_name(&self) -> Option<ArrayString<NAME_BYTES>> {
        self.name.try_lock().map(|name| *name)
    }

    pub fn set_name(&self, name: &str) {
        *self.name.lock_without_context() = short(name);
    }

    pub fn payload(&self) -> Option<&Payload> {
        self.remains.as_ref()?.payload.as_ref()
    }

    /// Asks for the return hook to be called before the thread's next instruction in ring 3. The caller then makes
    /// sure that the thread comes by: see `sched::nudge`.
    pub(crate) fn ask_attention(&self) {
        self.attention.set();
    }

    pub fn has_attention(&self) -> bool {
        self.attention.is_set()
    }

    pub fn take_attention(&self) -> bool {
        // Nearly always nobody does, and a look is cheaper than an exchange; the switch made exchanges after it had
        // changed the seat that `nudge` looks at.
        self.attention.is_set() && self.attention.take()
    }

    /// The absence hook is called before the thread's next instruction in ring 3. By the thread itself, or the CPU that it is on.
    pub(crate) fn mark_away(&self) {
        self.was_away.set();
    }

    pub(crate) fn take_away_mark(&self) -> bool {
        self.was_away.is_set() && self.was_away.take()
    }

    pub(crate) fn mark_starved(&self) {
        self.starved.set();
    }

    /// Whether, since it was last asked, a copy from or to the program failed for lack of memory and not by its fault.
    pub fn take_starved(&self) -> bool {
        self.starved.is_set() && self.starved.take()
    }

    pub(crate) fn mark_interrupted(&self) {
        self.interrupted.set();
    }

    /// Was it called out of its wait, or is it to be called out of its next one?
    pub fn is_interrupted(&self) -> bool {
        self.interrupted.is_set()
    }

    /// The thread has seen why it was interrupted. (The context says that it is the thread itself that calls.)
    pub fn clear_interrupted(&self, _: &TaskContext) -> bool {
        self.interrupted.take()
    }

    /// The CPU that it runs on, waits for, or ran on last.
    pub fn last_cpu(&self) -> CpuId {
        CpuId::new(self.home.load())
    }

    pub(crate) fn set_home(&self, cpu: CpuId) {
        self.home.swap(cpu.index());
    }

    pub(crate) fn seat(&self) -> Seat {
        match self.seat.load() {
            1 => Seat::Queued,
            2 => Seat::Running,
            3 => Seat::Buried,
            _ => Seat::Nowhere,
        }
    }

    pub(crate) fn set_seat(&self, seat: Seat) {
        self.seat.store(seat as u8);
    }

    pub fn is_running_now(&self) -> bool {
        self.seat() == Seat::Running
    }

    /// Running, or waiting for a CPU.
    pub fn is_runnable(&self) -> bool {
        matches!(self.seat(), Seat::Queued | Seat::Running)
    }

    pub(crate) fn running_on(&self) -> Option<CpuId> {
        self.is_running_now().then(|| self.last_cpu())
    }

    pub fn affinity(&self) -> CpuSet {
        CpuSet::from_bits(self.affinity.load())
    }

    pub(crate) fn store_affinity(&self, cpus: CpuSet) {
        self.affinity.swap(cpus.bits());
    }

    /// What it asked for.
    pub fn scheduling(&self) -> Scheduling {
        self.standing.wanted()
    }

    /// What it has: that, or more if who waits for it has lent it more.
    pub fn effective_scheduling(&self) -> Scheduling {
        self.standing.effective()
    }
}

/// As much of a name as fits, cut between characters.
fn short(name: &str) -> ArrayString<NAME_BYTES> {
    let mut short = ArrayString::new();
    for character in name.chars() {
        if short.try_push(character).is_err() {
            break;
        }
    }
    short
}

impl Drop for Thread {
    fn drop(&mut self) {
        list::leave(self.id);
        if let Some(remains) = self.remains.take() {
            remains::leave(remains);
        }
    }
}

#[cfg(test)]
impl Thread {
    /// A thread that no CPU can run: for tests of queues.
    pub(crate) fn for_test(name: &str, scheduling: Scheduling) -> Arc<Thread> {
        Thread::new(Parts {
            name,
            payload: None,
            scheduling,
            affinity: CpuSet::all_below(sync::MAXIMUM_CPUS),
            home: CpuId::BOOT,
            idle: false,
            private: Private::without_stack(None),
        })
    }
}

impl Private {
    /// For a thread that runs already (or never will): its context is filled when it is first switched away from.
    pub(crate) fn without_stack(memory: Option<Arc<OwnMemory>>) -> Self {
        Private {
            context: Context::empty(),
            stack: None,
            entry: None,
            memory,
            extended: None,
            fs_base: 0,
            gs_base: 0,
            sleep_held: 0,
            tells_absence: false,
            itself: None,
        }
    }
}
