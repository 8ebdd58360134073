//! Physical frames, the heap, the kernel's own part of the address space.
//!
//! Invariant: everything here works with interrupts off and never waits for a thread.

pub mod boot;
pub mod forget;
pub mod frames;
pub mod heap;
mod history;
pub mod kernel_map;
pub mod large_page;
mod mailbox;
#[cfg(test)]
pub(crate) mod on_host;
pub mod page;
mod poison;
mod refusals;
mod room;
mod spare;
mod tags;
pub mod translation;
mod zone;

pub use boot::{initialise, release_initial_root};
pub use frames::{Owner, Statistics, statistics};
pub use large_page::LargePage;
pub use page::Page;
pub use refusals::refuse_by_lot;
pub use room::Room;
pub use translation::Translation;
