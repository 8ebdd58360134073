//! Kernel stacks: sixteen kibibytes each, with a page below that is never mapped.
//!
//! Invariant: a slot number stands for a fixed stretch of addresses and has one owner. A stack stays mapped when it is
//! dropped, in a CPU's cache or a free slot, so that needs no CPU to forget anything; `give_back_unused` takes the memory
//! of many free slots at once, owning them while it does, and no frame leaves it before every CPU has forgotten them.

use crate::cross_call;
use crate::error::KernelError;
use crate::memory::frames::{self, Owner};
use crate::memory::kernel_map;
use alloc::sync::Arc;
use arrayvec::ArrayVec;
use machine::addr::{Frame, PAGE_SIZE, VirtAddr};
use machine::paging::flush;
use sync::{CpuLocal, CpuSet, IrqOff, MAXIMUM_CPUS, Published, SlotMap, TaskContext};

pub const STACK_PAGES: usize = 4;
pub const STACK_BYTES: usize = STACK_PAGES * PAGE_SIZE;
const SLOT_BYTES: usize = STACK_BYTES + PAGE_SIZE;
const WORDS: usize = 8192;
const CACHED: usize = 16;
/// So many free slots may keep their memory, for the next threads.
const UNUSED_KEPT: usize = 32;
/// So many are taken apart at once.
const BATCH: usize = 32;

type Slots = SlotMap<WORDS>;

static SLOTS: Slots = SlotMap::new();
/// Slots with memory. Written by a slot's owner only.
static MAPPED: Slots = SlotMap::new();
/// How many have memory and no owner.
static UNUSED: Published<usize> = Published::<usize>::new(0);
static CACHE: CpuLocal<ArrayVec<usize, CACHED>> = CpuLocal::new([const { ArrayVec::new_const() }; MAXIMUM_CPUS]);

const _: () = assert!((Slots::CAPACITY * SLOT_BYTES) as u64 <= kernel_map::STACKS_END - kernel_map::STACKS);

/// A mapped stack; dropping it gives the slot back.
pub struct Stack {
    slot: usize,
}

/// The lowest address of the stack itself; its guard page is the one below.
const fn bottom(slot: usize) -> u64 {
    kernel_map::STACKS + (slot * SLOT_BYTES + PAGE_SIZE) as u64
}

/// CPUs start far apart, so that they meet only when memory is full of stacks.
fn start_hint(cpu: usize) -> usize {
    cpu * (Slots::CAPACITY / MAXIMUM_CPUS)
}

impl Stack {
    pub fn take() -> Result<Stack, KernelError> {
        let mut irq = IrqOff::new();
        if let Some(slot) = CACHE.with_mut(&mut irq, |cache| cache.pop()) {
            return Ok(Stack { slot });
        }
        let slot = SLOTS.take(start_hint(sync::cpu::current().index())).ok_or(KernelError::NoMemory)?;
        drop(irq);
        // One whose memory was not all to be had counts as mapped too: what it got is found again.
        if MAPPED.take_this(slot) {
            UNUSED.fetch_add(1);
        }
        match kernel_map::map_stack(VirtAddr::new(bottom(slot)), STACK_PAGES) {
            Ok(()) => {
                UNUSED.fetch_sub(1);
                Ok(Stack { slot })
            }
            Err(error) => {
                SLOTS.free(slot);
                Err(error)
            }
        }
    }

    /// One past its highest address; a multiple of a page.
    pub const fn top(&self) -> u64 {
        bottom(self.slot) + STACK_BYTES as u64
    }

    pub const fn bottom(&self) -> u64 {
        bottom(self.slot)
    }

    /// Gives it away for ever, and returns its top: for a CPU's own stacks.
    pub fn keep(self) -> u64 {
        core::mem::ManuallyDrop::new(self).top()
    }

    pub const fn contains(&self, address: u64) -> bool {
        address >= self.bottom() && address < self.top()
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        let mut irq = IrqOff::new();
        let kept = CACHE.with_mut(&mut irq, |cache| cache.try_push(self.slot).is_ok());
        if !kept {
            UNUSED.fetch_add(1);
            SLOTS.free(self.slot);
        }
    }
}

/// After many threads have ended: no more memory than a few threads need is kept for the next ones.
pub fn trim(cx: &mut TaskContext) {
    while UNUSED.load() > UNUSED_KEPT + BATCH && take_apart(cx) > 0 {}
}

/// Gives back all memory of stacks that nobody uses; answers how many stacks those were.
pub fn give_back_unused(cx: &mut TaskContext) -> usize {
    let mut all = 0;
    loop {
        match take_apart(cx) {
            0 => return all,
            some => all += some,
        }
    }
}

/// The same, with those that each CPU keeps for its next threads.
pub fn give_back_all_unused(cx: &mut TaskContext) -> usize {
    cross_call::on(CpuSet::all_below(MAXIMUM_CPUS), Arc::new(empty_cache), cx);
    give_back_unused(cx)
}

fn empty_cache() {
    let mut irq = IrqOff::new();
    let slots = CACHE.with_mut(&mut irq, core::mem::take);
    for slot in slots {
        UNUSED.fetch_add(1);
        SLOTS.free(slot);
    }
}

/// Takes the memory of some free slots; answers of how many.
fn take_apart(cx: &mut TaskContext) -> usize {
    let slots = own_unused();
    if slots.is_empty() {
        return 0;
    }
    let mut memory = ArrayVec::<Frame, { BATCH * STACK_PAGES }>::new();
    for &slot in &slots {
        kernel_map::unmap_stack(VirtAddr::new(bottom(slot)), STACK_PAGES, |frame| memory.push(frame));
    }
    let forgotten = slots.clone();
    cross_call::on(CpuSet::all_below(MAXIMUM_CPUS), Arc::new(move || forgotten.iter().for_each(|&slot| forget(slot))), cx);
    memory.into_iter().for_each(|frame| frames::give(frame, Owner::Stack));
    for &slot in &slots {
        MAPPED.free(slot);
        UNUSED.fetch_sub(1);
        SLOTS.free(slot);
    }
    slots.len()
}

/// Some slots that have memory and had no owner: they are the caller's now.
fn own_unused() -> ArrayVec<usize, BATCH> {
    let mut owned = ArrayVec::new();
    let mut from = 0;
    while !owned.is_full()
        && let Some(slot) = MAPPED.next_taken(from)
    {
        from = slot + 1;
        if SLOTS.take_this(slot) {
            // Taken apart by another meanwhile: free, but without memory.
            if MAPPED.next_taken(slot) == Some(slot) { owned.push(slot) } else { SLOTS.free(slot) }
        }
    }
    owned
}

fn forget(slot: usize) {
    (0..STACK_PAGES).for_each(|page| flush::page(VirtAddr::new(bottom(slot) + (page * PAGE_SIZE) as u64)));
}

/// What an address in the stacks' part of the kernel half is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StackAddress {
    /// Below this slot's stack: it ran over.
    Guard {
        slot: usize,
    },
    Inside {
        slot: usize,
    },
}

/// For reports: is it a stack's address?
pub fn describe(address: u64) -> Option<StackAddress> {
    let offset = usize::try_from(address.checked_sub(kernel_map::STACKS)?).ok()?;
    let slot = offset / SLOT_BYTES;
    if slot >= Slots::CAPACITY {
        return None;
    }
    Some(if offset % SLOT_BYTES < PAGE_SIZE { StackAddress::Guard { slot } } else { StackAddress::Inside { slot } })
}

/// How many stacks are owned by threads or cached.
pub fn taken() -> usize {
    SLOTS.taken()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_below_a_stack_is_its_guard() {
        for slot in [0, 1, 77, Slots::CAPACITY - 1] {
            let stack = core::mem::ManuallyDrop::new(Stack { slot });
            assert_eq!(stack.top() % PAGE_SIZE as u64, 0);
            assert_eq!(describe(stack.bottom() - 1), Some(StackAddress::Guard { slot }));
            assert_eq!(describe(stack.bottom() - PAGE_SIZE as u64), Some(StackAddress::Guard { slot }));
            assert_eq!(describe(stack.bottom()), Some(StackAddress::Inside { slot }));
            assert_eq!(describe(stack.top() - 1), Some(StackAddress::Inside { slot }));
        }
        assert_eq!(describe(kernel_map::STACKS - 1), None);
        assert_eq!(describe(bottom(Slots::CAPACITY - 1) + STACK_BYTES as u64), None);
    }

    #[test]
    fn cpus_start_in_different_words_of_the_map() {
        let first: std::vec::Vec<usize> = (0..MAXIMUM_CPUS).map(|cpu| start_hint(cpu) / 64).collect();
        assert!(first.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
