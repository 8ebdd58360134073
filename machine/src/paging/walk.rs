//! All used entries for pages in a range, in order, empty parts skipped whole.
//!
//! Invariant: what is visited is a user half or a part of one. A large page is visited once, at its own beginning,
//! though that may stand before the range.

use super::entry::Flags;
use super::table::{ENTRIES, LEVELS, Slot, bytes_of};
use crate::addr::{PhysAddr, VirtAddr};
use core::ops::Range;

/// Calls `visitor` with each used entry of the pages that have a part in `range`, until it fails.
pub fn visit<E>(root: PhysAddr, range: Range<u64>, visitor: &mut dyn FnMut(VirtAddr, Slot) -> Result<(), E>) -> Result<(), E> {
    visit_table(root, LEVELS, 0, &range, visitor)
}

/// `base` is the address that the table's first entry translates.
fn visit_table<E>(
    table: PhysAddr,
    level: u32,
    base: u64,
    range: &Range<u64>,
    visitor: &mut dyn FnMut(VirtAddr, Slot) -> Result<(), E>,
) -> Result<(), E> {
    for index in places(level, base, range) {
        let slot = Slot::of(table, index);
        let start = base + index as u64 * bytes_of(level);
        if level > 1 {
            if slot.load().has(Flags::LARGE) {
                visitor(VirtAddr::new(start), slot)?;
            } else if let Some(below) = slot.table() {
                visit_table(below, level - 1, start, range, visitor)?;
            }
        } else if !slot.load().is_empty() {
            visitor(VirtAddr::new(start), slot)?;
        }
    }
    Ok(())
}

/// The places of a table whose addresses have a part in `range`.
pub(super) fn places(level: u32, base: u64, range: &Range<u64>) -> Range<usize> {
    let bytes = bytes_of(level);
    let first = range.start.saturating_sub(base) / bytes;
    let end = range.end.saturating_sub(base).div_ceil(bytes);
    (first.min(ENTRIES as u64) as usize)..(end.min(ENTRIES as u64) as usize)
}
