//! The heap that grows at its end: `brk`.
//!
//! Invariant: the pages between `base` and `end` were mapped by `set_break`; the program may have unmapped some since.

use super::address::{PAGE, Span, USER_END, UserAddress};
use super::backing::Contents;
use super::large::LargeUse;
use super::limits::could_ever_be_filled;
use super::regions::Region;
use super::request::Protection;
use super::shootdown::FlushBatch;
use super::space::{AddressSpace, Parts};
use crate::error::KernelError;
use sync::TaskContext;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Heap {
    base: u64,
    end: u64,
}

const fn page_end(at: u64) -> u64 {
    at.next_multiple_of(PAGE)
}

impl Heap {
    pub const fn none() -> Self {
        Heap { base: 0, end: 0 }
    }

    /// Is part of the heap in it? It may be one with the zeroes that the program was loaded with.
    pub const fn is_part_of(self, region: &Region) -> bool {
        self.base < self.end && region.start < self.end && region.end > self.base
    }
}

impl AddressSpace {
    /// The heap begins there, and is empty.
    pub fn set_break_base(&self, cx: &mut TaskContext, base: UserAddress) {
        let base = base.as_u64().min(USER_END);
        self.edit(cx, |parts, _, _| parts.heap = Heap { base, end: base });
    }

    /// Moves the end of the heap, if it may be there; returns where it is.
    pub fn set_break(&self, cx: &mut TaskContext, wanted: Option<UserAddress>) -> UserAddress {
        self.edit(cx, |parts, batch, cx| {
            if let Some(wanted) = wanted
                && parts.set_break(wanted.as_u64(), batch, cx).is_ok()
            {
                parts.heap.end = wanted.as_u64();
            }
            UserAddress::new(parts.heap.end)
        })
    }
}

impl Parts {
    fn set_break(&mut self, wanted: u64, batch: &mut FlushBatch<'_>, cx: &mut TaskContext) -> Result<(), KernelError> {
        if wanted < self.heap.base || wanted > USER_END || self.heap.base == 0 {
            return Err(KernelError::Invalid);
        }
        let (old, new) = (page_end(self.heap.end), page_end(wanted));
        if new < old {
            let span = Span { start: new, end: old };
            self.reserve_regions(self.regions.growth_of_removal(span.range()))?;
            self.clear(span, batch, cx);
        } else if new > old {
            self.grow_heap(Span { start: old, end: new }, wanted)?;
        }
        Ok(())
    }

    fn grow_heap(&mut self, span: Span, wanted: u64) -> Result<(), KernelError> {
        let is_too_long = wanted - self.heap.base > self.limits.data;
        if is_too_long || !self.is_free_beside_stack(span) || !could_ever_be_filled(span.bytes()) {
            return Err(KernelError::NoMemory);
        }
        self.check_growth(span.bytes())?;
        self.reserve_regions(1)?;
        let (start, end) = (span.start, span.end);
        self.regions.insert(Region {
            start,
            end,
            protection: Protection::READ_WRITE,
            contents: Contents::Anonymous,
            grows_to: None,
            large: LargeUse::AsSystem,
        });
        Ok(())
    }
}
