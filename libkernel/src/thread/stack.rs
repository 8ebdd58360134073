//! Kernel stacks: sixteen kibibytes each, with a page below that is never mapped.
//!
//! Invariant: a slot number stands for a fixed stretch of addresses and has one owner; a stack that was mapped once
//! stays mapped, in a CPU's cache or a free slot, so giving one back needs no CPU to forget anything.

use crate::error::KernelError;
use crate::memory::kernel_map;
use arrayvec::ArrayVec;
use machine::addr::{PAGE_SIZE, VirtAddr};
use sync::{CpuLocal, IrqOff, MAXIMUM_CPUS, SlotMap};

pub const STACK_PAGES: usize = 4;
pub const STACK_BYTES: usize = STACK_PAGES * PAGE_SIZE;
const SLOT_BYTES: usize = STACK_BYTES + PAGE_SIZE;
const WORDS: usize = 8192;
const CACHED: usize = 16;

type Slots = SlotMap<WORDS>;

static SLOTS: Slots = SlotMap::new();
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
        match kernel_map::map_stack(VirtAddr::new(bottom(slot)), STACK_PAGES) {
            Ok(()) => Ok(Stack { slot }),
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
            SLOTS.free(self.slot);
        }
    }
}

/// What an address in the stacks' part of the kernel half is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StackAddress {
    /// Below this slot's stack: it ran over.
    Guard { slot: usize },
    Inside { slot: usize },
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
