//! `/dev/kmsg`: the kernel's log, to be read.
//!
//! Invariant: each opening reads on from where it was; what was overwritten meanwhile is skipped.

use alloc::sync::Arc;
use core::any::Any;

use abi::Errno;
use libkernel::log;
use sync::{Published, TaskContext};

use crate::file::File;
use crate::file::file::{Manner, written};
use crate::fs::Attributes;
use crate::fs::buffer::{self, Sink, Source};
use crate::fs::node::{Node, Place, Written};

/// The log, opened.
pub struct LogDevice {
    node: Arc<dyn Node>,
    place: Published<u64>,
}

impl LogDevice {
    /// The log, opened by this node.
    pub fn new(node: Arc<dyn Node>) -> Self {
        Self { node, place: Published::<u64>::new(0) }
    }
}

impl File for LogDevice {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn attributes(&self, cx: &mut TaskContext) -> Result<Attributes, Errno> {
        self.node.attributes(cx)
    }

    fn node(&self) -> Option<&Arc<dyn Node>> {
        Some(&self.node)
    }

    fn read(&self, cx: &mut TaskContext, _at: u64, _manner: Manner, into: &mut dyn Sink) -> Result<usize, Errno> {
        let mut bytes = buffer::chunk(into.remaining())?;
        let (count, next) = log::read(self.place.load(), &mut bytes);
        if count == 0 {
            return Err(Errno::EAGAIN);
        }
        self.place.store(next);
        into.put(cx, bytes.get(..count).unwrap_or(&[]))?;
        Ok(count)
    }

    fn write(&self, cx: &mut TaskContext, _place: Place, _manner: Manner, from: &mut dyn Source) -> Result<Written, Errno> {
        let total = from.remaining();
        let mut bytes = buffer::chunk(total)?;
        from.take(cx, &mut bytes)?;
        log::info!("{}", alloc::string::String::from_utf8_lossy(bytes.trim_ascii_end()));
        Ok(written(total))
    }
}
