//! Other rights for what is mapped.
//!
//! Invariant: a page that a write must come to the kernel for first stays so, whatever rights its region gets.

use super::address::{Span, UserAddress};
use super::request::Protection;
use super::shootdown::FlushBatch;
use super::space::{AddressSpace, Parts};
use super::table::{flags, takes_rights};
use crate::error::KernelError;
use core::convert::Infallible;
use machine::paging::Flags;
use sync::TaskContext;

impl AddressSpace {
    /// `NoMemory` when a page of it is not mapped; then nothing changes.
    pub fn protect(&self, cx: &mut TaskContext, at: UserAddress, length: u64, protection: Protection) -> Result<(), KernelError> {
        let span = Span::new(at, length)?;
        self.edit(cx, |parts, batch, cx| parts.protect(span, protection, batch, cx))
    }
}

impl Parts {
    fn protect(&mut self, span: Span, protection: Protection, batch: &mut FlushBatch<'_>, cx: &mut TaskContext) -> Result<(), KernelError> {
        if !self.regions.covers(span.range()) {
            return Err(KernelError::NoMemory);
        }
        if protection.write && !self.regions.in_range(span.range()).iter().all(|region| region.contents.may_be_written()) {
            return Err(KernelError::Denied);
        }
        self.reserve_regions(self.regions.growth_of_protection(span.range()))?;
        self.regions.protect(span.range(), protection);
        self.split_edges(span.range(), batch, cx);
        let Ok(()) = self.table.visit::<Infallible>(span.range(), |at, place| {
            let after = flags(protection, place.entry().has(Flags::WRITABLE));
            let before = place.set_flags(after);
            if takes_rights(before, after) {
                batch.forget(at);
            }
            Ok(())
        });
        Ok(())
    }
}
