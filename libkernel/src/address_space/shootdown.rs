//! Making every CPU forget what it remembers of a space.
//!
//! Invariant: what a batch holds was taken out of the tables already; it is given back only after every CPU that may
//! remember it has forgotten it, and a batch never ends before that.

use super::table::DetachedTable;
use crate::cross_call;
use crate::memory::{Page, Translation};
use alloc::sync::Arc;
use arrayvec::ArrayVec;
use machine::addr::VirtAddr;
use machine::paging::flush;
use sync::{PreemptOff, TaskContext, cpu};

/// More single pages than this, and a CPU forgets everything: that is cheaper.
const SINGLE_PAGES: usize = 32;
const HELD_PAGES: usize = 128;
const HELD_TABLES: usize = 16;

/// What CPUs must forget.
struct Stale {
    pages: ArrayVec<VirtAddr, SINGLE_PAGES>,
    everything: bool,
}

impl Stale {
    fn nothing() -> Self {
        Stale { pages: ArrayVec::new(), everything: false }
    }

    fn is_nothing(&self) -> bool {
        self.pages.is_empty() && !self.everything
    }

    fn add(&mut self, at: VirtAddr) {
        self.everything |= self.pages.try_push(at).is_err();
    }

    /// This CPU forgets. If it uses another space by now, it has forgotten already.
    fn forget(&self) {
        if self.everything {
            flush::all();
        } else {
            self.pages.iter().for_each(|at| flush::page(*at));
        }
    }
}

/// What an edit of a space took away.
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
        self.stale.everything = true;
        self.tables.push(table);
        if self.tables.is_full() {
            self.flush(cx);
        }
    }

    /// Every CPU forgets; then what was taken out is given back.
    pub fn flush(&mut self, cx: &mut TaskContext) {
        let stale = core::mem::replace(&mut self.stale, Stale::nothing());
        if !stale.is_nothing() {
            self.translation.advance_generation();
            forget_everywhere(self.translation, stale, cx);
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

/// No interrupt to CPUs that do not use the space: these load the tables anew when they begin to.
fn forget_everywhere(translation: &Translation, stale: Stale, cx: &mut TaskContext) {
    let stay = PreemptOff::new();
    let cpus = translation.cpus();
    let here = cpu::current();
    if cpus.without(here).is_empty() {
        if cpus.contains(here) {
            stale.forget();
        }
        return;
    }
    drop(stay);
    cross_call::on(cpus, Arc::new(move || stale.forget()), cx);
}

/// This CPU alone forgets: rights were added, and another CPU that asks in vain comes to the kernel.
pub(super) fn forget_here(at: VirtAddr) {
    flush::page(at);
}
