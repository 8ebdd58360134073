//! A program on a fake CPU: it walks the tables as the hardware does, and faults as the hardware does.

use crate::address_space::address::{PAGE, USER_END};
use crate::address_space::{Access, AddressSpace, Fault, Gone, PageSource, UserAddress, Viewers};
use crate::error::KernelError;
use crate::memory::large_page::FRAMES;
use crate::memory::{Page, statistics};
use crate::thread::UserMemory;
use core::ptr::NonNull;
use machine::addr::{PhysAddr, VirtAddr};
use machine::paging::{self, Flags};
use machine::physical;
use std::string::String;
use std::vec::Vec;
use sync::{SpinLock, TaskContext, order};

/// A context of no thread: nothing here waits.
#[allow(unsafe_code)]
pub fn context() -> TaskContext {
    // SAFETY: nobody asks it for its thread.
    unsafe { TaskContext::enter(NonNull::dangling()) }
}

pub const fn at(page: u64) -> UserAddress {
    UserAddress::new(page * PAGE)
}

/// Frames that somebody has.
pub fn frames_in_use() -> u64 {
    statistics().pages + statistics().page_tables
}

/// Where a CPU would find the byte at `address`, as things are.
pub fn translate(space: &AddressSpace, address: u64, access: Access) -> Option<PhysAddr> {
    let entry = paging::lookup(space.translation().root(), VirtAddr::new(address))?;
    let wanted = match access {
        Access::Write => Flags::PRESENT | Flags::USER | Flags::WRITABLE,
        _ => Flags::PRESENT | Flags::USER,
    };
    let refused = access == Access::Execute && entry.has(Flags::NO_EXECUTE);
    (entry.has(wanted) && !refused).then(|| entry.address() + address % PAGE)
}

/// All pages that the table holds, and what it lets a program do with them.
pub fn table_of(space: &AddressSpace) -> Vec<(u64, Flags)> {
    let mut found = Vec::new();
    let all: Result<(), ()> = paging::visit(space.translation().root(), 0..USER_END, &mut |at, slot| {
        let entry = slot.load();
        let count = if entry.has(Flags::LARGE) { FRAMES as u64 } else { 1 };
        found.extend((0..count).map(|page| (at.as_u64() / PAGE + page, entry.flags())));
        Ok(())
    });
    assert_eq!(all, Ok(()));
    found
}

fn access(space: &AddressSpace, cx: &mut TaskContext, address: u64, access: Access) -> Result<PhysAddr, Fault> {
    if let Some(found) = translate(space, address, access) {
        return Ok(found);
    }
    space.fault(cx, address, access)?;
    let found = translate(space, address, access);
    Ok(found.unwrap_or_else(|| panic!("{access:?} at {address:#x} was settled, and faults again")))
}

pub fn load(space: &AddressSpace, cx: &mut TaskContext, address: u64) -> Result<u8, Fault> {
    access(space, cx, address, Access::Read).map(physical::read)
}

pub fn store(space: &AddressSpace, cx: &mut TaskContext, address: u64, byte: u8) -> Result<(), Fault> {
    access(space, cx, address, Access::Write).map(|place| physical::write(place, byte))
}

pub fn run(space: &AddressSpace, cx: &mut TaskContext, address: u64) -> Result<(), Fault> {
    access(space, cx, address, Access::Execute).map(drop)
}

/// A file: page `n` begins with the byte `n + 1`.
pub struct File {
    pages: SpinLock<Vec<Page>, order::FilePages>,
    viewers: Viewers,
    writable: bool,
}

impl File {
    pub fn new(length: u8, writable: bool) -> Self {
        let page = |number: u8| {
            let page = Page::zeroed().unwrap();
            page.write(0, &[number + 1]);
            page
        };
        File { pages: SpinLock::new((0..length).map(page).collect()), viewers: Viewers::new(), writable }
    }

    /// Cuts it, or makes it longer by empty pages.
    pub fn resize(&self, cx: &mut TaskContext, length: u64) {
        let gone = {
            let mut pages = self.pages.lock(cx);
            let kept = pages.len().min(length as usize);
            let gone = pages.split_off(kept);
            pages.resize_with(length as usize, || Page::zeroed().unwrap());
            gone
        };
        self.viewers.take_out(cx, &Gone { identity: self.identity(), pages: length..u64::MAX, goes: &|_, _| true });
        drop(gone);
    }
}

impl PageSource for File {
    fn page(&self, cx: &mut TaskContext, index: u64, _: bool) -> Result<Page, KernelError> {
        self.pages.lock(cx).get(index as usize).cloned().ok_or(KernelError::NotFound)
    }

    fn name(&self) -> String {
        String::from("/file")
    }

    fn identity(&self) -> usize {
        core::ptr::from_ref(self).addr()
    }

    fn viewers(&self) -> Option<&Viewers> {
        Some(&self.viewers)
    }

    fn may_write_shared(&self) -> bool {
        self.writable
    }
}
