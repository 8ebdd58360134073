//! A set of semaphores: values, who waits for them, and what is taken back when a process ends.
//!
//! Invariant: all operations of one call are done, or none. Whoever changes a value does, with the set still locked, what waiting calls
//! can do now, in the order they came; so nobody who comes later overtakes one that was let through. Answers stay in their
//! tickets' places until the waiter takes them, and `changed` is woken after the lock.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use abi::Errno;
use libkernel::census::{Census, Counted};
use libkernel::wait::WaitQueue;
use sync::{Published, SpinLock, order};

use super::rights::Rights;

/// Sets that somebody can still reach.
pub static LIVING: Census = Census::new("semaphore sets");

static COUNT: Published<u64> = Published::<u64>::new(0);

/// The most that a semaphore may be (`SEMVMX`), and that is taken back of one (`SEMAEM`).
pub const MOST_VALUE: i32 = 32767;

/// One operation, as a program asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation {
    pub index: u16,
    /// Added; 0 waits for zero.
    pub change: i16,
    pub may_wait: bool,
    pub is_undone: bool,
}

/// A semaphore.
#[derive(Clone, Copy, Default)]
pub struct Semaphore {
    pub value: i32,
    /// The process that changed it last.
    pub last: i32,
}

/// A call that waits.
struct Waiting {
    process: i32,
    operations: Vec<Operation>,
    /// Which of its operations cannot be done.
    held_up_by: Operation,
}

/// What a call came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Done(Result<(), Errno>),
    /// The answer comes under this ticket.
    Waits(u64),
}

/// All of a set that changes.
pub struct State {
    pub rights: Rights,
    /// In seconds.
    pub changed_at: i64,
    pub operated_at: i64,
    pub is_removed: bool,
    semaphores: Vec<Semaphore>,
    /// What is added when a process ends, for each semaphore.
    undone: BTreeMap<i32, BTreeMap<u16, i32>>,
    waiting: BTreeMap<u64, Waiting>,
    answers: BTreeMap<u64, Result<(), Errno>>,
    tickets: u64,
}

/// A set.
pub struct Set {
    _counted: Counted,
    pub state: SpinLock<State, order::SemaphoreSet>,
    pub changed: WaitQueue,
    pub key: i32,
    pub number: i32,
    /// How many semaphores it has.
    pub length: usize,
}

impl Set {
    /// Its state has `length` semaphores.
    pub fn new(key: i32, number: i32, state: State) -> Self {
        let length = state.semaphores.len();
        COUNT.fetch_add(length as u64);
        Self { _counted: LIVING.count(), state: SpinLock::new(state), changed: WaitQueue::named("a semaphore"), key, number, length }
    }
}

impl Drop for Set {
    fn drop(&mut self) {
        COUNT.fetch_sub(self.length as u64);
    }
}

/// How many semaphores there are.
pub fn count() -> u64 {
    COUNT.load()
}

/// Why operations cannot all be done.
enum Refusal {
    Never(Errno),
    NotYet(Operation),
}

impl State {
    pub fn new(rights: Rights, length: usize, now: i64) -> Result<Self, Errno> {
        let mut semaphores = Vec::new();
        semaphores.try_reserve_exact(length).map_err(|_| Errno::ENOMEM)?;
        semaphores.resize(length, Semaphore::default());
        Ok(Self {
            rights,
            changed_at: now,
            operated_at: 0,
            is_removed: false,
            semaphores,
            undone: BTreeMap::new(),
            waiting: BTreeMap::new(),
            answers: BTreeMap::new(),
            tickets: 0,
        })
    }

    pub fn semaphores(&self) -> &[Semaphore] {
        &self.semaphores
    }

    /// Does all operations, or says that they wait. Their indices are those of semaphores.
    pub fn operate(&mut self, process: i32, operations: &[Operation], now: i64) -> Outcome {
        match self.attempt(process, operations) {
            Ok(()) => {
                self.operated_at = now;
                self.let_through(now);
                Outcome::Done(Ok(()))
            }
            Err(Refusal::Never(error)) => Outcome::Done(Err(error)),
            Err(Refusal::NotYet(held_up_by)) if !held_up_by.may_wait => Outcome::Done(Err(Errno::EAGAIN)),
            Err(Refusal::NotYet(held_up_by)) => {
                self.tickets += 1;
                self.waiting.insert(self.tickets, Waiting { process, operations: operations.to_vec(), held_up_by });
                Outcome::Waits(self.tickets)
            }
        }
    }

    /// Somebody is to be woken.
    pub fn has_answers(&self) -> bool {
        !self.answers.is_empty()
    }

    /// The answer under a ticket, once.
    pub fn take_answer(&mut self, ticket: u64) -> Option<Result<(), Errno>> {
        self.answers.remove(&ticket)
    }

    /// A waiter gives up; its answer, if that came first.
    pub fn give_up(&mut self, ticket: u64) -> Option<Result<(), Errno>> {
        self.waiting.remove(&ticket);
        self.answers.remove(&ticket)
    }

    /// All operations on copies first, each seeing what those before it did.
    fn attempt(&mut self, process: i32, operations: &[Operation]) -> Result<(), Refusal> {
        let mut values: BTreeMap<u16, i32> = BTreeMap::new();
        let mut undone: BTreeMap<u16, i32> = BTreeMap::new();
        let own = self.undone.get(&process);
        for operation in operations {
            let place = usize::from(operation.index);
            let semaphore = self.semaphores.get(place).ok_or(Refusal::Never(Errno::EFBIG))?;
            let value = values.entry(operation.index).or_insert(semaphore.value);
            let change = i32::from(operation.change);
            if (change == 0 && *value != 0) || *value + change < 0 {
                return Err(Refusal::NotYet(*operation));
            }
            *value += change;
            if *value > MOST_VALUE {
                return Err(Refusal::Never(Errno::ERANGE));
            }
            if operation.is_undone {
                let before = own.and_then(|own| own.get(&operation.index)).copied().unwrap_or(0);
                let undo = undone.entry(operation.index).or_insert(before);
                *undo -= change;
                if !(-MOST_VALUE - 1..=MOST_VALUE).contains(undo) {
                    return Err(Refusal::Never(Errno::ERANGE));
                }
            }
        }
        self.settle(process, &values, &undone);
        Ok(())
    }

    fn settle(&mut self, process: i32, values: &BTreeMap<u16, i32>, undone: &BTreeMap<u16, i32>) {
        for (index, value) in values {
            if let Some(semaphore) = self.semaphores.get_mut(usize::from(*index)) {
                *semaphore = Semaphore { value: *value, last: process };
            }
        }
        if undone.is_empty() {
            return;
        }
        self.undone.entry(process).or_default().extend(undone);
    }

    /// Does what waiting calls can do now, from the oldest on, and again after each that changed something.
    fn let_through(&mut self, now: i64) {
        let mut after = 0;
        while let Some((&ticket, waiting)) = self.waiting.range(after + 1..).next() {
            after = ticket;
            let (process, operations) = (waiting.process, waiting.operations.clone());
            let answer = match self.attempt(process, &operations) {
                Err(Refusal::NotYet(held_up_by)) if held_up_by.may_wait => {
                    if let Some(waiting) = self.waiting.get_mut(&ticket) {
                        waiting.held_up_by = held_up_by;
                    }
                    continue;
                }
                Err(Refusal::NotYet(_)) => Err(Errno::EAGAIN),
                Err(Refusal::Never(error)) => Err(error),
                Ok(()) => {
                    self.operated_at = now;
                    // What it did may let older ones through.
                    if operations.iter().any(|operation| operation.change != 0) {
                        after = 0;
                    }
                    Ok(())
                }
            };
            self.waiting.remove(&ticket);
            self.answers.insert(ticket, answer);
        }
    }

    /// Gives semaphores from `first` on these values; nobody takes back what was done before.
    pub fn set(&mut self, first: u16, values: &[i32], process: i32, now: i64) {
        for (index, value) in (first..).zip(values) {
            if let Some(semaphore) = self.semaphores.get_mut(usize::from(index)) {
                *semaphore = Semaphore { value: *value, last: process };
            }
            for undone in self.undone.values_mut() {
                undone.remove(&index);
            }
        }
        self.changed_at = now;
        self.let_through(now);
    }

    /// A process has ended: what it did so is taken back, as far as that goes. True when others are to be woken.
    pub fn undo(&mut self, process: i32, now: i64) -> bool {
        let Some(undone) = self.undone.remove(&process) else { return false };
        for (index, undo) in undone.into_iter().filter(|(_, undo)| *undo != 0) {
            if let Some(semaphore) = self.semaphores.get_mut(usize::from(index)) {
                *semaphore = Semaphore { value: (semaphore.value + undo).clamp(0, MOST_VALUE), last: process };
            }
        }
        self.operated_at = now;
        self.let_through(now);
        true
    }

    /// The set is gone: everybody who waits is told so.
    pub fn remove(&mut self) {
        self.is_removed = true;
        for ticket in core::mem::take(&mut self.waiting).into_keys() {
            self.answers.insert(ticket, Err(Errno::EIDRM));
        }
    }

    /// How many calls wait for this semaphore to be zero, or to grow.
    pub fn waiters(&self, index: u16, for_zero: bool) -> usize {
        let waits_here = |by: &Operation| by.index == index && (by.change == 0) == for_zero;
        self.waiting.values().filter(|waiting| waits_here(&waiting.held_up_by)).count()
    }
}

#[cfg(test)]
#[path = "semaphore_set_tests.rs"]
mod tests;
