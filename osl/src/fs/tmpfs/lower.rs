//! What a file system in memory may stand on: one that is only read, whose files are its own until they are changed.
//!
//! Invariant: a file below never changes, and nobody but the file system above uses it.

use alloc::sync::Arc;

use abi::Errno;
use libkernel::memory::Page;
use sync::TaskContext;

use super::super::node::Node;

/// A file system that is only read.
pub trait Lower: Send + Sync {
    /// The number of its top directory.
    fn top(&self) -> u64;

    /// No file of it has a larger number.
    fn last_number(&self) -> u64;

    /// The file of that number.
    fn node(&self, cx: &mut TaskContext, number: u64) -> Result<Arc<dyn LowerNode>, Errno>;
}

/// A file of it.
pub trait LowerNode: Send + Sync {
    /// As a node.
    fn as_node(&self) -> &dyn Node;

    /// A page of its bytes, zero beyond their end, shared by all who have it; `None` for a hole.
    fn data(&self, cx: &mut TaskContext, index: u64) -> Result<Option<Page>, Errno>;

    /// Lets go of a page that the caller keeps from now on, and may change.
    fn forget(&self, cx: &TaskContext, index: u64);
}
