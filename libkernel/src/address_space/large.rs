//! Large pages: who gets them, and how they become small ones again.
//!
//! Invariant: only private zeroes come as large pages, and no two spaces share one. What takes a part of one away splits
//! it first, alone in the space: it is hidden, forgotten by all CPUs, and then there is a table in its place, so no CPU
//! ever remembers an address in both sizes.

use super::address::{Span, UserAddress};
use super::regions::Region;
use super::shootdown::FlushBatch;
use super::space::{AddressSpace, Parts};
use super::table::flags;
use crate::error::KernelError;
use crate::memory::LargePage;
use crate::memory::large_page::LARGE_BYTES;
use core::convert::Infallible;
use core::ops::Range;
use machine::addr::VirtAddr;
use machine::paging::Flags;
use sync::{Published, TaskContext};

/// What a program wants of a region.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LargeUse {
    /// What the system does when nobody asks.
    AsSystem,
    Wanted,
    Refused,
}

/// What the system does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Custom {
    Never,
    WhenWanted,
    Always,
}

static CUSTOM: Published<u8> = Published::<u8>::new(Custom::WhenWanted as u8);

pub fn custom() -> Custom {
    match CUSTOM.load() {
        0 => Custom::Never,
        1 => Custom::WhenWanted,
        _ => Custom::Always,
    }
}

/// From now on; what there is stays.
pub fn set_custom(custom: Custom) {
    CUSTOM.store(custom as u8);
}

impl AddressSpace {
    /// What the program wants of all that is mapped there. `NoMemory` when a page of it is not mapped.
    pub fn use_large(&self, cx: &mut TaskContext, at: UserAddress, length: u64, large: LargeUse) -> Result<(), KernelError> {
        let span = Span::new(at, length)?;
        self.edit(cx, |parts, _, _| {
            parts.reserve_regions(parts.regions.growth_of_protection(span.range()))?;
            parts.regions.use_large(span.range(), large);
            if parts.regions.covers(span.range()) { Ok(()) } else { Err(KernelError::NoMemory) }
        })
    }

    /// No large pages for this program from now on, whatever it asks for; or as it asks for them.
    pub fn refuse_large(&self, cx: &mut TaskContext, refuses: bool) {
        self.edit(cx, |parts, _, _| parts.refuses_large = refuses);
    }

    pub fn refuses_large(&self, cx: &mut TaskContext) -> bool {
        self.look(cx, |parts, _| parts.refuses_large)
    }
}

impl Parts {
    pub(super) fn wants_large(&self, region: &Region) -> bool {
        let wanted = match region.large {
            LargeUse::Refused => false,
            LargeUse::AsSystem => custom() == Custom::Always,
            LargeUse::Wanted => custom() != Custom::Never,
        };
        wanted && !self.refuses_large
    }

    /// A large page for all around `at`, if the region goes so far and there is one.
    pub(super) fn bring_large(&self, at: VirtAddr, region: &Region) -> bool {
        let block = at.align_down(LARGE_BYTES);
        let is_inside = region.start <= block.as_u64() && block.as_u64() + LARGE_BYTES <= region.end;
        let granted = flags(region.protection, true);
        is_inside
            && self.table.has_room_for_large(block)
            && LargePage::zeroed().is_some_and(|page| self.table.put_large_first(block, page, granted).is_ok())
    }

    /// The large pages in `range` go; none has a part outside of it.
    pub(super) fn release_large(&mut self, range: Range<u64>, batch: &mut FlushBatch<'_>, cx: &mut TaskContext) {
        let mut next = (self.table.large_pages() > 0).then_some(range.start);
        while let Some(from) = next {
            if batch.is_full() {
                batch.flush(cx);
            }
            let taken = self.table.visit(from..range.end, |at, place| {
                if batch.is_full() {
                    return Err(at.as_u64());
                }
                if place.is_large() {
                    let (page, entry) = place.take_large();
                    batch.release_large_page(at, page, entry.has(Flags::PRESENT));
                }
                Ok(())
            });
            next = taken.err();
        }
    }

    /// No large page has one part in `range` and another outside of it from now on.
    pub(super) fn split_edges(&mut self, range: Range<u64>, batch: &mut FlushBatch<'_>, cx: &mut TaskContext) {
        for edge in [range.start, range.end] {
            if !edge.is_multiple_of(LARGE_BYTES) {
                self.split_all(edge..edge + 1, batch, cx);
            }
        }
    }

    /// No large page has a part in `range` from now on.
    pub(super) fn split_all(&mut self, range: Range<u64>, batch: &mut FlushBatch<'_>, cx: &mut TaskContext) {
        if self.table.large_pages() == 0 {
            return;
        }
        let mut found = false;
        let Ok(()) = self.table.visit::<Infallible>(range.clone(), |at, place| {
            if place.is_large() {
                found = true;
                if place.hide().has(Flags::PRESENT) {
                    batch.forget(at);
                }
            }
            Ok(())
        });
        if !found {
            return;
        }
        batch.tell(cx);
        let Ok(()) = self.table.visit::<Infallible>(range, |_, place| {
            if place.is_large() {
                place.split();
            }
            Ok(())
        });
    }
}
