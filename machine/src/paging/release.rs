//! Taking tables out, with what they translate.
//!
//! Invariant: only tables all of whose addresses lie in the given range are taken out. Pages that stand in one have owners:
//! whoever gets the table sees to them.

use super::entry::Entry;
use super::table::{ENTRIES, FrameSource, KERNEL_HALF, LEVELS, Slot, bytes_of};
use super::walk::places;
use crate::addr::{PhysAddr, VirtAddr};
use core::ops::Range;

/// A table that no entry points at any more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Detached {
    pub table: PhysAddr,
    /// What its first entry translates.
    pub base: VirtAddr,
    /// Its entries may be pages; those of others are empty.
    pub is_last_level: bool,
}

/// The entries in use of a last table, and the addresses that they translated.
pub fn pages_in(detached: &Detached) -> impl Iterator<Item = (VirtAddr, Slot)> {
    let Detached { table, base, is_last_level } = *detached;
    let entries = if is_last_level { ENTRIES } else { 0 };
    let at = move |index| (VirtAddr::new(base.as_u64() + index as u64 * bytes_of(1)), Slot::of(table, index));
    (0..entries).map(at).filter(|(_, slot)| !slot.load().is_empty())
}

/// Takes out the tables that translate only addresses in `range`. `taken` gets them, which CPUs may still walk until they
/// are told.
pub fn detach_tables(root: PhysAddr, range: Range<u64>, taken: &mut dyn FnMut(Detached)) {
    detach_below(root, LEVELS, 0, &range, taken);
}

fn detach_below(table: PhysAddr, level: u32, base: u64, range: &Range<u64>, taken: &mut dyn FnMut(Detached)) {
    for index in places(level, base, range) {
        let slot = Slot::of(table, index);
        let Some(below) = slot.table() else { continue };
        let start = base + index as u64 * bytes_of(level);
        if level > 2 {
            detach_below(below, level - 1, start, range, taken);
        }
        if range.start <= start && start + bytes_of(level) <= range.end {
            slot.store(Entry::EMPTY);
            taken(Detached { table: below, base: VirtAddr::new(start), is_last_level: level == 2 });
        }
    }
}

/// Gives all tables of a user half back, and the root itself. No CPU uses the root any more; no page is in it.
pub fn free_root(root: PhysAddr, source: &mut dyn FrameSource) {
    detach_tables(root, 0..KERNEL_HALF as u64 * bytes_of(LEVELS), &mut |detached| {
        debug_assert!(pages_in(&detached).next().is_none(), "a table with pages in it is given back");
        source.give(detached.table);
    });
    source.give(root);
}
