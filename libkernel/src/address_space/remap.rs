//! A mapping that becomes longer or shorter, or moves with all its pages.
//!
//! Invariant: when a remap fails, the mapping is where and as long as it was.

use super::address::{LOWEST, PAGE, Span, USER_END, UserAddress};
use super::limits::could_ever_be_filled;
use super::regions::Region;
use super::request::Placement;
use super::shootdown::FlushBatch;
use super::space::{AddressSpace, Parts};
use crate::error::KernelError;
use machine::addr::VirtAddr;
use machine::paging::Flags;
use sync::TaskContext;

impl AddressSpace {
    /// Makes `new_length` of `old_length` bytes at `old`; returns where they are. With a `target` they move there, and
    /// what was there goes; else they move if they must and may.
    pub fn remap(
        &self,
        cx: &mut TaskContext,
        old: UserAddress,
        old_length: u64,
        new_length: u64,
        may_move: bool,
        target: Option<UserAddress>,
    ) -> Result<UserAddress, KernelError> {
        let old = Span::new(old, old_length)?;
        let target = target.map(|target| Span::new(target, new_length)).transpose()?;
        let length = Span::new(UserAddress::new(0), new_length)?.bytes();
        let start = self.edit(cx, |parts, batch, cx| {
            let region = parts.regions.find(old.start).cloned().ok_or(KernelError::BadAddress)?;
            // What is cut off may be more than one mapping; what is kept, grows or moves is one.
            let is_whole = region.end >= old.end;
            match target {
                Some(target) if is_whole => parts.move_to_target(&region, old, target, batch, cx),
                None if length <= old.bytes() => parts.shrink(old, length, batch, cx),
                None if is_whole && region.contents.may_grow() => parts.grow(&region, old, length, may_move, batch, cx),
                _ => Err(KernelError::BadAddress),
            }
        })?;
        Ok(UserAddress::new(start))
    }
}

impl Parts {
    fn shrink(&mut self, old: Span, length: u64, batch: &mut FlushBatch<'_>, cx: &mut TaskContext) -> Result<u64, KernelError> {
        let tail = Span { start: old.start + length, end: old.end };
        if tail.bytes() > 0 {
            self.reserve_regions(self.regions.growth_of_removal(tail.range()))?;
            self.clear(tail, batch, cx);
        }
        Ok(old.start)
    }

    fn grow(
        &mut self,
        region: &Region,
        old: Span,
        length: u64,
        may_move: bool,
        batch: &mut FlushBatch<'_>,
        cx: &mut TaskContext,
    ) -> Result<u64, KernelError> {
        self.check_growth(length - old.bytes())?;
        if region.protection.write && !region.contents.is_shared() && !could_ever_be_filled(length - old.bytes()) {
            return Err(KernelError::NoMemory);
        }
        let more = Span { start: old.end, end: old.start.saturating_add(length) };
        if more.end <= USER_END && region.end == old.end && self.is_free_beside_stack(more) {
            self.reserve_regions(1)?;
            self.regions.insert(part_of(region, old.end, more));
            return Ok(old.start);
        }
        if !may_move {
            return Err(KernelError::NoMemory);
        }
        let new = self.place(Placement::Anywhere(None), length)?;
        self.move_pages(region, old, new, batch, cx)
    }

    fn move_to_target(
        &mut self,
        region: &Region,
        old: Span,
        target: Span,
        batch: &mut FlushBatch<'_>,
        cx: &mut TaskContext,
    ) -> Result<u64, KernelError> {
        if target.overlaps(old) {
            return Err(KernelError::Invalid);
        }
        if target.start < LOWEST {
            return Err(KernelError::Forbidden);
        }
        self.check_growth(target.bytes().saturating_sub(old.bytes()))?;
        self.move_pages(region, old, target, batch, cx)
    }

    /// `old` is a part of `region`; `new` does not overlap it. What is at `new` goes.
    fn move_pages(
        &mut self,
        region: &Region,
        old: Span,
        new: Span,
        batch: &mut FlushBatch<'_>,
        cx: &mut TaskContext,
    ) -> Result<u64, KernelError> {
        let cuts = self.regions.growth_of_removal(old.range()) + self.regions.growth_of_removal(new.range());
        self.reserve_regions(1 + cuts)?;
        let kept = old.start..old.end.min(old.start + new.bytes());
        // The tables of `new` are made below, and must not have to be made again behind that.
        self.split_all(kept.clone(), batch, cx);
        self.split_all(new.range(), batch, cx);
        let moved = |at: VirtAddr| VirtAddr::new(at.as_u64() - old.start + new.start);
        let mut from = kept.start;
        while let Some(at) = self.table.first_page(from..kept.end) {
            self.table.prepare(moved(at))?;
            from = at.as_u64() + PAGE;
        }
        // From here on nothing can fail.
        if !self.regions.is_free(new.range()) {
            self.regions.remove(new.range());
            self.release_pages(new.range(), batch, cx);
        }
        // Each look begins behind the last page: looking at the emptied part again and again would take for ever.
        let mut from = kept.start;
        while let Some(at) = self.table.first_page(from..kept.end) {
            from = at.as_u64() + PAGE;
            let Some(place) = self.table.place(at) else { break };
            let (page, entry) = place.take();
            if entry.has(Flags::PRESENT) {
                batch.forget(at);
            }
            self.table.put(moved(at), page, entry.flags())?;
        }
        self.regions.remove(old.range());
        // Before tables go: those of `new` may be next to those of `old`.
        self.regions.insert(part_of(region, old.start, new));
        self.release(old, batch, cx);
        Ok(new.start)
    }
}

/// What `region` shows from `from` on, at another place.
fn part_of(region: &Region, from: u64, at: Span) -> Region {
    Region {
        start: at.start,
        end: at.end,
        protection: region.protection,
        contents: region.contents.advanced(region.pages_before(from)),
        grows_to: None,
        large: region.large,
    }
}
