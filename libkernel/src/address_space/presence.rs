//! Which pages of a program are in memory.
//!
//! Invariant: looking brings nothing in; what is said may be untrue at once.

use super::address::{PAGE, UserAddress, page_of};
use super::backing::Contents;
use super::regions::Region;
use super::space::{AddressSpace, Parts};
use crate::error::KernelError;
use crate::memory::Room;
use alloc::vec::Vec;
use sync::TaskContext;

impl AddressSpace {
    /// One answer (1 or 0) for each page from `at` on, `most` of them at most, and not beyond the end of a mapping; `NoMemory`
    /// when nothing is mapped there.
    pub fn pages_in_memory(&self, cx: &mut TaskContext, at: UserAddress, most: usize) -> Result<Vec<u8>, KernelError> {
        self.look(cx, |parts, cx| {
            let first = page_of(at.as_u64()).as_u64();
            let region = parts.regions.find(first).ok_or(KernelError::NoMemory)?;
            let count = most.min(((region.end - first) / PAGE) as usize);
            let mut answers = Vec::new();
            answers.try_room_exact(count)?;
            answers.extend((0..count as u64).map(|page| u8::from(parts.is_in_memory(region, first + page * PAGE, cx))));
            Ok(answers)
        })
    }
}

impl Parts {
    fn is_in_memory(&self, region: &Region, page: u64, cx: &mut TaskContext) -> bool {
        let in_source = |cx: &mut TaskContext| match &region.contents {
            Contents::Source { source, first_page, .. } => source.is_in_memory(cx, first_page + region.pages_before(page)),
            Contents::Anonymous => false,
        };
        self.table.entry(page_of(page)).is_some() || in_source(cx)
    }
}
