//! The memory of a program: what is mapped where, page faults, copying in and out, making CPUs forget.
//!
//! Invariant: the list of regions and the page table of a space change under one lock, and every CPU that may remember
//! a right that was taken away has forgotten it before the lock is released and before any frame is given back.

pub mod address;
mod ahead;
pub mod backing;
mod detach;
mod discard;
mod fault;
mod fork;
pub mod kernel_pages;
pub mod large;
mod limits;
mod map;
mod placement;
mod presence;
mod program_break;
mod protect;
mod regions;
mod remap;
pub mod request;
mod resident;
mod shootdown;
mod space;
mod spare_tables;
mod table;
mod transfer;
pub mod user;
mod viewers;

pub use crate::thread::{Access, Fault};
pub use address::UserAddress;
pub use backing::{Attached, Backing, PageSource, SourceNumber};
pub use limits::Limits;
pub use request::{MapRequest, Placement, Protection, RegionInfo};
pub use space::{AddressSpace, LIVING, borrowed_space, current_space};
pub use viewers::{Gone, Viewers};

#[cfg(test)]
mod tests;
