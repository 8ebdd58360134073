//! Regions: what is mapped where.
//!
//! Invariant: regions are not empty, begin and end on a page, do not overlap, stand in ascending order, and two
//! neighbours that could be one are one. An edit that may fail for want of memory does so in `reserve`, before it.
//! Who counts the regions that show it hears of each that comes into a list and of each that leaves one.

use super::address::PAGE;
use super::backing::{Attached, Contents};
use super::large::LargeUse;
use super::request::Protection;
use crate::error::KernelError;
use crate::memory::Room;
use alloc::vec::Vec;
use core::ops::Range;

#[derive(Clone)]
pub(super) struct Region {
    pub start: u64,
    pub end: u64,
    pub protection: Protection,
    pub contents: Contents,
    /// A stack: it grows down when touched below its start, but never below this.
    pub grows_to: Option<u64>,
    pub large: LargeUse,
}

impl Region {
    pub const fn range(&self) -> Range<u64> {
        self.start..self.end
    }

    pub const fn bytes(&self) -> u64 {
        self.end - self.start
    }

    /// The number of a page in the source's contents.
    pub const fn pages_before(&self, at: u64) -> u64 {
        (at - self.start) / PAGE
    }

    fn came(&self) {
        self.contents.attached().into_iter().for_each(Attached::region_came);
    }

    fn went(&self) {
        self.contents.attached().into_iter().for_each(Attached::region_went);
    }

    fn joins(&self, next: &Region) -> bool {
        self.end == next.start
            && self.protection == next.protection
            && self.grows_to.is_none()
            && next.grows_to.is_none()
            && self.contents.attached().is_none()
            && self.large == next.large
            && self.contents.continues_in(self.bytes() / PAGE, &next.contents)
    }
}

pub(super) struct Regions {
    list: Vec<Region>,
    mapped: u64,
}

impl Regions {
    pub const fn new() -> Self {
        Regions { list: Vec::new(), mapped: 0 }
    }

    pub fn try_clone(&self) -> Result<Regions, KernelError> {
        let mut list = Vec::new();
        list.try_room(self.list.len()).map_err(|_| KernelError::NoMemory)?;
        list.extend(self.list.iter().cloned());
        list.iter().for_each(Region::came);
        Ok(Regions { list, mapped: self.mapped })
    }

    /// The next edits may add so many regions in all.
    pub fn reserve(&mut self, more: usize) -> Result<(), KernelError> {
        // While a range is cut out of the middle of a region, there are two more for a moment.
        self.list.try_room(more + 2).map_err(|_| KernelError::NoMemory)
    }

    /// By how many regions `remove` makes the list longer, at most.
    pub fn growth_of_removal(&self, range: Range<u64>) -> usize {
        usize::from(self.find(range.start).is_some_and(|region| region.start < range.start && region.end > range.end))
    }

    /// By how many regions `protect` makes the list longer, at most.
    pub fn growth_of_protection(&self, range: Range<u64>) -> usize {
        let cuts = |at| usize::from(self.find(at).is_some_and(|region| region.start < at));
        cuts(range.start) + cuts(range.end)
    }

    pub fn count(&self) -> usize {
        self.list.len()
    }

    pub const fn mapped_bytes(&self) -> u64 {
        self.mapped
    }

    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Region> {
        self.list.iter()
    }

    /// The first region that ends above `at`: the one that holds it, or the next one up.
    fn place(&self, at: u64) -> usize {
        self.list.partition_point(|region| region.end <= at)
    }

    pub fn at_or_above(&self, at: u64) -> Option<&Region> {
        self.list.get(self.place(at))
    }

    pub fn find(&self, at: u64) -> Option<&Region> {
        self.at_or_above(at).filter(|region| region.start <= at)
    }

    /// The regions that have a part in `range`.
    pub fn in_range(&self, range: Range<u64>) -> &[Region] {
        let first = self.place(range.start);
        let count = self.list[first..].partition_point(|region| region.start < range.end);
        &self.list[first..first + count]
    }

    pub fn is_free(&self, range: Range<u64>) -> bool {
        self.in_range(range).is_empty()
    }

    /// How much of `range` is mapped.
    pub fn bytes_in(&self, range: Range<u64>) -> u64 {
        let part = |region: &Region| region.end.min(range.end) - region.start.max(range.start);
        self.in_range(range.clone()).iter().map(part).sum()
    }

    /// Is every page of `range` in some region?
    pub fn covers(&self, range: Range<u64>) -> bool {
        let mut reached = range.start;
        for region in self.in_range(range.clone()) {
            if region.start > reached {
                return false;
            }
            reached = region.end;
        }
        reached >= range.end
    }

    /// The gap around a range that nothing is in.
    pub fn gap_around(&self, range: Range<u64>, whole: Range<u64>) -> Range<u64> {
        let place = self.place(range.start);
        let below = place.checked_sub(1).map_or(whole.start, |below| self.list[below].end);
        let above = self.list.get(place).map_or(whole.end, |above| above.start);
        below..above
    }

    /// Adds a region where nothing is. Reserved by the caller.
    pub fn insert(&mut self, region: Region) {
        assert!(self.is_free(region.range()), "a region was put where one is");
        self.mapped += region.bytes();
        let place = self.place(region.start);
        self.push_at(place, region);
        self.join_at(place + 1);
        self.join_at(place);
    }

    /// Takes all out that is in `range`. Reserved by the caller.
    pub fn remove(&mut self, range: Range<u64>) {
        self.split_at(range.start);
        self.split_at(range.end);
        let first = self.place(range.start);
        let count = self.in_range(range).len();
        for region in self.list.drain(first..first + count) {
            self.mapped -= region.bytes();
            region.went();
        }
    }

    /// Gives all that is in `range` another protection. Reserved by the caller.
    pub fn protect(&mut self, range: Range<u64>, protection: Protection) {
        self.change(range, |region| region.protection = protection);
    }

    /// Says how all that is in `range` uses large pages. Reserved by the caller.
    pub fn use_large(&mut self, range: Range<u64>, large: LargeUse) {
        self.change(range, |region| region.large = large);
    }

    fn change(&mut self, range: Range<u64>, change: impl Fn(&mut Region)) {
        self.split_at(range.start);
        self.split_at(range.end);
        let first = self.place(range.start);
        let count = self.in_range(range).len();
        for region in &mut self.list[first..first + count] {
            change(region);
        }
        for place in (first..=first + count).rev() {
            self.join_at(place);
        }
    }

    /// A stack grows down to `start`, where nothing is.
    pub fn grow_down(&mut self, at: u64, start: u64) {
        let place = self.place(at);
        let free = self.is_free(start..self.list[place].start);
        assert!(free && self.list[place].grows_to.is_some(), "a region grew that is no stack, or into another one");
        self.mapped += self.list[place].start - start;
        self.list[place].start = start;
    }

    /// Makes `at` a border between regions. Reserved by the callers.
    fn split_at(&mut self, at: u64) {
        let place = self.place(at);
        let Some(region) = self.list.get_mut(place).filter(|region| region.start < at) else { return };
        let upper = Region {
            start: at,
            end: region.end,
            protection: region.protection,
            contents: region.contents.advanced(region.pages_before(at)),
            // The part above still ends the stack, but only the lowest part may grow.
            grows_to: None,
            large: region.large,
        };
        region.end = at;
        self.push_at(place + 1, upper);
    }

    fn push_at(&mut self, place: usize, region: Region) {
        assert!(self.list.len() < self.list.capacity(), "a region was added without a place reserved for it");
        region.came();
        self.list.insert(place, region);
    }

    /// Joins the region at `place` to the one below, if they could be one.
    fn join_at(&mut self, place: usize) {
        if place == 0 || place >= self.list.len() || !self.list[place - 1].joins(&self.list[place]) {
            return;
        }
        // Not those that are counted.
        let upper = self.list.remove(place);
        self.list[place - 1].end = upper.end;
    }
}

impl Drop for Regions {
    fn drop(&mut self) {
        self.list.iter().for_each(Region::went);
    }
}

#[cfg(test)]
#[path = "regions_tests.rs"]
mod tests;
