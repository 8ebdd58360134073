//! An open kernel-made text.
//!
//! Invariant: a reader that goes on where it stopped sees one text; reading from the start again makes it anew.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;

use abi::Errno;
use sync::{SpinLock, TaskContext, order};

use super::file::{File, Manner, written};
use crate::fs::Attributes;
use crate::fs::buffer::{self, Sink, Source};
use crate::fs::node::{Node, Place, Written};

/// The most that may be written to such a file at once.
const WRITE_LIMIT: usize = 4096;

/// A node whose content is made when it is read.
pub struct TextFile {
    node: Arc<dyn Node>,
    made: SpinLock<Option<Arc<Vec<u8>>>, order::FileFacts>,
}

impl TextFile {
    /// The node, opened; nothing is made yet.
    pub fn new(node: Arc<dyn Node>) -> Self {
        Self { node, made: SpinLock::new(None) }
    }

    fn text(&self, cx: &mut TaskContext, at: u64) -> Result<Arc<Vec<u8>>, Errno> {
        let made = if at == 0 { None } else { self.made.lock(cx).clone() };
        if let Some(text) = made {
            return Ok(text);
        }
        let text = Arc::new(self.node.text(cx).unwrap_or(Err(Errno::EINVAL))?);
        let before = self.made.lock(cx).replace(text.clone());
        drop(before);
        Ok(text)
    }
}

impl File for TextFile {
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
        let text = self.text(cx, at)?;
        let begin = usize::try_from(at).unwrap_or(usize::MAX);
        let rest = text.get(begin..).unwrap_or(&[]);
        let piece = rest.get(..into.remaining()).unwrap_or(rest);
        into.put(cx, piece)?;
        Ok(piece.len())
    }

    fn write(&self, cx: &mut TaskContext, place: Place, _manner: Manner, from: &mut dyn Source) -> Result<Written, Errno> {
        if from.remaining() > WRITE_LIMIT {
            return Err(Errno::EINVAL);
        }
        let mut bytes = buffer::chunk(from.remaining())?;
        from.take(cx, &mut bytes)?;
        self.node.accept_text(cx, &bytes)?;
        let begin = if let Place::At(at) = place { at } else { 0 };
        Ok(Written { end: begin.saturating_add(bytes.len() as u64), ..written(bytes.len()) })
    }
}
