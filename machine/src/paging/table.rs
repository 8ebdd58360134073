//! One address's way through the tables: find its entry, make one, change one.
//!
//! Invariant: a table's frame belongs to the one entry that points at it, from the moment the entry is written until
//! `release` takes it out. Tables are added by whoever is first, by compare-exchange; they are taken out only while
//! nobody else looks for places, for which each root has a lock.

use super::entry::{Entry, Flags};
use crate::addr::{PhysAddr, VirtAddr};
use crate::physical;
use sync::Published;

pub const LEVELS: u32 = 4;
pub const ENTRIES: usize = 512;
/// The root's first entry of the kernel half.
pub const KERNEL_HALF: usize = ENTRIES / 2;

/// Where tables get their frames, and where these go back.
pub trait FrameSource {
    /// All bytes of it are 0.
    fn take(&mut self) -> Option<PhysAddr>;
    fn give(&mut self, frame: PhysAddr);
}

/// No frame was left for a table. Tables that were made on the way stay; they are empty.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NoFrames;

/// How many bytes one entry of `level` translates.
pub const fn bytes_of(level: u32) -> u64 {
    1 << (12 + 9 * (level - 1))
}

/// The place of an entry, in a table that stays while this is used.
#[derive(Clone, Copy)]
pub struct Slot(&'static Published<u64>);

impl Slot {
    pub(super) fn of(table: PhysAddr, index: usize) -> Self {
        assert!(index < ENTRIES && table.is_aligned(4096), "no such place in a page table");
        let place = physical::pointer(table + 8 * index as u64).cast::<Published<u64>>();
        // SAFETY: an aligned word inside the window, in a frame that is a page table: it is read and written as an
        // atomic only, by this type and by CPUs. `Published` is transparent.
        Slot(unsafe { &*place })
    }

    pub fn load(self) -> Entry {
        Entry::from_bits(self.0.load())
    }

    pub fn store(self, entry: Entry) {
        self.0.store(entry.bits());
    }

    /// Returns the entry before, with all that CPUs have noted in it.
    pub fn swap(self, entry: Entry) -> Entry {
        Entry::from_bits(self.0.swap(entry.bits()))
    }

    /// Takes flags away, leaves what CPUs note in the meantime. Returns the entry before.
    pub fn remove_flags(self, flags: Flags) -> Entry {
        Entry::from_bits(self.0.fetch_and(!flags.bits()))
    }

    pub fn add_flags(self, flags: Flags) -> Entry {
        Entry::from_bits(self.0.fetch_or(flags.bits()))
    }

    /// Replaces the entry by what `by` makes of it, nothing that a CPU notes being lost. Returns the entry before.
    pub fn update(self, by: impl Fn(Entry) -> Entry) -> Entry {
        let mut before = self.0.load();
        loop {
            match self.0.compare_exchange(before, by(Entry::from_bits(before)).bits()) {
                Ok(before) => return Entry::from_bits(before),
                Err(actual) => before = actual,
            }
        }
    }

    /// Writes an entry where none is; `Err` is the one that another wrote first.
    pub fn claim(self, entry: Entry) -> Result<(), Entry> {
        self.0.compare_exchange(0, entry.bits()).map(drop).map_err(Entry::from_bits)
    }

    /// Puts `table` in the place of the large page here: its entries translate as the page did, with these flags.
    pub fn split(self, table: PhysAddr, flags: Flags) {
        let first = self.load().address();
        for index in 0..ENTRIES {
            let part = Entry::new(first + index as u64 * bytes_of(1), flags - Flags::LARGE);
            Slot::of(table, index).store(part);
        }
        self.store(table_entry(table, true));
    }

    /// The table that a used entry above level 1 points at, unless it is a large page.
    pub(super) fn table(self) -> Option<PhysAddr> {
        let entry = self.load();
        (!entry.is_empty() && !entry.has(Flags::LARGE)).then(|| entry.address())
    }
}

/// A root whose kernel half is the one of `kernel_root`, and whose user half is empty.
pub fn new_root(kernel_root: PhysAddr, source: &mut dyn FrameSource) -> Result<PhysAddr, NoFrames> {
    let root = source.take().ok_or(NoFrames)?;
    for index in KERNEL_HALF..ENTRIES {
        Slot::of(root, index).store(Slot::of(kernel_root, index).load());
    }
    Ok(root)
}

/// The place of the 4 KiB entry of `at`; `None` where there is no table for it, or a large page.
pub fn slot(root: PhysAddr, at: VirtAddr) -> Option<Slot> {
    Some(last_table(root, at)?.slot(at.index(1)))
}

/// A table of 4 KiB entries, which stays while this is used.
#[derive(Clone, Copy)]
pub struct LastTable(PhysAddr);

impl LastTable {
    pub fn slot(self, index: usize) -> Slot {
        Slot::of(self.0, index)
    }
}

/// The table of the 4 KiB entry of `at`; `None` where there is none, or a large page.
pub fn last_table(root: PhysAddr, at: VirtAddr) -> Option<LastTable> {
    let mut table = root;
    for level in (2..=LEVELS).rev() {
        table = Slot::of(table, at.index(level)).table()?;
    }
    Some(LastTable(table))
}

/// The place of the entry that translates `at`: that of its 4 KiB page, used or not, or of a large page. `None` where
/// there is no table for it.
pub fn translating_slot(root: PhysAddr, at: VirtAddr) -> Option<Slot> {
    let mut table = root;
    for level in (2..=LEVELS).rev() {
        let slot = Slot::of(table, at.index(level));
        let entry = slot.load();
        if entry.is_empty() {
            return None;
        }
        if entry.has(Flags::LARGE) {
            return Some(slot);
        }
        table = entry.address();
    }
    Some(Slot::of(table, at.index(1)))
}

/// The place of the entry of `at` in the table of `level`, tables being made on the way down to it; or that of a large
/// page that stands in the way.
pub fn make_slot(root: PhysAddr, at: VirtAddr, level: u32, source: &mut dyn FrameSource) -> Result<Slot, NoFrames> {
    let mut table = root;
    for above in (level + 1..=LEVELS).rev() {
        let slot = Slot::of(table, at.index(above));
        let mut entry = slot.load();
        if entry.is_empty() {
            entry = make_table(slot, at, source)?;
        }
        if entry.has(Flags::LARGE) {
            return Ok(slot);
        }
        table = entry.address();
    }
    Ok(Slot::of(table, at.index(level)))
}

/// What another was faster with, if one was: a table, or a large page.
fn make_table(slot: Slot, at: VirtAddr, source: &mut dyn FrameSource) -> Result<Entry, NoFrames> {
    let table = source.take().ok_or(NoFrames)?;
    let entry = table_entry(table, is_user(at));
    match slot.claim(entry) {
        Ok(()) => Ok(entry),
        Err(first) => {
            source.give(table);
            Ok(first)
        }
    }
}

/// The pages say what is allowed; tables allow everything.
fn table_entry(table: PhysAddr, is_user: bool) -> Entry {
    let user = if is_user { Flags::USER } else { Flags::empty() };
    Entry::new(table, Flags::PRESENT | Flags::WRITABLE | user)
}

fn is_user(at: VirtAddr) -> bool {
    at.index(LEVELS) < KERNEL_HALF
}

/// Maps one 4 KiB page where none is.
pub fn map(root: PhysAddr, at: VirtAddr, to: PhysAddr, flags: Flags, source: &mut dyn FrameSource) -> Result<(), NoFrames> {
    let before = replace(root, at, Entry::new(to, flags), source)?;
    assert!(before.is_empty(), "{at:?} was mapped already");
    Ok(())
}

/// Writes the entry of a 4 KiB page; returns the one before.
pub fn replace(root: PhysAddr, at: VirtAddr, entry: Entry, source: &mut dyn FrameSource) -> Result<Entry, NoFrames> {
    let slot = make_slot(root, at, 1, source)?;
    assert!(!slot.load().has(Flags::LARGE), "a large page is mapped at {at:?} where a small one is wanted");
    Ok(slot.swap(entry))
}

/// Takes the entry of a 4 KiB page out. CPUs may remember it until they are told.
pub fn unmap(root: PhysAddr, at: VirtAddr) -> Option<Entry> {
    let before = slot(root, at)?.swap(Entry::EMPTY);
    (!before.is_empty()).then_some(before)
}

/// Changes the entry of a 4 KiB page, if one is in use; returns the one before.
pub fn change(root: PhysAddr, at: VirtAddr, by: impl Fn(Entry) -> Entry) -> Option<Entry> {
    let slot = slot(root, at)?;
    let before = slot.update(|entry| if entry.is_empty() { entry } else { by(entry) });
    (!before.is_empty()).then_some(before)
}

/// The entry that `at` is translated by. Of a large page it is the part for this 4 KiB.
pub fn lookup(root: PhysAddr, at: VirtAddr) -> Option<Entry> {
    let mut table = root;
    for level in (1..=LEVELS).rev() {
        let entry = Slot::of(table, at.index(level)).load();
        if entry.is_empty() {
            return None;
        }
        if level == 1 {
            return Some(entry);
        }
        if entry.has(Flags::LARGE) {
            let inside = at.page_start().as_u64() & (bytes_of(level) - 1);
            let start = entry.address().align_down(bytes_of(level));
            return Some(Entry::new(start + inside, entry.flags() - Flags::LARGE));
        }
        table = entry.address();
    }
    None
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
