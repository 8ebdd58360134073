//! Who remembers what of page tables: the kernel's own files, over CPUs that are played.
//!
//! The files of `libkernel` are taken in by their paths and not copied; the CPUs' memory of the tables is played here.
#![cfg(any(loom, shuttle))]
#![allow(dead_code, reason = "no model uses all of a file that it takes in")]

/// The machine is played in this crate too.
extern crate self as machine;

#[path = "../../waiting/src/clock.rs"]
pub mod clock;
#[path = "../../waiting/src/explore.rs"]
pub mod explore;
#[path = "../../../libkernel/src/memory/history.rs"]
pub mod history;
#[path = "../../../libkernel/src/memory/mailbox.rs"]
pub mod mailbox;
#[path = "../../../libkernel/src/memory/tags.rs"]
pub mod tags;
#[path = "../../../libkernel/src/memory/translation.rs"]
pub mod translation;

pub mod buffers;
pub mod paging;

pub mod addr {
    /// Of a root, by number.
    #[derive(Clone, Copy, Debug)]
    pub struct PhysAddr(pub u64);

    /// Of a page, by number.
    #[derive(Clone, Copy, Debug)]
    pub struct VirtAddr(u64);

    impl VirtAddr {
        pub const fn new(page: u64) -> Self {
            VirtAddr(page)
        }

        pub const fn as_u64(self) -> u64 {
            self.0
        }
    }

    /// A page number is an address.
    pub const PAGE_SIZE: usize = 1;
}
