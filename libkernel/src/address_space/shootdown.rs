//! What an edit of a space took away, kept until every CPU has forgotten it.
//!
//! Invariant: what a batch holds was taken out of the tables already; it is given back only after every CPU that may
//! remember it has forgotten it, and a batch never ends before that.

use super::table::DetachedTable;
use crate::memory::forget::{Stale, forget_everywhere};
use crate::memory::{Page, Translation};
use arrayvec::ArrayVec;
use machine::addr::VirtAddr;
use machine::paging::flush;
use sync::twin::{self, Twin};
use sync::{TaskContext, chaos, might_sleep};

const HELD_PAGES: usize = 128;
const HELD_TABLES: usize = 16;

pub(super) struct FlushBatch<'a> {
    translation: &'a Translation,
    stale: Stale,
    pages: ArrayVec<Page, HELD_PAGES>,
    tables: ArrayVec<DetachedTable, HELD_TABLES>,
}

impl<'a> FlushBatch<'a> {
    pub fn new(translation: &'a Translation) -> Self {
        FlushBatch { translation, stale: Stale::nothing(), pages: ArrayVec::new(), tables: ArrayVec::new() }
    }

    /// A CPU may remember more rights at `at` than there are now.
    pub fn forget(&mut self, at: VirtAddr) {
        self.stale.add(at);
    }

    /// `page` was at `at`; a CPU may remember it if the entry said `was_present`.
    pub fn release_page(&mut self, cx: &mut TaskContext, at: VirtAddr, page: Page, was_present: bool) {
        if was_present {
            self.stale.add(at);
        }
        self.pages.push(page);
        if self.pages.is_full() {
            self.flush(cx);
        }
    }

    /// A CPU may have it among its shortcuts to the last tables, wherever it got there for.
    pub fn release_table(&mut self, cx: &mut TaskContext, table: DetachedTable) {
        self.stale.add_table();
        self.tables.push(table);
        if self.tables.is_full() {
            self.flush(cx);
        }
    }

    /// Every CPU forgets; then what was taken out is given back.
    pub fn flush(&mut self, _: &mut TaskContext) {
        might_sleep();
        let stale = core::mem::replace(&mut self.stale, Stale::nothing());
        if twin::is(Twin::FreedBeforeForgotten) {
            self.pages.clear();
            chaos::spin_microseconds(300);
        }
        if !stale.is_nothing() {
            forget_everywhere(self.translation, &stale);
        }
        self.pages.clear();
        self.tables.clear();
    }
}

impl Drop for FlushBatch<'_> {
    fn drop(&mut self) {
        let is_done = self.stale.is_nothing() && self.pages.is_empty() && self.tables.is_empty();
        assert!(is_done, "an edit of an address space ended before the CPUs were told");
    }
}

/// This CPU alone forgets: rights were added, and another CPU that asks in vain comes to the kernel.
pub(super) fn forget_here(at: VirtAddr) {
    flush::page(at);
}
