//! New mappings, and their end.
//!
//! Invariant: a request is checked whole, and all memory that its edit of the list needs is there, before the first
//! thing changes.

use super::address::{LOWEST, PAGE, Span, USER_END, UserAddress};
use super::backing::{Backing, Contents};
use super::large::LargeUse;
use super::limits::could_ever_be_filled;
use super::placement::STACK_GAP;
use super::regions::Region;
use super::request::{MapRequest, Placement, Protection};
use super::shootdown::FlushBatch;
use super::space::{AddressSpace, Parts};
use crate::error::KernelError;
use core::convert::Infallible;
use core::ops::Range;
use machine::paging::{Flags, table::bytes_of};
use sync::TaskContext;

/// Mappings stay so far below a stack even if it may not grow that far: its limit may be raised.
const LEAST_STACK_ROOM: u64 = 128 << 20;
/// An edit that takes out no whole table leaves this many as they are.
pub(super) const FEW_TABLES: u64 = 24;
/// However far the stack may grow, so much is left to mappings.
const MOST_STACK_ROOM: u64 = USER_END / 6 * 5;

impl AddressSpace {
    /// Maps; returns where.
    pub fn map(&self, cx: &mut TaskContext, request: MapRequest) -> Result<UserAddress, KernelError> {
        let MapRequest { placement, length, protection, backing } = request;
        let is_sparse = matches!(backing, Backing::SparseAnonymous);
        let contents = Contents::of(backing);
        check(&contents, length, protection)?;
        if protection.write && !contents.is_shared() && !is_sparse && !could_ever_be_filled(length) {
            return Err(KernelError::NoMemory);
        }
        let span = self.edit(cx, |parts, batch, cx| {
            let span = parts.place(placement, length)?;
            contents.enter(cx, self.itself());
            parts.map(
                Region { start: span.start, end: span.end, protection, contents, grows_to: None, large: LargeUse::AsSystem },
                batch,
                cx,
            )?;
            Ok::<Span, KernelError>(span)
        })?;
        Ok(UserAddress::new(span.start))
    }

    /// Maps the stack that ends at `top`: `length` bytes at once, and as it is touched more, down to `maximum` bytes.
    /// Later mappings are put below it.
    pub fn map_stack(
        &self,
        cx: &mut TaskContext,
        top: UserAddress,
        length: u64,
        maximum: u64,
        protection: Protection,
    ) -> Result<(), KernelError> {
        let length = length.checked_next_multiple_of(PAGE).ok_or(KernelError::NoMemory)?;
        let start = top.as_u64().checked_sub(length).ok_or(KernelError::NoMemory)?;
        let room = maximum.clamp(LEAST_STACK_ROOM, MOST_STACK_ROOM) / PAGE * PAGE;
        let grows_to = top.as_u64().saturating_sub(maximum.max(length)).next_multiple_of(PAGE).max(LOWEST);
        self.edit(cx, |parts, batch, cx| {
            let span = parts.place(Placement::FixedNoReplace(UserAddress::new(start)), length)?;
            let contents = Contents::Anonymous;
            parts.map(
                Region { start, end: span.end, protection, contents, grows_to: Some(grows_to), large: LargeUse::Refused },
                batch,
                cx,
            )?;
            parts.ceiling = top.as_u64().saturating_sub(room + STACK_GAP).max(LOWEST) / PAGE * PAGE;
            Ok(())
        })
    }

    /// Nothing is mapped there any more.
    pub fn unmap(&self, cx: &mut TaskContext, at: UserAddress, length: u64) -> Result<(), KernelError> {
        let span = Span::new(at, length)?;
        self.edit(cx, |parts, batch, cx| {
            parts.reserve_regions(parts.regions.growth_of_removal(span.range()))?;
            parts.clear(span, batch, cx);
            Ok(())
        })
    }
}

fn check(contents: &Contents, length: u64, protection: Protection) -> Result<(), KernelError> {
    match contents {
        _ if protection.write && !contents.may_be_written() => Err(KernelError::Denied),
        Contents::Source { first_page, .. } if first_page.checked_add(length.div_ceil(PAGE)).is_none_or(is_no_page_number) => {
            Err(KernelError::TooLarge)
        }
        _ => Ok(()),
    }
}

/// Offsets in bytes must fit a signed number.
const fn is_no_page_number(page: u64) -> bool {
    page > i64::MAX as u64 / PAGE
}

/// The blocks that one last table each translates and that lie in `span`: from, to; or to before from.
const fn whole_blocks(span: Span) -> (u64, u64) {
    let block = bytes_of(2);
    (span.start.next_multiple_of(block), span.end / block * block)
}

impl Parts {
    /// Puts a region into the list; what is mapped there goes.
    fn map(&mut self, region: Region, batch: &mut FlushBatch<'_>, cx: &mut TaskContext) -> Result<(), KernelError> {
        let span = Span { start: region.start, end: region.end };
        self.check_growth(span.bytes() - self.regions.bytes_in(span.range()))?;
        self.reserve_regions(1 + self.regions.growth_of_removal(span.range()))?;
        if !self.regions.is_free(span.range()) {
            self.clear(span, batch, cx);
        }
        self.make_room_for_large(span, batch, cx);
        self.regions.insert(region);
        Ok(())
    }

    /// Nothing is mapped in `span`: no table stands where a large page could.
    fn make_room_for_large(&mut self, span: Span, batch: &mut FlushBatch<'_>, cx: &mut TaskContext) {
        let (first, end) = whole_blocks(span);
        if first < end {
            self.table.detach_tables(first..end, &(end..end), |table| batch.release_table(cx, table));
        }
    }

    /// Takes out all that is in `span`. Places in the list are reserved.
    pub(super) fn clear(&mut self, span: Span, batch: &mut FlushBatch<'_>, cx: &mut TaskContext) {
        self.regions.remove(span.range());
        self.release(span, batch, cx);
    }

    /// Nothing is mapped in `span` any more: its pages go, and the tables that this made useless, whole ones with what is in them.
    pub(super) fn release(&mut self, span: Span, batch: &mut FlushBatch<'_>, cx: &mut TaskContext) {
        let block = bytes_of(2);
        let (first, end) = whole_blocks(span);
        let whole = if first < end { first..end } else { span.end..span.end };
        self.split_edges(span.range(), batch, cx);
        self.release_large(whole.clone(), batch, cx);
        self.release_pages(span.start..whole.start, batch, cx);
        self.release_pages(whole.end..span.end, batch, cx);
        // So few may stay: the next mapping wants them again, and CPUs that rest need not be told of pages alone.
        if whole.is_empty() && self.table.tables() <= FEW_TABLES {
            return;
        }
        let gap = self.regions.gap_around(span.range(), 0..USER_END);
        if gap.start.next_multiple_of(block) < gap.end / block * block {
            self.table.detach_tables(gap, &whole, |table| batch.release_table(cx, table));
        }
    }

    /// The pages in `range` go. If there are more than a batch holds, the rest is hidden first: so CPUs are told once.
    pub(super) fn release_pages(&mut self, range: Range<u64>, batch: &mut FlushBatch<'_>, cx: &mut TaskContext) {
        self.split_edges(range.clone(), batch, cx);
        let mut next = self.take_pages(range.clone(), batch);
        if let Some(rest) = next {
            let Ok(()) = self.table.visit::<Infallible>(rest..range.end, |at, place| {
                if place.hide().has(Flags::PRESENT) {
                    batch.forget(at);
                }
                Ok(())
            });
        }
        while let Some(rest) = next {
            batch.flush(cx);
            next = self.take_pages(rest..range.end, batch);
        }
    }

    /// Takes out as many as the batch has room for; answers where the rest begins.
    fn take_pages(&mut self, range: Range<u64>, batch: &mut FlushBatch<'_>) -> Option<u64> {
        let taken = self.table.visit(range, |at, place| {
            if batch.is_full() {
                return Err(at.as_u64());
            }
            if place.is_large() {
                let (page, entry) = place.take_large();
                batch.release_large_page(at, page, entry.has(Flags::PRESENT));
            } else {
                let (page, entry) = place.take();
                batch.release_page(at, page, entry.has(Flags::PRESENT));
            }
            Ok(())
        });
        taken.err()
    }
}
