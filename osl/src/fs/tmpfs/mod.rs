//! Files in memory.
//!
//! `node` is the file with its attributes, `directory` the names in one, `content` the pages of one. A file lives as long as a
//! name, an open file or a mapping holds it; its pages are counted against the limit of the file system that it is in.
//!
//! It may stand on a file system that is only read (`lower`): then its files are that one's until they are changed (`origin`).
//! A directory takes over all names at once when it is first looked into, a file one page at a time when it is first written to;
//! so there is nothing to be hidden or merged, and moving a directory moves what is below it.
//!
//! Invariant: a removed directory is empty and takes no more names (`directory`), so nothing is ever lost in one.

mod content;
mod directory;
mod entries;
mod lower;
mod node;
mod origin;
mod pages;
mod volume;

pub use lower::{Lower, LowerNode};
pub use node::LIVING;
pub use volume::{Tmpfs, nameless, start_hidden};
