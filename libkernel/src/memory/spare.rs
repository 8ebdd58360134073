//! Blocks of frames set aside for the heap: for when memory is full, or in pieces.
//!
//! Invariant: a block here is free and in no zone; programs never get one. The heap takes one when the zone has nothing
//! for it, and when there is enough again, another is set aside.

use super::zone::Zone;
use arrayvec::ArrayVec;

/// A block is 256 KiB in a row: as much as the kernel asks for at once without being ready for a refusal.
const ORDER: usize = 6;
const MOST: usize = 32;
/// So much of all memory, but a few blocks at least.
const FRACTION: usize = 64;
const LEAST: usize = 2;

/// The zone's frames, and what is kept back from it.
pub(super) struct Stock {
    pub zone: Zone,
    spare: ArrayVec<usize, MOST>,
}

/// How many blocks there should be when there are `total` frames.
fn wanted(total: usize) -> usize {
    (total / FRACTION).div_ceil(1 << ORDER).clamp(LEAST, MOST)
}

impl Stock {
    pub const fn new(zone: Zone) -> Self {
        Stock { zone, spare: ArrayVec::new_const() }
    }

    /// A block for the heap, out of a spare one if it must be.
    pub fn take_for_heap(&mut self, order: usize) -> Option<usize> {
        let block = self.zone.take(order);
        if block.is_some() || order > ORDER {
            return block;
        }
        self.zone.give(self.spare.pop()?, ORDER);
        self.zone.take(order)
    }

    /// Sets blocks aside again, as long as `enough` frames stay.
    pub fn restock(&mut self, total: usize, enough: usize) {
        while self.spare.len() < wanted(total) && self.zone.free_frames() > enough {
            let Some(block) = self.zone.take(ORDER) else { return };
            self.spare.push(block);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::zone::Link;
    use super::*;
    use std::{vec, vec::Vec};

    #[test]
    fn small_machines_set_little_aside_and_large_ones_no_more_than_fits() {
        assert_eq!(wanted(0), LEAST);
        assert_eq!(wanted((64 << 20) / 4096), 4);
        assert_eq!(wanted((512 << 20) / 4096), MOST);
        assert_eq!(wanted(1 << 30), MOST);
    }

    #[test]
    fn the_heap_gets_a_row_of_frames_when_programs_have_taken_all() {
        let mut stock = Stock::new(Zone::new(Vec::leak(vec![Link::TAKEN; 1024])));
        stock.zone.add(0, 1024);
        stock.restock(1024, 100);
        let taken: Vec<usize> = core::iter::from_fn(|| stock.zone.take(0)).collect();
        assert_eq!(taken.len(), 1024 - LEAST * (1 << ORDER));
        assert!(stock.take_for_heap(5).is_some_and(|block| !taken.contains(&block)));
        assert!(stock.take_for_heap(ORDER + 1).is_none());
        for frame in taken {
            stock.zone.give(frame, 0);
        }
        stock.restock(1024, 100);
        assert_eq!(stock.spare.len(), LEAST);
    }
}
