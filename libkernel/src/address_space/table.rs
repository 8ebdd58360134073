//! The user half of a page table, every entry of which holds a share of a page.
//!
//! Invariant: an entry in use owns one `Page`, made by `into_raw` when it was written and made a `Page` again when it
//! is taken out; present or not (a page that nobody may touch now keeps its contents).
// The one place where shares of pages stand as numbers, in memory that the CPU reads.
#![allow(unsafe_code)]

use super::address::USER_END;
use super::request::Protection;
use crate::error::KernelError;
use crate::memory::frames::TableFrames;
use crate::memory::{Page, kernel_map};
use core::ops::Range;
use machine::addr::{PhysAddr, VirtAddr};
use machine::paging::{self, Entry, Flags, Slot, release};

pub(super) struct UserTable {
    root: PhysAddr,
    pages: usize,
}

/// What the CPU may be told about a page. `writable` is false as long as a write must come to the kernel first.
pub(super) fn flags(protection: Protection, writable: bool) -> Flags {
    let mut flags = Flags::HELD;
    if protection.is_any() {
        flags |= Flags::PRESENT | Flags::USER;
    }
    if protection.write && writable {
        flags |= Flags::WRITABLE;
    }
    if !protection.execute {
        flags |= Flags::NO_EXECUTE;
    }
    flags
}

/// Would a CPU that remembers `before` allow what `after` does not?
pub(super) fn takes_rights(before: Entry, after: Flags) -> bool {
    let before = before.flags();
    let granted = before & (Flags::PRESENT | Flags::WRITABLE);
    before.contains(Flags::PRESENT)
        && (!after.contains(granted) || (after.contains(Flags::NO_EXECUTE) && !before.contains(Flags::NO_EXECUTE)))
}

impl UserTable {
    /// Empty, with the kernel's half.
    pub fn new() -> Result<Self, KernelError> {
        let root = paging::new_root(kernel_map::root(), &mut TableFrames).map_err(|_| KernelError::NoMemory)?;
        Ok(UserTable { root, pages: 0 })
    }

    pub const fn root(&self) -> PhysAddr {
        self.root
    }

    /// How many pages it holds.
    pub const fn pages(&self) -> usize {
        self.pages
    }

    /// Makes the tables that the entry of `at` needs, so that the next `put` there cannot fail.
    pub fn prepare(&mut self, at: VirtAddr) -> Result<(), KernelError> {
        self.slot(at).map(drop)
    }

    fn slot(&mut self, at: VirtAddr) -> Result<Slot, KernelError> {
        paging::table::make_slot(self.root, at, 1, &mut TableFrames).map_err(|_| KernelError::NoMemory)
    }

    /// Puts a page where none is.
    pub fn put(&mut self, at: VirtAddr, page: Page, flags: Flags) -> Result<(), KernelError> {
        let slot = self.slot(at)?;
        assert!(slot.load().is_empty(), "a page was put where one is");
        slot.store(Entry::new(page.into_raw(), flags));
        self.pages += 1;
        Ok(())
    }

    /// The place of the page at `at`, if one is there.
    pub fn place(&mut self, at: VirtAddr) -> Option<Place<'_>> {
        let slot = paging::slot(self.root, at)?;
        (!slot.load().is_empty()).then_some(Place { slot, pages: &mut self.pages })
    }

    /// The lowest page in `range`.
    pub fn first_page(&mut self, range: Range<u64>) -> Option<VirtAddr> {
        self.visit(range, |at, _| Err(at)).err()
    }

    /// Calls `visitor` with each page in `range`, in ascending order.
    pub fn visit<E>(&mut self, range: Range<u64>, mut visitor: impl FnMut(VirtAddr, Place<'_>) -> Result<(), E>) -> Result<(), E> {
        let pages = &mut self.pages;
        paging::visit(self.root, range, &mut |at, slot| visitor(at, Place { slot, pages }))
    }

    /// Takes out the tables that translate only `range`, in which no page is left. CPUs may still walk them.
    pub fn detach_tables(&mut self, range: Range<u64>, mut taken: impl FnMut(DetachedTable)) {
        release::detach_tables(self.root, range, &mut |table| taken(DetachedTable(table)));
    }
}

impl Drop for UserTable {
    /// No CPU uses it any more: whoever owns it has seen to that.
    fn drop(&mut self) {
        let emptied: Result<(), ()> = self.visit(0..USER_END, |_, place| {
            drop(place.take());
            Ok(())
        });
        debug_assert!(emptied.is_ok() && self.pages == 0);
        release::free_root(self.root, &mut TableFrames);
    }
}

/// One entry that holds a page.
pub(super) struct Place<'a> {
    slot: Slot,
    pages: &'a mut usize,
}

impl Place<'_> {
    pub fn entry(&self) -> Entry {
        self.slot.load()
    }

    /// Another share of the page.
    pub fn share(&self) -> Page {
        // SAFETY: the entry's share was made by `into_raw`, and stays: the table is borrowed mutably by this.
        unsafe { Page::share_raw(self.slot.load().address()) }
    }

    /// Does nobody else share the page?
    pub fn is_sole_owner(&self) -> bool {
        // With this extra share there are two.
        self.share().reference_count() == 2
    }

    /// Gives it other flags, keeping what CPUs have noted; returns the entry before.
    pub fn set_flags(&self, flags: Flags) -> Entry {
        let noted = Flags::ACCESSED | Flags::DIRTY;
        self.slot.update(|entry| entry.with_flags(entry.flags() & noted | flags))
    }

    /// Writing comes to the kernel from now on; returns the entry before.
    pub fn forbid_writing(&self) -> Entry {
        self.slot.remove_flags(Flags::WRITABLE)
    }

    /// Puts another page in its place; returns the one before and its entry.
    pub fn exchange(&self, page: Page, flags: Flags) -> (Page, Entry) {
        let before = self.slot.swap(Entry::new(page.into_raw(), flags));
        // SAFETY: the share that the entry owned, which the swap took out of it.
        (unsafe { Page::from_raw(before.address()) }, before)
    }

    /// Takes the page out; returns it and its entry.
    pub fn take(self) -> (Page, Entry) {
        let before = self.slot.swap(Entry::EMPTY);
        *self.pages -= 1;
        // SAFETY: the share that the entry owned, which the swap took out of it.
        (unsafe { Page::from_raw(before.address()) }, before)
    }
}

/// A table that no entry points at any more; its frame goes back when this is dropped, which must not be before every
/// CPU has forgotten it.
pub(super) struct DetachedTable(PhysAddr);

impl Drop for DetachedTable {
    fn drop(&mut self) {
        use machine::paging::FrameSource;
        TableFrames.give(self.0);
    }
}
