//! Pages ahead: a program that fills its memory page by page gets the next ones with the one that it asked for.
//!
//! Invariant: what comes ahead is empty memory of the same region where nothing was, and no more than the pages that stand in a row
//! right before it: so a program has at most twice the memory that it touched. It is a gift: whatever is in its way ends it.

use super::address::PAGE;
use super::regions::Region;
use super::space::Parts;
use super::table::flags;
use crate::error::KernelError;
use crate::memory::Page;
use crate::memory::frames::{Shortage, shortage};
use machine::addr::VirtAddr;

/// So many pages come with the one that was asked for, at most.
pub(super) const MOST_AHEAD: u64 = 15;

impl Parts {
    /// An empty page where none is yet, and perhaps the next ones.
    pub(super) fn bring_empty(&self, at: VirtAddr, region: &Region) -> Result<(), KernelError> {
        let rights = flags(region.protection, true);
        self.table.put_first(at, Page::zeroed()?, rights)?;
        let pages_from_start = (at.as_u64() - region.start) / PAGE;
        let pages_to_end = (region.end - at.as_u64()) / PAGE - 1;
        let most = MOST_AHEAD.min(pages_from_start).min(pages_to_end);
        if most > 0 && shortage() == Shortage::None {
            self.table.extend_row(at, most as usize, rights, || Page::zeroed().ok());
        }
        Ok(())
    }
}
