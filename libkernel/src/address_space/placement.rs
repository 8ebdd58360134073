//! Where a new mapping goes.
//!
//! Invariant: a place is in the user half and not below `LOWEST`; one that the kernel chose is free, and leaves the
//! stack its gap.

use super::UserAddress;
use super::address::{LOWEST, PAGE, Span, USER_END};
use super::request::Placement;
use super::space::Parts;
use crate::error::KernelError;
use core::ops::Range;

/// Between a stack that grows and what is below it: whoever runs over its stack hits nothing.
pub(super) const STACK_GAP: u64 = 256 * PAGE;
/// Until there is a stack.
pub(super) const HIGHEST_CEILING: u64 = USER_END - PAGE;

impl Parts {
    pub(super) fn place(&self, placement: Placement, length: u64) -> Result<Span, KernelError> {
        match placement {
            Placement::Anywhere(hint) => self.place_anywhere(hint, length),
            Placement::Fixed(at) => fixed(at, length),
            Placement::FixedNoReplace(at) => {
                let span = fixed(at, length)?;
                if self.regions.is_free(span.range()) { Ok(span) } else { Err(KernelError::Exists) }
            }
        }
    }

    fn place_anywhere(&self, hint: Option<UserAddress>, length: u64) -> Result<Span, KernelError> {
        if let Some(hint) = hint
            && let Ok(span) = fixed(UserAddress::new(hint.as_u64() / PAGE * PAGE), length)
            && self.is_free_beside_stack(span)
        {
            return Ok(span);
        }
        let whole = Span::new(UserAddress::new(0), length).map_err(|_| KernelError::NoMemory)?;
        let start = self
            .highest_gap(LOWEST..self.ceiling, whole.bytes())
            .or_else(|| self.highest_gap(self.ceiling..USER_END, whole.bytes()))
            .ok_or(KernelError::NoMemory)?;
        Span::new(UserAddress::new(start), whole.bytes())
    }

    /// Free, and not in the gap that a stack above keeps.
    pub(super) fn is_free_beside_stack(&self, span: Span) -> bool {
        let room = |gap: u64| self.regions.is_free(span.start..span.end.saturating_add(gap));
        let above_is_stack = self.regions.at_or_above(span.end).is_some_and(|above| above.grows_to.is_some());
        room(if above_is_stack { STACK_GAP } else { 0 })
    }

    /// The start of the highest free `length` bytes in `range`.
    fn highest_gap(&self, range: Range<u64>, length: u64) -> Option<u64> {
        let mut top = range.end;
        for region in self.regions.iter().rev() {
            let bottom = region.end.max(range.start);
            if top.checked_sub(bottom).is_some_and(|room| room >= length) {
                return Some(top - length);
            }
            let gap = if region.grows_to.is_some() { STACK_GAP } else { 0 };
            top = top.min(region.start.saturating_sub(gap));
        }
        top.checked_sub(range.start).is_some_and(|room| room >= length).then(|| top - length)
    }
}

fn fixed(at: UserAddress, length: u64) -> Result<Span, KernelError> {
    let span = Span::new(at, length)?;
    if span.start < LOWEST { Err(KernelError::Forbidden) } else { Ok(span) }
}
