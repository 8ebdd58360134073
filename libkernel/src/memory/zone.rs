//! Free frames in blocks of powers of two: split when taken, joined with their buddy when given back.
//!
//! Invariant: a frame is in at most one free block; only a free block's first frame carries its order, and its
//! links stand in that order's list.

/// Blocks of 1, 2, 4, ... frames, up to 64 MiB.
pub(super) const ORDERS: usize = 15;

const NONE: u32 = u32::MAX;
const NOT_A_FREE_BLOCK: u8 = u8::MAX;

/// What the zone knows about one frame.
#[derive(Clone, Copy)]
pub(super) struct Link {
    next: u32,
    previous: u32,
    order: u8,
}

impl Link {
    pub(super) const TAKEN: Link = Link { next: NONE, previous: NONE, order: NOT_A_FREE_BLOCK };
}

pub(super) struct Zone {
    links: &'static mut [Link],
    first: [u32; ORDERS],
    free: usize,
}

impl Zone {
    /// Before memory is known: has no frame at all.
    pub(super) const fn empty() -> Self {
        Zone { links: &mut [], first: [NONE; ORDERS], free: 0 }
    }

    /// All frames of `links` are taken at first; `add` gives them.
    pub(super) const fn new(links: &'static mut [Link]) -> Self {
        Zone { links, first: [NONE; ORDERS], free: 0 }
    }

    pub(super) const fn free_frames(&self) -> usize {
        self.free
    }

    /// Gives frames `from..to` in the largest blocks that fit.
    pub(super) fn add(&mut self, from: usize, to: usize) {
        let to = to.min(self.links.len());
        let mut frame = from;
        while frame < to {
            let aligned = if frame == 0 { ORDERS - 1 } else { frame.trailing_zeros() as usize };
            let fits = (to - frame).ilog2() as usize;
            let order = aligned.min(fits).min(ORDERS - 1);
            self.give(frame, order);
            frame += 1 << order;
        }
    }

    /// The first frame of a block of `2^order` frames.
    pub(super) fn take(&mut self, order: usize) -> Option<usize> {
        let mut found = (order..ORDERS).find(|&order| self.first[order] != NONE)?;
        let frame = self.first[found] as usize;
        self.unlink(frame);
        while found > order {
            found -= 1;
            self.link(frame + (1 << found), found);
        }
        self.free -= 1 << order;
        Some(frame)
    }

    /// Takes back a block that was taken with this order.
    pub(super) fn give(&mut self, frame: usize, order: usize) {
        assert!(self.links[frame].order == NOT_A_FREE_BLOCK, "a frame was given back twice");
        self.free += 1 << order;
        let (mut frame, mut order) = (frame, order);
        while order + 1 < ORDERS {
            let buddy = frame ^ (1 << order);
            if self.links.get(buddy).is_none_or(|link| usize::from(link.order) != order) {
                break;
            }
            self.unlink(buddy);
            frame &= !(1 << order);
            order += 1;
        }
        self.link(frame, order);
    }

    fn link(&mut self, frame: usize, order: usize) {
        let next = self.first[order];
        self.links[frame] = Link { next, previous: NONE, order: order as u8 };
        if next != NONE {
            self.links[next as usize].previous = frame as u32;
        }
        self.first[order] = frame as u32;
    }

    fn unlink(&mut self, frame: usize) {
        let Link { next, previous, order } = core::mem::replace(&mut self.links[frame], Link::TAKEN);
        if previous == NONE {
            self.first[usize::from(order)] = next;
        } else {
            self.links[previous as usize].next = next;
        }
        if next != NONE {
            self.links[next as usize].previous = previous;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{vec, vec::Vec};

    fn zone(frames: usize) -> Zone {
        Zone::new(Vec::leak(vec![Link::TAKEN; frames]))
    }

    /// A small generator, so that the walk is the same at every run.
    struct Walk(u64);

    impl Walk {
        fn below(&mut self, limit: usize) -> usize {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) as usize % limit
        }
    }

    #[test]
    fn no_frame_is_given_twice_and_all_come_back() {
        const FRAMES: usize = 5000;
        let mut zone = zone(FRAMES);
        zone.add(3, FRAMES);
        let mut walk = Walk(7);
        let mut owned = vec![false; FRAMES];
        let mut blocks: Vec<(usize, usize)> = Vec::new();
        for _ in 0..20_000 {
            let order = walk.below(6);
            if walk.below(2) == 0 {
                let Some(frame) = zone.take(order) else { continue };
                assert_eq!(frame % (1 << order), 0);
                let block = &mut owned[frame..frame + (1 << order)];
                assert!(frame >= 3 && block.iter().all(|owned| !owned), "frame {frame} was given twice");
                block.fill(true);
                blocks.push((frame, order));
            } else if !blocks.is_empty() {
                let (frame, order) = blocks.swap_remove(walk.below(blocks.len()));
                owned[frame..frame + (1 << order)].fill(false);
                zone.give(frame, order);
            }
            assert_eq!(zone.free_frames(), FRAMES - 3 - owned.iter().filter(|owned| **owned).count());
        }
        for (frame, order) in blocks {
            zone.give(frame, order);
        }
        assert_eq!(zone.free_frames(), FRAMES - 3);
    }

    #[test]
    fn buddies_join_again_into_the_largest_block() {
        let mut zone = zone(1 << 10);
        zone.add(0, 1 << 10);
        let frames: Vec<usize> = core::iter::from_fn(|| zone.take(0)).collect();
        assert_eq!(frames.len(), 1 << 10);
        for frame in frames {
            zone.give(frame, 0);
        }
        assert_eq!(zone.take(10), Some(0));
    }

    #[test]
    #[should_panic(expected = "given back twice")]
    fn a_free_block_cannot_be_given_back() {
        let mut zone = zone(16);
        zone.add(0, 16);
        let Some(frame) = zone.take(2) else { return };
        zone.give(frame, 2);
        zone.give(0, 2);
    }
}
