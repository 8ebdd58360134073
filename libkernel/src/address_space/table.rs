//! The user half of a page table, every entry of which holds a share of a page.
//!
//! Invariant: an entry in use owns one `Page`, made by `into_raw` when it was written and made a `Page` again when it
//! is taken out; present or not (a page that nobody may touch now keeps its contents); a large entry owns a share of each of its
//! frames, which nobody else shares for long. Who shares the space with others
//! puts pages only where none is, by compare-exchange, and changes an entry in use under the lock of its stripe; pages
//! and tables are taken out, and entries looked through, only by one that has the space alone.
// The one place where shares of pages stand as numbers, in memory that the CPU reads.
#![allow(unsafe_code)]

use super::address::USER_END;
use super::request::Protection;
use super::resident::Resident;
use super::spare_tables::SpareTables;
use crate::error::KernelError;
use crate::memory::forget::{Stale, forget_everywhere};
use crate::memory::frames::{CountedTableFrames, TableFrames};
use crate::memory::large_page::{FRAMES, LARGE_BYTES, LargePage, MAPPED};
use crate::memory::{Page, Translation, kernel_map};
use alloc::sync::Arc;
use core::ops::{Deref, Range};
use machine::addr::{PhysAddr, VirtAddr};
use machine::paging::release::{self, Detached};
use machine::paging::table::ENTRIES;
use machine::paging::{self, Entry, Flags, FrameSource, Slot};
use sync::{Counter, SpinGuard, SpinLock, TaskContext, order};

pub(super) struct UserTable {
    root: PhysAddr,
    pages: Arc<Resident>,
    spare: SpareTables,
    large: Counter,
    /// How many tables there are beside the root.
    tables: Counter,
}

/// A lock for the entries of some tables, on a line of its own.
#[repr(align(64))]
struct Stripe(SpinLock<(), order::PageEntries>);

const STRIPES: usize = 64;

/// All spaces' entries share these; two tables of one space mostly have two.
static STRIPE: [Stripe; STRIPES] = [const { Stripe(SpinLock::new(())) }; STRIPES];

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
        Ok(UserTable {
            root,
            pages: Arc::new(Resident::new()),
            spare: SpareTables::none(),
            large: Counter::new(0),
            tables: Counter::new(0),
        })
    }

    pub const fn root(&self) -> PhysAddr {
        self.root
    }

    /// How many tables it has, beside the root.
    pub fn tables(&self) -> u64 {
        self.tables.get()
    }

    /// How many pages it holds, for those who only want to know.
    pub const fn resident(&self) -> &Arc<Resident> {
        &self.pages
    }

    /// Makes the tables that the entry of `at` needs, so that the next `put` there cannot fail.
    pub fn prepare(&self, at: VirtAddr) -> Result<(), KernelError> {
        self.slot(at).map(drop)
    }

    fn slot(&self, at: VirtAddr) -> Result<Slot, KernelError> {
        paging::table::make_slot(self.root, at, 1, &mut CountedTableFrames(&self.tables)).map_err(|_| KernelError::NoMemory)
    }

    /// Puts a page where none is.
    pub fn put(&mut self, at: VirtAddr, page: Page, flags: Flags) -> Result<(), KernelError> {
        let slot = self.slot(at)?;
        assert!(slot.load().is_empty(), "a page was put where one is");
        slot.store(Entry::new(page.into_raw(), flags));
        self.pages.count_in(1);
        Ok(())
    }

    /// Puts a page where none is. If another was faster, that one's page stays, and this one goes back.
    pub fn put_first(&self, at: VirtAddr, page: Page, flags: Flags) -> Result<(), KernelError> {
        let slot = self.slot(at)?;
        match slot.claim(Entry::new(page.physical(), flags)) {
            Ok(()) => {
                page.into_raw();
                self.pages.count_in(1);
            }
            Err(_) => drop(page),
        }
        Ok(())
    }

    /// Puts fresh pages into the empty places behind `at`, as many as pages stand in a row right before it, `most` at most; all in
    /// one table. Ends at a place that is taken, or when there is no page.
    pub fn extend_row(&self, at: VirtAddr, most: usize, flags: Flags, mut fresh: impl FnMut() -> Option<Page>) {
        let Some(table) = paging::last_table(self.root, at) else { return };
        let here = at.index(1);
        let is_used = |index: &usize| !table.slot(*index).load().is_empty();
        let row = (0..here).rev().take(most).take_while(is_used).count();
        let added = (here + 1..ENTRIES).take(row).map_while(|index| {
            if is_used(&index) {
                return None;
            }
            let page = fresh()?;
            table.slot(index).claim(Entry::new(page.physical(), flags)).ok()?;
            Some(page.into_raw())
        });
        self.pages.count_in(added.count());
    }

    /// Is neither a page nor a table where a large page for `at` would be?
    pub fn has_room_for_large(&self, at: VirtAddr) -> bool {
        paging::table::make_slot(self.root, at, 2, &mut CountedTableFrames(&self.tables)).is_ok_and(|slot| slot.load().is_empty())
    }

    /// Puts a large page where neither a page nor a table is; if another was faster, it goes back.
    pub fn put_large_first(&self, at: VirtAddr, page: LargePage, flags: Flags) -> Result<(), KernelError> {
        let no_memory = |_| KernelError::NoMemory;
        let slot = paging::table::make_slot(self.root, at, 2, &mut CountedTableFrames(&self.tables)).map_err(no_memory)?;
        let spare = TableFrames.take().ok_or(KernelError::NoMemory)?;
        if slot.claim(Entry::new(page.physical(), flags | Flags::LARGE)).is_err() {
            TableFrames.give(spare);
            return Ok(());
        }
        page.into_raw();
        self.spare.add(spare);
        self.pages.count_in(FRAMES);
        self.large.increment();
        MAPPED.increment();
        Ok(())
    }

    /// How many large pages it holds.
    pub fn large_pages(&self) -> u64 {
        self.large.get()
    }

    /// The entry of the page at `at`, if one is there. It may change at once.
    pub fn entry(&self, at: VirtAddr) -> Option<Entry> {
        let entry = paging::translating_slot(self.root, at)?.load();
        (!entry.is_empty()).then_some(entry)
    }

    /// The place of the page at `at`, if one is there, which nobody else changes meanwhile.
    pub fn locked_place<'a>(&'a self, at: VirtAddr, cx: &'a TaskContext) -> Option<LockedPlace<'a>> {
        let slot = paging::translating_slot(self.root, at)?;
        let number = (at.as_u64() >> 21) ^ (self.root.as_u64() >> 12);
        let stripe = STRIPE[number as usize % STRIPES].0.lock(cx);
        (!slot.load().is_empty()).then(|| LockedPlace { place: Place { slot, table: self, at }, _stripe: stripe })
    }

    /// The place of the page at `at`, if one is there.
    pub fn place(&mut self, at: VirtAddr) -> Option<Place<'_>> {
        let slot = paging::translating_slot(self.root, at)?;
        (!slot.load().is_empty()).then_some(Place { slot, table: self, at })
    }

    /// The lowest page in `range`.
    pub fn first_page(&mut self, range: Range<u64>) -> Option<VirtAddr> {
        self.visit(range, |at, _| Err(at)).err()
    }

    /// Calls `visitor` with each page in `range`, in ascending order. A large page comes once, whole, and at its beginning:
    /// whoever cannot have that splits it first.
    pub fn visit<E>(&mut self, range: Range<u64>, mut visitor: impl FnMut(VirtAddr, Place<'_>) -> Result<(), E>) -> Result<(), E> {
        let table = &*self;
        paging::visit(self.root, range, &mut |at, slot| visitor(at, Place { slot, table, at }))
    }

    /// Takes out the tables that translate only `range`. There are pages only in those that lie in `filled`, and these stay in
    /// them. CPUs may still walk them.
    pub fn detach_tables(&mut self, range: Range<u64>, filled: &Range<u64>, mut taken: impl FnMut(DetachedTable)) {
        release::detach_tables(self.root, range, &mut |detached| {
            let may_hold_pages = detached.is_last_level && filled.contains(&detached.base.as_u64());
            debug_assert!(may_hold_pages || release::pages_in(&detached).next().is_none(), "a table with pages passes for empty");
            let table = DetachedTable(Detached { is_last_level: may_hold_pages, ..detached });
            self.pages.count_out(table.pages().count());
            self.tables.sub(1);
            taken(table);
        });
    }
}

impl Drop for UserTable {
    /// No CPU uses it any more: whoever owns it has seen to that.
    fn drop(&mut self) {
        let emptied: Result<(), ()> = self.visit(0..USER_END, |_, place| {
            if place.is_large() {
                drop(place.take_large())
            } else {
                drop(place.take())
            }
            Ok(())
        });
        debug_assert!(emptied.is_ok() && self.pages.pages() == 0);
        release::free_root(self.root, &mut TableFrames);
    }
}

/// One entry that holds a page, which nobody else changes while this is there: the table is borrowed mutably, or the
/// lock of the entry's stripe is held.
pub(super) struct Place<'a> {
    slot: Slot,
    table: &'a UserTable,
    at: VirtAddr,
}

impl Place<'_> {
    pub fn entry(&self) -> Entry {
        self.slot.load()
    }

    pub fn is_large(&self) -> bool {
        self.entry().has(Flags::LARGE)
    }

    /// Another share of the page; of a large one, of the part for the address that was asked for.
    pub fn share(&self) -> Page {
        let entry = self.entry();
        let inside = if entry.has(Flags::LARGE) { self.at.page_start().as_u64() % LARGE_BYTES } else { 0 };
        // SAFETY: the entry's shares were made by `into_raw`, and stay: nobody else changes the entry.
        unsafe { Page::share_raw(entry.address() + inside) }
    }

    /// Does nobody else share the page?
    pub fn is_sole_owner(&self) -> bool {
        // With this extra share there are two.
        self.share().reference_count() == 2
    }

    /// Gives it other flags, keeping what CPUs have noted; returns the entry before.
    pub fn set_flags(&self, flags: Flags) -> Entry {
        let noted = Flags::ACCESSED | Flags::DIRTY | Flags::LARGE;
        self.slot.update(|entry| entry.with_flags(entry.flags() & noted | flags))
    }

    /// Writing comes to the kernel from now on; returns the entry before.
    pub fn forbid_writing(&self) -> Entry {
        self.slot.remove_flags(Flags::WRITABLE)
    }

    /// CPUs do not see the page any more, which stays; returns the entry before.
    pub fn hide(&self) -> Entry {
        self.slot.remove_flags(Flags::PRESENT)
    }

    /// Makes a large page that is hidden, and forgotten by all CPUs, as many small ones with the same rights.
    pub fn split(self) {
        let flags = self.entry().flags();
        let present = if flags.contains(Flags::USER) { Flags::PRESENT } else { Flags::empty() };
        self.slot.split(self.table.spare.take(), flags | present);
        self.table.tables.increment();
        self.table.large.sub(1);
        MAPPED.sub(1);
    }

    /// Takes a large page out; returns it and its entry.
    pub fn take_large(self) -> (LargePage, Entry) {
        let before = self.slot.swap(Entry::EMPTY);
        assert!(before.has(Flags::LARGE), "a small page was taken for a large one");
        TableFrames.give(self.table.spare.take());
        self.table.pages.count_out(FRAMES);
        self.table.large.sub(1);
        MAPPED.sub(1);
        // SAFETY: the shares that the entry owned, which the swap took out of it.
        (unsafe { LargePage::from_raw(before.address()) }, before)
    }

    /// Takes a small page out; returns it and its entry.
    pub fn take(self) -> (Page, Entry) {
        let before = self.slot.swap(Entry::EMPTY);
        assert!(!before.has(Flags::LARGE), "a large page was taken for a small one");
        self.table.pages.count_out(1);
        // SAFETY: the share that the entry owned, which the swap took out of it.
        (unsafe { Page::from_raw(before.address()) }, before)
    }
}

/// The same under the lock of its stripe; the page stays in it.
pub(super) struct LockedPlace<'a> {
    place: Place<'a>,
    _stripe: SpinGuard<'a, (), order::PageEntries>,
}

impl<'a> Deref for LockedPlace<'a> {
    type Target = Place<'a>;

    fn deref(&self) -> &Place<'a> {
        &self.place
    }
}

impl LockedPlace<'_> {
    /// Puts another page in its place, and returns the one before, which every CPU has forgotten by then. Nobody can
    /// write to the new one as long as another may still read the old one.
    pub fn replace(self, page: Page, flags: Flags, translation: &Translation) -> Page {
        let slot = self.place.slot;
        assert!(!self.place.is_large(), "a part of a large page was replaced");
        let before = slot.swap(Entry::new(page.into_raw(), flags - Flags::WRITABLE));
        if before.has(Flags::PRESENT) {
            forget_everywhere(translation, &Stale::page(self.place.at));
        }
        slot.add_flags(flags & Flags::WRITABLE);
        // SAFETY: the share that the entry owned, which the swap took out of it.
        unsafe { Page::from_raw(before.address()) }
    }
}

/// A table that no entry points at any more; its frame and its pages go back when this is dropped, which must not be before
/// every CPU has forgotten them.
pub(super) struct DetachedTable(Detached);

impl DetachedTable {
    /// The pages in it, and their entries as they were.
    pub fn pages(&self) -> impl Iterator<Item = (VirtAddr, Entry)> {
        release::pages_in(&self.0).map(|(at, slot)| (at, slot.load()))
    }
}

impl Drop for DetachedTable {
    fn drop(&mut self) {
        for (_, slot) in release::pages_in(&self.0) {
            // SAFETY: the share that the entry owned, which the swap took out of it.
            drop(unsafe { Page::from_raw(slot.swap(Entry::EMPTY).address()) });
        }
        TableFrames.give(self.0.table);
    }
}
