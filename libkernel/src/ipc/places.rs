//! The places of a port's operations, and the three lists in which they wait.
//!
//! Invariant: a place is free, or belongs to one operation, whose number of use it carries; it is in at most one list.

use alloc::vec::Vec;
use sync::twin::{self, Twin};

/// A port has no more operations than this that were not handed out.
const MOST: usize = 1024;
const FIRST: usize = 32;
const NONE: u32 = u32::MAX;

/// An operation of a port.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct OperationId {
    place: u32,
    use_number: u32,
}

/// What an operation came to.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Finished {
    pub user_data: u64,
    pub opcode: u32,
    pub result: i64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Free,
    Pending,
    Stirred,
    Finished,
    Spent,
}

pub(super) struct Place {
    stage: Stage,
    use_number: u32,
    next: u32,
    finished: Finished,
}

/// Places in a row, linked by their `next`.
#[derive(Clone, Copy)]
struct List {
    first: u32,
    last: u32,
}

const EMPTY: List = List { first: NONE, last: NONE };

pub(super) struct Places {
    all: Vec<Place>,
    free: List,
    stirred: List,
    finished: List,
    spent: List,
}

impl Places {
    pub const fn new() -> Self {
        Places { all: Vec::new(), free: EMPTY, stirred: EMPTY, finished: EMPTY, spent: EMPTY }
    }

    /// Takes a place; else says how many there must be memory for, or `None` when there are enough.
    pub fn begin(&mut self, user_data: u64, opcode: u32) -> Result<OperationId, Option<usize>> {
        let free = self.free.pop(&mut self.all);
        let place = match free {
            Some(place) => place,
            None if self.all.len() < self.all.capacity() && self.all.len() < MOST => {
                let finished = Finished::default();
                self.all.push(Place { stage: Stage::Free, use_number: 0, next: NONE, finished });
                self.all.len() as u32 - 1
            }
            None if self.all.len() < MOST => return Err(Some((self.all.len() * 2).clamp(FIRST, MOST))),
            None => return Err(None),
        };
        let entry = &mut self.all[place as usize];
        entry.stage = Stage::Pending;
        entry.use_number = entry.use_number.wrapping_add(1);
        entry.finished = Finished { user_data, opcode, result: 0 };
        Ok(OperationId { place, use_number: entry.use_number })
    }

    /// Moves into memory that was had for it, if it is larger; gives back what is not needed.
    pub fn grow_into(&mut self, mut larger: Vec<Place>) -> Vec<Place> {
        if larger.capacity() > self.all.capacity() {
            larger.append(&mut self.all);
            core::mem::swap(&mut larger, &mut self.all);
        }
        larger
    }

    fn of(&mut self, id: OperationId) -> Option<&mut Place> {
        self.all.get_mut(id.place as usize).filter(|place| place.use_number == id.use_number)
    }

    /// Was it unfinished?
    pub fn finish(&mut self, id: OperationId, result: i64) -> bool {
        let Some(place) = self.of(id) else { return false };
        let stage = place.stage;
        if !matches!(stage, Stage::Pending | Stage::Stirred) && !twin::is(Twin::FinishedTwice) {
            return false;
        }
        place.stage = Stage::Finished;
        place.finished.result = result;
        if stage == Stage::Stirred {
            self.stirred.remove(&mut self.all, id.place);
        }
        self.finished.push(&mut self.all, id.place);
        true
    }

    /// Was it pending, and not stirred yet?
    pub fn stir(&mut self, id: OperationId) -> bool {
        let Some(place) = self.of(id).filter(|place| place.stage == Stage::Pending) else { return false };
        place.stage = Stage::Stirred;
        self.stirred.push(&mut self.all, id.place);
        true
    }

    pub fn take_stirred(&mut self) -> Option<OperationId> {
        let place = self.stirred.pop(&mut self.all)?;
        let entry = &mut self.all[place as usize];
        entry.stage = Stage::Pending;
        Some(OperationId { place, use_number: entry.use_number })
    }

    /// The first completions, as many as fit.
    pub fn look(&self, into: &mut [Finished]) -> usize {
        let mut next = self.finished.first;
        let mut count = 0;
        while let (Some(place), Some(slot)) = (self.all.get(next as usize), into.get_mut(count)) {
            *slot = place.finished;
            next = place.next;
            count += 1;
        }
        count
    }

    pub fn first_finished(&self) -> Option<Finished> {
        self.all.get(self.finished.first as usize).map(|place| place.finished)
    }

    /// The first completions have been handed out.
    pub fn spend(&mut self, count: usize) {
        for _ in 0..count {
            let Some(place) = self.finished.pop(&mut self.all) else { return };
            self.all[place as usize].stage = Stage::Spent;
            self.spent.push(&mut self.all, place);
        }
    }

    pub fn take_spent(&mut self) -> Option<OperationId> {
        let place = self.spent.pop(&mut self.all)?;
        let entry = &mut self.all[place as usize];
        entry.stage = Stage::Free;
        let id = OperationId { place, use_number: entry.use_number };
        self.free.push(&mut self.all, place);
        Some(id)
    }

    pub fn has_stirred(&self) -> bool {
        self.stirred.first != NONE
    }

    pub fn has_news(&self) -> bool {
        self.has_stirred() || self.finished.first != NONE
    }
}

impl List {
    fn push(&mut self, all: &mut [Place], place: u32) {
        all[place as usize].next = NONE;
        match all.get_mut(self.last as usize) {
            Some(last) => last.next = place,
            None => self.first = place,
        }
        self.last = place;
    }

    fn pop(&mut self, all: &mut [Place]) -> Option<u32> {
        let place = self.first;
        self.first = all.get(place as usize)?.next;
        if self.first == NONE {
            self.last = NONE;
        }
        Some(place)
    }

    /// One from anywhere: for lists that are short.
    fn remove(&mut self, all: &mut [Place], place: u32) {
        let mut rest = EMPTY;
        while let Some(first) = self.pop(all) {
            if first != place {
                rest.push(all, first);
            }
        }
        *self = rest;
    }
}
