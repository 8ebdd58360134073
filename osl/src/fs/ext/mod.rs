//! Disks with ext2, ext3 or ext4 on them, read only.
//!
//! `layout` knows the bytes of superblock, groups and files, `entries` those of directories, `extents` and `indirect` where a
//! file's blocks are; `volume` is a mounted disk and `node` a file of it, `pages` its contents.
//!
//! Invariant: whatever is on the disk ends in an `Errno`: every read is bounded, every number is checked before it is used, every
//! search ends. What makes no sense is `EUCLEAN`; nothing is ever written.

mod entries;
mod extents;
mod fields;
mod indirect;
mod inline;
mod layout;
mod node;
mod pages;
mod volume;

pub use node::LIVING;
pub use volume::{Volume, is_name};
