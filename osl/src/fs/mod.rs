//! Files and directories: what a file system offers, and how a path finds its way.
//!
//! A `Node` is a file of whatever kind; a `Location` is a node as seen through a `Mount`. `lookup` leads from a path to a
//! location with the rights of a `View`; `change` makes, removes and renames entries; `tmpfs` keeps files in memory and
//! `initial_root` fills one from the boot archive (`cpio`). Bytes move through `buffer`.
//!
//! Invariant: no lock of this folder is held while a program's memory is touched, except a file's `Node` mutex, which stands
//! above address spaces in the lock order.

pub mod attributes;
pub mod buffer;
pub mod change;
pub mod context;
pub mod cpio;
pub mod disk;
pub mod ext;
pub mod initial_root;
pub mod lookup;
pub mod mapped_file;
pub mod mount;
pub mod names;
pub mod node;
pub mod page_cache;
pub mod path;
pub mod permission;
pub mod seals;
pub mod tmpfs;

#[cfg(test)]
mod tests;

pub use attributes::{Attributes, Change};
pub use context::FileSystemContext;
pub use lookup::{Found, View};
pub use mount::{Location, Mount};
pub use node::{Identity, Kind, New, Node};
