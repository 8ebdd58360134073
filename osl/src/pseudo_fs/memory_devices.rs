//! `/dev/null`, `zero`, `full`, `random`, `urandom`.
//!
//! Invariant: none of them keeps anything or ever waits.

use alloc::sync::Arc;
use core::any::Any;

use abi::Errno;
use libkernel::random;
use sync::TaskContext;

use crate::file::File;
use crate::file::file::{Manner, written};
use crate::fs::Attributes;
use crate::fs::buffer::{self, CHUNK, Sink, Source};
use crate::fs::node::{Node, Place, Written};

/// Which of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Reads nothing, takes everything.
    Null,
    /// Reads zeros, takes everything.
    Zero,
    /// Reads zeros, takes nothing.
    Full,
    /// Reads random bytes, takes everything.
    Random,
}

/// One of them, opened.
pub struct MemoryDevice {
    kind: Kind,
    node: Arc<dyn Node>,
}

impl MemoryDevice {
    /// The device, opened by this node.
    pub fn new(kind: Kind, node: Arc<dyn Node>) -> Self {
        Self { kind, node }
    }

    fn fill(&self, cx: &mut TaskContext, into: &mut dyn Sink) -> Result<usize, Errno> {
        let mut bytes = buffer::chunk(into.remaining())?;
        let mut done = 0;
        while into.remaining() > 0 {
            let length = into.remaining().min(CHUNK);
            let Some(piece) = bytes.get_mut(..length) else { break };
            if self.kind == Kind::Random {
                random::fill(piece);
            }
            let before = into.remaining();
            if let Err(error) = into.put(cx, piece) {
                return buffer::partial(done + before - into.remaining(), error);
            }
            done += length;
        }
        Ok(done)
    }
}

impl File for MemoryDevice {
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

    fn read(&self, cx: &mut TaskContext, _at: u64, _manner: Manner, into: &mut dyn Sink) -> Result<usize, Errno> {
        if self.kind == Kind::Null { Ok(0) } else { self.fill(cx, into) }
    }

    fn write(&self, _cx: &mut TaskContext, _place: Place, _manner: Manner, from: &mut dyn Source) -> Result<Written, Errno> {
        if self.kind == Kind::Full && from.remaining() > 0 {
            return Err(Errno::ENOSPC);
        }
        Ok(written(from.remaining()))
    }
}
