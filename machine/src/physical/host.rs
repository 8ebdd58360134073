//! The window in tests: RAM is an array.
//!
//! Invariant: the array is made once, never moves, and is the whole RAM of this process, for all of its tests.

use crate::addr::{PAGE_SIZE, PhysAddr};
use std::alloc::{Layout, alloc_zeroed, handle_alloc_error};
use std::sync::OnceLock;

/// The host gives real memory only for what is touched.
pub const RAM_BYTES: u64 = 256 << 20;

struct Ram(*mut u8);

// SAFETY: a pointer to memory that is never freed; who may touch which byte is decided by who owns the frame.
unsafe impl Send for Ram {}
// SAFETY: as above.
unsafe impl Sync for Ram {}

static RAM: OnceLock<Ram> = OnceLock::new();

pub(super) fn pointer(at: PhysAddr) -> *mut u8 {
    assert!(at.as_u64() < RAM_BYTES, "physical address {:#x} is not RAM", at.as_u64());
    let ram = RAM.get_or_init(|| {
        let Ok(layout) = Layout::from_size_align(RAM_BYTES as usize, PAGE_SIZE) else {
            panic!("the size of RAM makes no sense");
        };
        // SAFETY: the size is not 0.
        let start = unsafe { alloc_zeroed(layout) };
        if start.is_null() {
            handle_alloc_error(layout);
        }
        Ram(start)
    });
    // SAFETY: inside the array, as asserted.
    unsafe { ram.0.add(at.as_u64() as usize) }
}
