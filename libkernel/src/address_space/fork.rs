//! A copy of a whole space, made when it is written to.
//!
//! Invariant: a private page that two spaces share is writable in neither; each makes its own copy at its first write,
//! the last one keeps the original.

use super::address::USER_END;
use super::shootdown::FlushBatch;
use super::space::{AddressSpace, Parts};
use super::table::UserTable;
use crate::error::KernelError;
use alloc::sync::Arc;
use machine::paging::Flags;
use sync::TaskContext;

impl AddressSpace {
    /// The same mappings with the same contents. What is shared stays so.
    pub fn fork(&self, cx: &mut TaskContext) -> Result<Arc<AddressSpace>, KernelError> {
        // The child is nobody's yet, so it needs no lock. If this fails, the parent is as it was, but for rights to
        // write that come back page by page.
        self.edit(cx, |parts, batch, cx| {
            let child = AddressSpace::of(parts.fork(batch, cx)?);
            parts.regions.iter().for_each(|region| region.contents.enter(cx, child.itself()));
            Ok(child)
        })
    }
}

impl Parts {
    fn fork(&mut self, batch: &mut FlushBatch<'_>, cx: &mut TaskContext) -> Result<Parts, KernelError> {
        let regions = self.regions.try_clone()?;
        let mut table = UserTable::new()?;
        // A share of each page goes to the child, and a copy is made of one at a time.
        self.split_all(0..USER_END, batch, cx);
        // What is shared comes from its source again when the child asks for it.
        for region in regions.iter().filter(|region| !region.contents.is_shared()) {
            self.table.visit(region.range(), |at, place| {
                let before = place.forbid_writing();
                if before.has(Flags::PRESENT | Flags::WRITABLE) {
                    batch.forget(at);
                }
                let marks = Flags::WRITABLE | Flags::ACCESSED | Flags::DIRTY;
                table.put(at, place.share(), before.flags() - marks)
            })?;
        }
        Ok(Parts { regions, table, heap: self.heap, ceiling: self.ceiling, limits: self.limits, refuses_large: self.refuses_large })
    }
}
