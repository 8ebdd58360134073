//! The real-time class: one list per priority, the highest first, always before the fair class.
//!
//! Invariant: bit `p` of `occupied` is set exactly when list `p` has someone.

use crate::thread::Thread;
use crate::thread::scheduling::HIGHEST_PRIORITY;
use alloc::sync::Arc;
use intrusive_collections::{LinkedList, LinkedListAtomicLink, intrusive_adapter};

/// One turn among equals (round robin).
pub(crate) const TURN_NS: u64 = 100_000_000;
const LISTS: usize = HIGHEST_PRIORITY as usize + 1;

intrusive_adapter!(ByTurn = Arc<Thread>: Thread { real_time_link => LinkedListAtomicLink });

pub(crate) struct RealTime {
    lists: [LinkedList<ByTurn>; LISTS],
    occupied: u128,
    waiting: usize,
}

fn priority_of(thread: &Thread) -> usize {
    usize::from(thread.standing.counted().priority.min(HIGHEST_PRIORITY))
}

impl RealTime {
    pub(crate) const fn new() -> Self {
        RealTime { lists: [const { LinkedList::new(ByTurn::NEW) }; LISTS], occupied: 0, waiting: 0 }
    }

    pub(crate) const fn waiting(&self) -> usize {
        self.waiting
    }

    pub(crate) fn all_waiting(&self) -> impl Iterator<Item = &Thread> {
        self.lists.iter().flat_map(LinkedList::iter)
    }

    /// The highest priority that someone waits with.
    pub(crate) const fn highest(&self) -> Option<u8> {
        if self.occupied == 0 { None } else { Some(127 - self.occupied.leading_zeros() as u8) }
    }

    /// Waits after (or, interrupted in its turn, before) its equals.
    pub(crate) fn put(&mut self, thread: Arc<Thread>, first: bool) {
        let priority = priority_of(&thread);
        let list = &mut self.lists[priority];
        if first {
            list.push_front(thread)
        } else {
            list.push_back(thread)
        }
        self.occupied |= 1 << priority;
        self.waiting += 1;
    }

    pub(crate) fn take(&mut self) -> Option<Arc<Thread>> {
        let priority = usize::from(self.highest()?);
        let taken = self.lists[priority].pop_front();
        self.taken_from(priority);
        taken
    }

    pub(crate) fn remove(&mut self, thread: &Thread) -> Option<Arc<Thread>> {
        self.take_from(priority_of(thread), &|other: &Thread| other.id() == thread.id())
    }

    /// Takes one that `suits`, of the highest priority that has one.
    pub(crate) fn take_that(&mut self, suits: impl Fn(&Thread) -> bool) -> Option<Arc<Thread>> {
        let mut left = self.occupied;
        while left != 0 {
            let priority = 127 - left.leading_zeros() as usize;
            if let Some(taken) = self.take_from(priority, &suits) {
                return Some(taken);
            }
            left &= !(1 << priority);
        }
        None
    }

    fn take_from(&mut self, priority: usize, suits: &impl Fn(&Thread) -> bool) -> Option<Arc<Thread>> {
        let mut cursor = self.lists[priority].front_mut();
        while !suits(cursor.get()?) {
            cursor.move_next();
        }
        let taken = cursor.remove();
        self.taken_from(priority);
        taken
    }

    fn taken_from(&mut self, priority: usize) {
        self.waiting -= 1;
        if self.lists[priority].is_empty() {
            self.occupied &= !(1 << priority);
        }
    }
}
