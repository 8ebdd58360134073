//! How much a space may have.
//!
//! Invariant: a request that would exceed a limit changes nothing.

use super::space::{AddressSpace, Parts};
use crate::error::KernelError;
use crate::memory;
use machine::addr::PAGE_SIZE;
use sync::TaskContext;

/// In bytes, and in regions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    pub address_space: u64,
    /// Of the heap that `set_break` makes.
    pub data: u64,
    /// To which a stack may grow when it is touched below its start, beside the maximum that it was mapped with.
    pub stack: u64,
    pub regions: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { address_space: u64::MAX, data: u64::MAX, stack: u64::MAX, regions: 65_530 }
    }
}

impl AddressSpace {
    pub fn set_limits(&self, cx: &mut TaskContext, limits: Limits) {
        self.edit(cx, |parts, _, _| parts.limits = limits);
    }

    pub fn limits(&self, cx: &mut TaskContext) -> Limits {
        self.look(cx, |parts, _| parts.limits)
    }
}

impl Parts {
    /// May the space grow by so much, counted before anything that goes in exchange?
    pub(super) fn check_growth(&self, bytes: u64) -> Result<(), KernelError> {
        let grown = self.regions.mapped_bytes().checked_add(bytes).ok_or(KernelError::NoMemory)?;
        if grown > self.limits.address_space { Err(KernelError::NoMemory) } else { Ok(()) }
    }

    /// Room in the list, and in the limit, for an edit after which there are `more` regions than now, at most.
    pub(super) fn reserve_regions(&mut self, more: usize) -> Result<(), KernelError> {
        if more > 0 && self.regions.count().saturating_add(more) > self.limits.regions {
            return Err(KernelError::NoMemory);
        }
        self.regions.reserve(more)
    }
}

/// Could the machine ever fill so much private memory? More is refused at once, not when it is touched.
pub(super) fn could_ever_be_filled(bytes: u64) -> bool {
    bytes / PAGE_SIZE as u64 <= memory::statistics().total
}
