//! An open regular file.
//!
//! Invariant: all state is the node's; the opening only adds its position.

use alloc::sync::Arc;
use core::any::Any;

use abi::Errno;
use sync::TaskContext;

use super::file::{File, Manner};
use crate::fs::Attributes;
use crate::fs::buffer::{Sink, Source};
use crate::fs::node::{Node, Place, Written};

/// A regular file whose bytes the node keeps.
pub struct RegularFile {
    node: Arc<dyn Node>,
}

impl RegularFile {
    /// The node, opened.
    pub fn new(node: Arc<dyn Node>) -> Self {
        Self { node }
    }
}

impl File for RegularFile {
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

    fn read(&self, cx: &mut TaskContext, at: u64, _manner: Manner, into: &mut dyn Sink) -> Result<usize, Errno> {
        self.node.read(cx, at, into)
    }

    fn write(&self, cx: &mut TaskContext, place: Place, _manner: Manner, from: &mut dyn Source) -> Result<Written, Errno> {
        self.node.write(cx, place, from)
    }
}
