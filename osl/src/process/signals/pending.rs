//! Signals that wait to be delivered, to one thread or to a whole process.
//!
//! Invariant: a signal is in `set` exactly while it waits; below 32 at most one of a number is queued (and one of each
//! timer), above each with its information, oldest first. A signal in the set without an entry was posted without memory: the kernel is its sender.

use alloc::collections::VecDeque;
use libkernel::memory::Room;

use abi::signal::{SIGRTMIN, SignalInfo, code};

use super::set::SignalSet;

/// Waiting signals.
#[derive(Default)]
pub struct Pending {
    set: SignalSet,
    queue: VecDeque<SignalInfo>,
    /// Room that the queue always has beyond its length, for `add_prepared`: each timer's until its signal waits.
    prepared: usize,
}

/// What became of a signal that was to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Queued {
    /// It waits.
    Yes,
    /// One of its number waits already, and one is all there can be.
    Already,
    /// It waits, but there was no room for its information.
    WithoutInformation,
}

impl Pending {
    /// Nothing waits.
    pub const fn new() -> Self {
        Self { set: SignalSet::EMPTY, queue: VecDeque::new(), prepared: 0 }
    }

    /// Which signals wait.
    pub fn set(&self) -> SignalSet {
        self.set
    }

    /// How many are queued with their information.
    pub fn length(&self) -> usize {
        self.queue.len()
    }

    /// Adds a signal; `room` is how many may be queued in all.
    pub fn add(&mut self, signal: u32, information: SignalInfo, room: usize) -> Queued {
        if signal < SIGRTMIN && self.set.contains(signal) {
            return Queued::Already;
        }
        self.set = self.set.with(signal);
        // A signal below 32 is queued in any case: there can be only 31 of them.
        if (signal >= SIGRTMIN && self.queue.len() >= room) || self.queue.try_room(self.prepared.saturating_add(1)).is_err() {
            return Queued::WithoutInformation;
        }
        self.queue.push_back(information);
        Queued::Yes
    }

    /// Adds a signal without information and without memory: for interrupt handlers.
    pub fn mark(&mut self, signal: u32) {
        self.set = self.set.with(signal);
    }

    /// Keeps room for one more `add_prepared` at a time. False: there is no memory.
    pub fn prepare(&mut self) -> bool {
        let has_room = self.queue.try_room(self.prepared.saturating_add(1)).is_ok();
        self.prepared += usize::from(has_room);
        has_room
    }

    /// Whoever prepared adds no more.
    pub fn give_back_prepared(&mut self) {
        self.prepared = self.prepared.saturating_sub(1);
    }

    /// Adds a signal of someone who prepared, and has none waiting. Needs no memory: for interrupt handlers.
    pub fn add_prepared(&mut self, signal: u32, information: SignalInfo) {
        self.set = self.set.with(signal);
        if self.queue.len() < self.queue.capacity() {
            self.queue.push_back(information);
        }
    }

    /// Takes the next signal of `wanted`.
    pub fn take(&mut self, wanted: SignalSet) -> Option<SignalInfo> {
        let signal = self.set.intersection(wanted).next()?;
        let is_it = |information: &SignalInfo| information.signal == signal.cast_signed();
        let Some(place) = self.queue.iter().position(is_it) else {
            self.set = self.set.without(signal);
            return Some(SignalInfo::new(signal, code::KERNEL));
        };
        let information = self.queue.remove(place);
        if !self.queue.iter().any(is_it) {
            self.set = self.set.without(signal);
        }
        information
    }

    /// Forgets all signals of `unwanted`.
    pub fn forget(&mut self, unwanted: SignalSet) {
        if self.set.intersection(unwanted).is_empty() {
            return;
        }
        self.set = self.set.minus(unwanted);
        let set = self.set;
        self.queue.retain(|information| set.contains(information.signal.cast_unsigned()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use abi::signal::*;

    const ALL: SignalSet = SignalSet::from_bits(u64::MAX);

    fn from(signal: u32, sender: i32) -> SignalInfo {
        SignalInfo::new(signal, code::QUEUE).with_sender(sender, 0)
    }

    #[test]
    fn a_standard_signal_waits_once_and_keeps_its_first_sender() {
        let mut pending = Pending::new();
        assert_eq!(pending.add(SIGUSR1, from(SIGUSR1, 1), 10), Queued::Yes);
        assert_eq!(pending.add(SIGUSR1, from(SIGUSR1, 2), 10), Queued::Already);
        assert_eq!(pending.take(ALL), Some(from(SIGUSR1, 1)));
        assert_eq!(pending.take(ALL), None);
    }

    #[test]
    fn real_time_signals_come_lowest_number_first_and_oldest_first() {
        let mut pending = Pending::new();
        pending.add(40, from(40, 1), 10);
        pending.add(35, from(35, 2), 10);
        pending.add(40, from(40, 3), 10);
        let order: [Option<SignalInfo>; 3] = core::array::from_fn(|_| pending.take(ALL));
        assert_eq!(order, [Some(from(35, 2)), Some(from(40, 1)), Some(from(40, 3))]);
        assert!(pending.set().is_empty());
    }

    #[test]
    fn a_full_queue_keeps_the_signal_and_loses_only_its_information() {
        let mut pending = Pending::new();
        assert_eq!(pending.add(40, from(40, 1), 0), Queued::WithoutInformation);
        assert_eq!(pending.take(ALL), Some(SignalInfo::new(40, code::KERNEL)));
    }

    #[test]
    fn a_blocked_signal_is_not_taken() {
        let mut pending = Pending::new();
        pending.add(SIGTERM, from(SIGTERM, 1), 10);
        assert_eq!(pending.take(ALL.without(SIGTERM)), None);
        assert!(pending.set().contains(SIGTERM));
    }

    #[test]
    fn a_forgotten_signal_takes_its_information_along() {
        let mut pending = Pending::new();
        pending.add(SIGTSTP, from(SIGTSTP, 1), 10);
        pending.add(SIGTERM, from(SIGTERM, 1), 10);
        pending.forget(SignalSet::STOPPING);
        assert_eq!(pending.length(), 1);
        assert_eq!(pending.take(ALL), Some(from(SIGTERM, 1)));
    }

    #[test]
    fn who_prepared_has_room_however_many_others_came() {
        let mut pending = Pending::new();
        assert!(pending.prepare() && pending.prepare());
        for sender in 0..100 {
            pending.add(40, from(40, sender), 1000);
            assert!(pending.queue.capacity() - pending.queue.len() >= 2);
        }
        let capacity = pending.queue.capacity();
        pending.add_prepared(41, from(41, 1));
        pending.add_prepared(42, from(42, 2));
        assert_eq!((pending.length(), pending.queue.capacity()), (102, capacity));
    }

    #[test]
    fn a_signal_from_an_interrupt_comes_from_the_kernel() {
        let mut pending = Pending::new();
        pending.mark(SIGALRM);
        assert_eq!(pending.take(ALL), Some(SignalInfo::new(SIGALRM, code::KERNEL)));
    }
}
