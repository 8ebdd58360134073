//! What an edit of a space took away, kept until every CPU has forgotten it.
//!
//! Invariant: what a batch holds was taken out of the tables already; it is given back only after every CPU that may
//! remember it has forgotten it, and a batch never ends before that.

use super::table::DetachedTable;
use crate::memory::forget::{Stale, forget_everywhere};
use crate::memory::{LargePage, Page, Translation};
use arrayvec::ArrayVec;
use machine::addr::VirtAddr;
use machine::paging::{Flags, flush};
use sync::twin::{self, Twin};
use sync::{TaskContext, chaos, might_sleep};

// It stands on the kernel's stack.
const HELD_PAGES: usize = 64;
const HELD_TABLES: usize = 16;
const HELD_LARGE_PAGES: usize = 16;

pub(super) struct FlushBatch<'a> {
    translation: &'a Translation,
    stale: Stale,
    pages: ArrayVec<Page, HELD_PAGES>,
    tables: ArrayVec<DetachedTable, HELD_TABLES>,
    large_pages: ArrayVec<LargePage, HELD_LARGE_PAGES>,
}

impl<'a> FlushBatch<'a> {
    pub fn new(translation: &'a Translation) -> Self {
        FlushBatch { translation, stale: Stale::nothing(), pages: ArrayVec::new(), tables: ArrayVec::new(), large_pages: ArrayVec::new() }
    }

    /// A CPU may remember more rights at `at` than there are now.
    pub fn forget(&mut self, at: VirtAddr) {
        self.stale.add(at);
    }

    /// `page` was at `at`; a CPU may remember it if the entry said `was_present`. There is room for it: see `is_full`.
    pub fn release_page(&mut self, at: VirtAddr, page: Page, was_present: bool) {
        if was_present {
            self.stale.add(at);
        }
        self.pages.push(page);
    }

    /// The same of a large page: a CPU forgets all of it when it forgets any part (SDM vol. 3, 5.10.4.1).
    pub fn release_large_page(&mut self, at: VirtAddr, page: LargePage, was_present: bool) {
        if was_present {
            self.stale.add(at);
        }
        self.large_pages.push(page);
    }

    /// No room for another page: a flush makes room.
    pub const fn is_full(&self) -> bool {
        self.pages.is_full() || self.large_pages.is_full()
    }

    /// A CPU may have it among its shortcuts to the last tables, wherever it got there for; or remember pages in it.
    pub fn release_table(&mut self, cx: &mut TaskContext, table: DetachedTable) {
        self.stale.add_table();
        for (at, entry) in table.pages() {
            if entry.has(Flags::PRESENT) {
                self.stale.add(at);
            }
        }
        self.tables.push(table);
        if self.tables.is_full() {
            self.flush(cx);
        }
    }

    /// Every CPU forgets; then what was taken out is given back.
    pub fn flush(&mut self, cx: &mut TaskContext) {
        if twin::is(Twin::FreedBeforeForgotten) {
            self.pages.clear();
            self.large_pages.clear();
            chaos::spin_microseconds(300);
        }
        self.tell(cx);
        self.give_back();
    }

    /// Every CPU forgets. What was taken out goes back later: others need not wait for that.
    pub fn tell(&mut self, _: &mut TaskContext) {
        might_sleep();
        let stale = core::mem::replace(&mut self.stale, Stale::nothing());
        if !stale.is_nothing() {
            forget_everywhere(self.translation, &stale);
        }
    }
}

impl FlushBatch<'_> {
    /// What was taken out goes back: every CPU has forgotten it.
    pub fn give_back(&mut self) {
        assert!(self.stale.is_nothing(), "pages are given back before the CPUs were told");
        self.pages.clear();
        self.large_pages.clear();
        self.tables.clear();
    }
}

impl Drop for FlushBatch<'_> {
    fn drop(&mut self) {
        assert!(self.stale.is_nothing(), "an edit of an address space ended before the CPUs were told");
    }
}

/// This CPU alone forgets: rights were added, and another CPU that asks in vain comes to the kernel.
pub(super) fn forget_here(at: VirtAddr) {
    flush::page(at);
}
