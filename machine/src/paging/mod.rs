//! Page tables: entries, walks, the kernel's own half, and making a CPU forget.
//!
//! Invariant: an entry is read and written as one atomic word, always: the CPUs that walk the tables set bits in it
//! whenever they like. Levels count as in the manual: 4 is the root, 1 holds the pages.

pub mod entry;
#[cfg(test)]
mod fake_frames;
pub mod flush;
pub mod kernel_space;
pub mod release;
pub mod table;
pub mod walk;

pub use entry::{Entry, Flags};
pub use table::{
    FrameSource, LastTable, NoFrames, Slot, change, last_table, lookup, map, new_root, replace, slot, translating_slot, unmap,
};
pub use walk::visit;
