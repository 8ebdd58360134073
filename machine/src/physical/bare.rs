//! The window on the machine: the direct map.
//!
//! Invariant: all RAM is mapped at `DIRECT_MAP`, first (its low 4 GiB) by the early tables, then by the final ones.

use super::{DIRECT_MAP, DIRECT_MAP_BYTES};
use crate::addr::PhysAddr;

#[inline]
pub(super) fn pointer(at: PhysAddr) -> *mut u8 {
    assert!(at.as_u64() < DIRECT_MAP_BYTES, "physical address {:#x} is outside the direct map", at.as_u64());
    (DIRECT_MAP + at.as_u64()) as *mut u8
}
