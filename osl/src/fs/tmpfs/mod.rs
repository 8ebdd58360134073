//! Files in memory.
//!
//! `node` is the file with its attributes, `directory` the names in one, `content` the pages of one. A file lives as long as a
//! name, an open file or a mapping holds it; its pages are counted against the limit of the file system that it is in.
//!
//! Invariant: a removed directory is empty and takes no more names (`directory`), so nothing is ever lost in one.

mod content;
mod directory;
mod entries;
mod node;
mod volume;

pub use node::LIVING;
pub use volume::Tmpfs;
