//! An open directory.
//!
//! Invariant: its position is the node's own, so a listing that is interrupted goes on where it was.

use alloc::sync::Arc;
use core::any::Any;

use abi::Errno;
use sync::TaskContext;

use super::file::{File, Manner};
use crate::fs::Attributes;
use crate::fs::buffer::Sink;
use crate::fs::node::{Entry, Node};

/// A directory, or a file that was opened only to name it.
pub struct NamedFile {
    node: Arc<dyn Node>,
}

impl NamedFile {
    /// The node, opened.
    pub fn new(node: Arc<dyn Node>) -> Self {
        Self { node }
    }
}

impl File for NamedFile {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn attributes(&self, cx: &mut TaskContext) -> Result<Attributes, Errno> {
        self.node.attributes(cx)
    }

    fn node(&self) -> Option<&Arc<dyn Node>> {
        Some(&self.node)
    }

    fn has_position(&self) -> bool {
        true
    }

    fn read(&self, _cx: &mut TaskContext, _at: u64, _manner: Manner, _into: &mut dyn Sink) -> Result<usize, Errno> {
        Err(Errno::EISDIR)
    }

    fn list(&self, cx: &mut TaskContext, from: u64, each: &mut dyn FnMut(Entry<'_>) -> bool) -> Result<(), Errno> {
        self.node.list(cx, from, each)
    }
}
