//! Contents that the program does not need any more: the mapping stays, and begins anew.
//!
//! Invariant: only pages go, never regions; what is shared keeps its contents, in its source.

use super::address::{Span, UserAddress};
use super::backing::Contents;
use super::space::AddressSpace;
use crate::error::KernelError;
use sync::TaskContext;

impl AddressSpace {
    /// What is mapped there reads as when it was mapped. `NoMemory` when a page of it is not mapped.
    pub fn discard(&self, cx: &mut TaskContext, at: UserAddress, length: u64) -> Result<(), KernelError> {
        let span = Span::new(at, length)?;
        self.edit(cx, |parts, batch, cx| {
            parts.release_pages(span.range(), batch, cx);
            if parts.regions.covers(span.range()) { Ok(()) } else { Err(KernelError::NoMemory) }
        })
    }

    /// The same for zeroes of the program's own. `Invalid` where something else is shown: what is below that has gone.
    pub fn discard_zeroes(&self, cx: &mut TaskContext, at: UserAddress, length: u64) -> Result<(), KernelError> {
        let span = Span::new(at, length)?;
        self.edit(cx, |parts, batch, cx| {
            let mut others = parts.regions.in_range(span.range()).iter().filter(|region| !matches!(region.contents, Contents::Anonymous));
            let end = others.next().map_or(span.end, |region| region.start.max(span.start));
            if end > span.start {
                parts.release_pages(span.start..end, batch, cx);
            }
            if end < span.end {
                return Err(KernelError::Invalid);
            }
            if parts.regions.covers(span.range()) { Ok(()) } else { Err(KernelError::NoMemory) }
        })
    }
}
