//! Pages of files that are kept because they may be wanted again.
//!
//! Invariant: a page that a program has mapped is never dropped, so that all who map it see the same; beyond the limit, or when
//! memory is short, only such pages stay. What is dropped is dropped outside of the lock.

use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;

use arrayvec::ArrayVec;
use libkernel::memory::Page;
use libkernel::memory::frames::{self, Shortage};
use sync::{SpinLock, TaskContext, order};

/// A file's number, and the number of the page in it.
pub type Place = (u64, u64);

/// What is looked at under the lock in one go.
const STRIDE: usize = 64;
/// The most of all memory that one cache takes, as a fraction.
const FRACTION: u64 = 3;

/// A page, or what stands for one in a test.
pub trait Shared: Clone {
    /// Whether others have it too.
    fn is_used(&self) -> bool;
}

impl Shared for Page {
    fn is_used(&self) -> bool {
        self.reference_count() > 1
    }
}

struct Kept<P> {
    page: P,
    /// Wanted again since the hand came by.
    is_recent: bool,
}

struct Pages<P> {
    kept: BTreeMap<Place, Kept<P>>,
    hand: Place,
}

/// One file system's pages, or one disk's.
pub struct PageCache<P = Page> {
    pages: SpinLock<Pages<P>, order::FilePages>,
    limit: usize,
}

static CACHES: SpinLock<Vec<Weak<PageCache>>, order::MountTable> = SpinLock::new(Vec::new());

type Dropped<P> = ArrayVec<P, STRIDE>;

impl PageCache {
    /// An empty one, of those that give back when memory is short.
    pub fn new(cx: &TaskContext) -> Arc<Self> {
        let limit = usize::try_from(libkernel::memory::statistics().total / FRACTION).unwrap_or(usize::MAX);
        let cache = Self::with_limit(limit);
        let mut caches = CACHES.lock(cx);
        caches.retain(|cache| cache.strong_count() > 0);
        caches.push(Arc::downgrade(&cache));
        drop(caches);
        cache
    }
}

impl<P: Shared> PageCache<P> {
    fn with_limit(limit: usize) -> Arc<Self> {
        Arc::new(Self { pages: SpinLock::new(Pages { kept: BTreeMap::new(), hand: (0, 0) }), limit })
    }

    /// The page, if it is here.
    pub fn get(&self, cx: &TaskContext, place: Place) -> Option<P> {
        let mut pages = self.pages.lock(cx);
        let kept = pages.kept.get_mut(&place)?;
        kept.is_recent = true;
        Some(kept.page.clone())
    }

    /// Keeps a page; when there is one already, that one stays and is the answer.
    pub fn keep(&self, cx: &TaskContext, place: Place, page: P) -> P {
        let is_short = frames::shortage() >= Shortage::Near;
        let mut pages = self.pages.lock(cx);
        let kept = match pages.kept.get(&place) {
            Some(there) => there.page.clone(),
            None => {
                pages.kept.insert(place, Kept { page: page.clone(), is_recent: true });
                page.clone()
            }
        };
        let excess = pages.kept.len() > self.limit || is_short;
        let dropped = if excess { pages.sweep() } else { Dropped::new() };
        drop(pages);
        drop(dropped);
        kept
    }

    /// Forgets a page, which from now on is whoever's took it.
    pub fn take(&self, cx: &TaskContext, place: Place) -> Option<P> {
        let mut pages = self.pages.lock(cx);
        pages.kept.remove(&place).map(|kept| kept.page)
    }

    /// Forgets all pages of a file.
    pub fn forget_file(&self, cx: &TaskContext, file: u64) {
        loop {
            let mut dropped = Dropped::new();
            let mut pages = self.pages.lock(cx);
            let places: ArrayVec<Place, STRIDE> =
                pages.kept.range((file, 0)..=(file, u64::MAX)).map(|(place, _)| *place).take(STRIDE).collect();
            dropped.extend(places.iter().filter_map(|place| pages.kept.remove(place)).map(|kept| kept.page));
            drop(pages);
            if dropped.is_empty() {
                return;
            }
        }
    }

    /// Drops what nobody uses; says how many pages.
    fn shrink(&self, cx: &TaskContext) -> usize {
        let strides = self.pages.lock(cx).kept.len().div_ceil(STRIDE) * 2;
        let mut count = 0;
        for _ in 0..strides {
            let dropped = self.pages.lock(cx).sweep();
            count += dropped.len();
        }
        count
    }
}

impl<P: Shared> Pages<P> {
    /// The hand goes on over some pages: those that nobody maps or has wanted again are taken out.
    fn sweep(&mut self) -> Dropped<P> {
        let mut dropped = Dropped::new();
        let mut seen: ArrayVec<Place, STRIDE> = self.kept.range(self.hand..).map(|(place, _)| *place).take(STRIDE).collect();
        let missing = STRIDE - seen.len();
        seen.extend(self.kept.range(..self.hand).map(|(place, _)| *place).take(missing));
        for place in &seen {
            let Some(kept) = self.kept.get_mut(place) else { continue };
            let is_used = kept.page.is_used() || core::mem::take(&mut kept.is_recent);
            if !is_used {
                dropped.extend(self.kept.remove(place).map(|kept| kept.page));
            }
        }
        if let Some((file, index)) = seen.last() {
            self.hand = (*file, index.saturating_add(1));
        }
        dropped
    }
}

/// Memory is short: all caches drop what nobody uses. Says how many pages came back.
pub fn shrink_all(cx: &TaskContext) -> usize {
    let caches = CACHES.lock(cx).clone();
    caches.iter().filter_map(Weak::upgrade).map(|cache| cache.shrink(cx)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host_kernel;

    impl Shared for Arc<()> {
        fn is_used(&self) -> bool {
            Arc::strong_count(self) > 1
        }
    }

    #[test]
    fn beyond_the_limit_what_is_mapped_stays_and_the_rest_goes() {
        host_kernel::run(|cx| {
            let cache = PageCache::with_limit(100);
            let mapped = cache.keep(cx, (1, 7), Arc::new(()));
            for index in 0..1000 {
                cache.keep(cx, (2, index), Arc::new(()));
            }
            let count = cache.pages.lock(cx).kept.len();
            assert!(count <= 100 + STRIDE, "{count} pages are kept");
            assert!(cache.get(cx, (1, 7)).as_ref().is_some_and(|page| Arc::ptr_eq(page, &mapped)), "a page was dropped that a program has");
            drop(mapped);
            cache.shrink(cx);
            assert!(cache.pages.lock(cx).kept.is_empty());
        });
    }

    #[test]
    fn who_comes_second_gets_the_first_ones_page() {
        host_kernel::run(|cx| {
            let cache = PageCache::with_limit(10);
            let first = cache.keep(cx, (1, 1), Arc::new(()));
            let second = cache.keep(cx, (1, 1), Arc::new(()));
            assert!(Arc::ptr_eq(&first, &second));
            assert!(cache.take(cx, (1, 1)).is_some());
            assert!(cache.get(cx, (1, 1)).is_none());
            cache.keep(cx, (3, 0), first);
            cache.forget_file(cx, 3);
            assert!(cache.get(cx, (3, 0)).is_none());
        });
    }
}
