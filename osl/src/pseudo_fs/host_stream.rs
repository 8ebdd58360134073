//! A plain stream of bytes to and from the host: standard input and output of a program that was started with pipes.
//!
//! Invariant: not a terminal; used only when no terminal reads the console, because each byte has one reader.

use alloc::sync::Arc;
use core::any::Any;

use abi::Errno;
use libkernel::device::{Console, ConsoleEvent};
use sync::TaskContext;

use crate::error::restarting;
use crate::file::file::{Manner, Queues, written};
use crate::file::{File, Readiness};
use crate::fs::Attributes;
use crate::fs::buffer::{self, Sink, Source};
use crate::fs::node::{Node, Place, Written};

/// Which of the streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// What the host sends, and where output goes.
    Standard,
    /// Where messages about errors go.
    Errors,
}

/// One opening of a stream.
pub struct HostStream {
    console: &'static dyn Console,
    stream: Stream,
    node: Arc<dyn Node>,
}

impl HostStream {
    /// The stream, opened by this node.
    pub fn new(console: &'static dyn Console, stream: Stream, node: Arc<dyn Node>) -> Self {
        Self { console, stream, node }
    }

    fn next(&self, cx: &mut TaskContext, manner: Manner, bytes: &mut [u8]) -> Result<ConsoleEvent, Errno> {
        if manner.nonblocking {
            return self.console.take_arrived(bytes).ok_or(Errno::EAGAIN);
        }
        self.console.read(cx, bytes).map_err(restarting)
    }
}

impl File for HostStream {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn attributes(&self, cx: &mut TaskContext) -> Result<Attributes, Errno> {
        self.node.attributes(cx)
    }

    fn node(&self) -> Option<&Arc<dyn Node>> {
        Some(&self.node)
    }

    fn read(&self, cx: &mut TaskContext, _at: u64, manner: Manner, into: &mut dyn Sink) -> Result<usize, Errno> {
        if into.remaining() == 0 || self.stream == Stream::Errors {
            return Ok(0);
        }
        let mut bytes = buffer::chunk(into.remaining())?;
        loop {
            match self.next(cx, manner, &mut bytes)? {
                ConsoleEvent::Bytes(count) => {
                    into.put(cx, bytes.get(..count).unwrap_or(&[]))?;
                    return Ok(count);
                }
                ConsoleEvent::End => return Ok(0),
                ConsoleEvent::Window { .. } => {}
            }
        }
    }

    fn write(&self, cx: &mut TaskContext, _place: Place, _manner: Manner, from: &mut dyn Source) -> Result<Written, Errno> {
        let mut bytes = buffer::chunk(from.remaining())?;
        let mut done = 0;
        while from.remaining() > 0 {
            let length = from.remaining().min(bytes.len());
            let Some(piece) = bytes.get_mut(..length) else { break };
            if let Err(error) = from.take(cx, piece) {
                return buffer::partial(done, error).map(written);
            }
            match self.stream {
                Stream::Standard => self.console.write(cx, piece),
                Stream::Errors => self.console.write_error(cx, piece),
            }
            done += length;
        }
        Ok(written(done))
    }

    fn readiness(&self, _cx: &mut TaskContext) -> Readiness {
        let mut ready = Readiness::WRITE;
        ready.set(Readiness::READ, self.stream == Stream::Standard && self.console.is_ready());
        ready
    }

    fn queues(&self) -> Queues<'_> {
        Queues::from_iter([self.console.arrived()])
    }
}
