//! The spaces that show a source, so that pages which it gives up leave all of them.
//!
//! Invariant: a space is entered under its own lock before it can take a page of the source, a fork's before its parent's
//! lock is released. It is struck out some time after its end, and until then it is looked at in vain.

use super::address::PAGE;
use super::backing::Contents;
use super::regions::Region;
use super::space::AddressSpace;
use crate::memory::Page;
use alloc::collections::BTreeMap;
use alloc::sync::Weak;
use alloc::vec::Vec;
use core::convert::Infallible;
use core::ops::Range;
use machine::paging::Flags;
use sync::{SpinLock, TaskContext, order};

/// Dead ones are looked for when there are twice as many as the last time, but not among so few.
const FEW: usize = 8;

/// Kept by a source.
pub struct Viewers(SpinLock<List, order::Viewers>);

struct List {
    /// By where they are: as long as the share is kept, nothing else comes there.
    spaces: BTreeMap<usize, Viewer>,
    next: u64,
    clear_at: usize,
}

struct Viewer {
    entered: u64,
    space: Weak<AddressSpace>,
}

/// Which pages of a source are not its own any more.
pub struct Gone<'a> {
    pub identity: usize,
    pub pages: Range<u64>,
    /// Of what shows such a page: is that one to go, by its number? A private copy may stay.
    pub goes: &'a dyn Fn(u64, &Page) -> bool,
}

impl Viewers {
    pub const fn new() -> Self {
        Viewers(SpinLock::new(List { spaces: BTreeMap::new(), next: 0, clear_at: FEW }))
    }

    /// `space` may show the source from now on.
    fn enter(&self, cx: &TaskContext, space: &Weak<AddressSpace>) {
        let mut list = self.0.lock(cx);
        if list.spaces.len() >= list.clear_at {
            list.spaces.retain(|_, viewer| viewer.space.strong_count() > 0);
            list.clear_at = FEW.max(2 * list.spaces.len());
        }
        let number = list.next;
        let entered = || Viewer { entered: number, space: Weak::clone(space) };
        list.spaces.entry(space.as_ptr().addr()).or_insert_with(entered);
        list.next += 1;
    }

    /// Takes pages that the source has given up out of every space, and waits until no CPU remembers one. Who faults
    /// meanwhile must find them gone already.
    pub fn take_out(&self, cx: &mut TaskContext, gone: &Gone<'_>) {
        let mut from = 0;
        loop {
            // A fork of one that was not looked at yet may have entered meanwhile, with such pages.
            let (spaces, next) = self.entered_since(cx, from);
            if spaces.is_empty() {
                return;
            }
            for space in spaces.iter().filter_map(Weak::upgrade) {
                space.take_out(cx, gone);
            }
            from = next;
        }
    }

    /// The same for single pages, by their numbers; private copies stay.
    pub fn take_out_these(&self, cx: &mut TaskContext, identity: usize, gone: &BTreeMap<u64, Page>) {
        let (Some((&first, _)), Some((&last, _))) = (gone.first_key_value(), gone.last_key_value()) else { return };
        let goes = |index: u64, page: &Page| gone.get(&index).is_some_and(|gone| gone.is_same(page));
        self.take_out(cx, &Gone { identity, pages: first..last + 1, goes: &goes });
    }

    fn entered_since(&self, cx: &TaskContext, from: u64) -> (Vec<Weak<AddressSpace>>, u64) {
        let list = self.0.lock(cx);
        let newer = list.spaces.values().filter(|viewer| viewer.entered >= from);
        (newer.map(|viewer| Weak::clone(&viewer.space)).collect(), list.next)
    }
}

impl Default for Viewers {
    fn default() -> Self {
        Self::new()
    }
}

impl Contents {
    /// `space`, whose lock is held or which nobody else has, is about to show this.
    pub(super) fn enter(&self, cx: &TaskContext, space: &Weak<AddressSpace>) {
        if let Contents::Source { source, .. } = self
            && let Some(viewers) = source.viewers()
        {
            viewers.enter(cx, space);
        }
    }
}

impl Region {
    /// Where it shows pages of that source, and the number of the first page of all that it shows.
    fn showing(&self, gone: &Gone<'_>) -> Option<(Range<u64>, u64)> {
        let Contents::Source { source, first_page, .. } = &self.contents else { return None };
        let (from, to) = (gone.pages.start.max(*first_page), gone.pages.end.min(first_page + self.bytes() / PAGE));
        let at = |page: u64| self.start + (page - first_page) * PAGE;
        (from < to && source.identity() == gone.identity).then(|| (at(from)..at(to), *first_page))
    }
}

impl AddressSpace {
    fn take_out(&self, cx: &mut TaskContext, gone: &Gone<'_>) {
        if !self.look(cx, |parts, _| parts.regions.iter().any(|region| region.showing(gone).is_some())) {
            return;
        }
        self.edit(cx, |parts, batch, cx| {
            for region in parts.regions.iter() {
                let Some((range, first_page)) = region.showing(gone) else { continue };
                let Ok(()) = parts.table.visit::<Infallible>(range, |at, place| {
                    if (gone.goes)(first_page + (at.as_u64() - region.start) / PAGE, &place.share()) {
                        let (page, entry) = place.take();
                        if batch.is_full() {
                            batch.flush(cx);
                        }
                        batch.release_page(at, page, entry.has(Flags::PRESENT));
                    }
                    Ok(())
                });
            }
        });
    }
}
