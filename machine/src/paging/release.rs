//! Taking tables out that translate nothing any more.
//!
//! Invariant: only tables all of whose addresses lie in the given range are taken out, and these hold no page any
//! more: pages have owners, who took them out before.

use super::entry::Entry;
use super::table::{ENTRIES, FrameSource, KERNEL_HALF, LEVELS, Slot, bytes_of};
use super::walk::places;
use crate::addr::PhysAddr;
use core::ops::Range;

/// Takes out the tables that translate only addresses in `range`. `taken` gets the frames, which CPUs may still walk
/// until they are told.
pub fn detach_tables(root: PhysAddr, range: Range<u64>, taken: &mut dyn FnMut(PhysAddr)) {
    detach_below(root, LEVELS, 0, &range, taken);
}

fn detach_below(table: PhysAddr, level: u32, base: u64, range: &Range<u64>, taken: &mut dyn FnMut(PhysAddr)) {
    for index in places(level, base, range) {
        let slot = Slot::of(table, index);
        let Some(below) = slot.table() else { continue };
        let start = base + index as u64 * bytes_of(level);
        if level > 2 {
            detach_below(below, level - 1, start, range, taken);
        }
        if range.start <= start && start + bytes_of(level) <= range.end {
            debug_assert!((0..ENTRIES).all(|index| Slot::of(below, index).load().is_empty()), "a table with pages in it was taken out");
            slot.store(Entry::EMPTY);
            taken(below);
        }
    }
}

/// Gives all tables of a user half back, and the root itself. No CPU uses the root any more; no page is in it.
pub fn free_root(root: PhysAddr, source: &mut dyn FrameSource) {
    detach_tables(root, 0..KERNEL_HALF as u64 * bytes_of(LEVELS), &mut |table| source.give(table));
    source.give(root);
}
