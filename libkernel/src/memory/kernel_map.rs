//! The kernel half: where what lives, and what is added to it after boot.
//!
//! Invariant: every address space shares the kernel half's tables from the second level down, so a mapping made
//! here is seen by all at once. Only stacks are ever unmapped, and whoever does that tells every CPU before the frames
//! are used again; tables stay.

use super::frames::{self, CountedTableFrames, Owner};
use super::translation;
use crate::error::KernelError;
use machine::addr::{Frame, PAGE_SIZE, PhysAddr, VirtAddr};
use machine::paging::{self, Flags, flush};
use sync::{Counter, Once, SpinLock, order};

/// Kernel stacks, each with a page below it that is never mapped.
pub const STACKS: u64 = 0xffff_c000_0000_0000;
pub const STACKS_END: u64 = 0xffff_d000_0000_0000;

/// The root that kernel threads run on.
static ROOT: Once<PhysAddr> = Once::new();
static CHANGE: SpinLock<(), order::KernelMap> = SpinLock::new(());
/// Tables that were made for stacks.
static TABLES: Counter = Counter::new(0);

/// How many page tables the kernel half has got since boot. They stay.
pub fn tables() -> u64 {
    TABLES.get()
}

/// The kernel's tables are built: loads them on this CPU.
#[allow(unsafe_code)]
pub(super) fn initialise(root: PhysAddr) {
    assert!(ROOT.set(root).is_ok(), "the kernel's tables were built twice");
    load();
}

/// This CPU uses the kernel's own root from now on.
pub fn load() {
    flush::load_root(root());
    translation::use_none();
}

pub fn root() -> PhysAddr {
    let Some(root) = ROOT.get() else { panic!("the kernel's tables are not built yet") };
    *root
}

/// Maps `pages` new frames from `from` on, writable, not executable. Those that are mapped already stay.
pub fn map_stack(from: VirtAddr, pages: usize) -> Result<(), KernelError> {
    let _change = CHANGE.lock_without_context();
    for index in 0..pages {
        let at = VirtAddr::new(from.as_u64() + (index * PAGE_SIZE) as u64);
        if paging::lookup(root(), at).is_some() {
            continue;
        }
        let frame = frames::take(Owner::Stack).ok_or(KernelError::NoMemory)?;
        let flags = Flags::PRESENT | Flags::WRITABLE | Flags::NO_EXECUTE | Flags::GLOBAL;
        if paging::map(root(), at, frame.start(), flags, &mut CountedTableFrames(&TABLES)).is_err() {
            frames::give(frame, Owner::Stack);
            return Err(KernelError::NoMemory);
        }
    }
    Ok(())
}

/// Takes away what `map_stack` mapped from `from` on, and answers the frames one by one: they are whose they were until every CPU has
/// forgotten the pages.
pub fn unmap_stack(from: VirtAddr, pages: usize, mut frame: impl FnMut(Frame)) {
    let _change = CHANGE.lock_without_context();
    for index in 0..pages {
        let at = VirtAddr::new(from.as_u64() + (index * PAGE_SIZE) as u64);
        if let Some(entry) = paging::unmap(root(), at) {
            frame(Frame::new(entry.address().as_u64() / PAGE_SIZE as u64));
        }
    }
}
