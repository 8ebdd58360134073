//! Bytes between a pipe and another file without a program's memory.
//!
//! Invariant: what goes into a pipe this way goes in whole or not at all, so its source gives up only what has arrived.

use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::Errno;
use sync::TaskContext;

use super::file::Manner;
use super::open_file::OpenFile;
use super::pipe::{CAPACITY, Pipe, PipeEnd};
use crate::fs::buffer::{CHUNK, KernelSource, Sink, partial};

/// A pipe as the place where the bytes of a read go: never more than it had room for.
struct PipeSink<'a> {
    pipe: &'a Pipe,
    room: usize,
    /// Others filled it meanwhile.
    was_full: bool,
}

impl Sink for PipeSink<'_> {
    fn remaining(&self) -> usize {
        self.room
    }

    fn put(&mut self, cx: &mut TaskContext, bytes: &[u8]) -> Result<(), Errno> {
        match self.pipe.put_whole(cx, bytes) {
            Some(put) => put?,
            None => {
                self.was_full = true;
                return Err(Errno::EAGAIN);
            }
        }
        self.room = self.room.saturating_sub(bytes.len());
        Ok(())
    }
}

/// A file on one side of a splice, and the place to use instead of its position.
pub struct Side {
    pub open: Arc<OpenFile>,
    pub at: Option<u64>,
}

impl Side {
    /// The pipe, if it is one.
    pub fn pipe(&self) -> Option<Arc<Pipe>> {
        self.open.file().as_any().downcast_ref::<PipeEnd>().map(|end| end.pipe().clone())
    }

    fn read(&mut self, cx: &mut TaskContext, into: &mut dyn Sink, manner: Manner) -> Result<usize, Errno> {
        let count = match self.at {
            Some(at) => self.open.read_at(cx, at, into)?,
            None if self.open.file().has_position() => self.open.read(cx, into)?,
            None => self.open.file().read(cx, 0, manner, into)?,
        };
        self.at = self.at.map(|at| at.saturating_add(count as u64));
        Ok(count)
    }

    fn write(&mut self, cx: &mut TaskContext, bytes: &[u8]) -> Result<usize, Errno> {
        let source = &mut KernelSource(bytes);
        let count = match self.at {
            Some(at) => self.open.write_at(cx, at, source)?,
            None => self.open.write(cx, source)?,
        };
        self.at = self.at.map(|at| at.saturating_add(count as u64));
        Ok(count)
    }
}

/// From a file, or from another pipe, into a pipe: what there is, up to what the pipe has room for.
pub fn into_pipe(cx: &mut TaskContext, from: &mut Side, pipe: &Pipe, most: usize, nonblocking: bool) -> Result<usize, Errno> {
    loop {
        let room = pipe.wait_for_room(cx, 1, nonblocking)?;
        let mut sink = PipeSink { pipe, room: room.min(most), was_full: false };
        let manner = Manner { nonblocking: nonblocking || from.open.manner().nonblocking };
        let moved = from.read(cx, &mut sink, manner);
        match moved {
            Err(Errno::EAGAIN) if sink.was_full && !nonblocking => {}
            moved => return moved,
        }
    }
}

/// From a pipe into a file: what there is; waits only for the first byte.
pub fn from_pipe(cx: &mut TaskContext, pipe: &Pipe, to: &mut Side, most: usize, nonblocking: bool) -> Result<usize, Errno> {
    let mut done = 0;
    while done < most {
        let bytes = match pipe.take(cx, CHUNK.min(most - done), nonblocking || done > 0) {
            Ok(bytes) if bytes.is_empty() => break,
            Ok(bytes) => bytes,
            Err(error) => return partial(done, error),
        };
        let mut written = 0;
        while written < bytes.len() {
            let rest = bytes.get(written..).unwrap_or_default();
            match to.write(cx, rest) {
                Ok(count) if count > 0 => written += count,
                outcome => {
                    pipe.give_back(cx, rest);
                    let error = outcome.err().unwrap_or(Errno::EIO);
                    return partial(done + written, error);
                }
            }
        }
        done += written;
    }
    Ok(done)
}

/// Copies what is in a pipe into another; it stays where it is.
pub fn copy(cx: &mut TaskContext, from: &Pipe, to: &Pipe, most: usize, nonblocking: bool) -> Result<usize, Errno> {
    loop {
        let room = to.wait_for_room(cx, 1, nonblocking)?;
        let bytes: Vec<u8> = from.look(cx, room.min(most).min(CAPACITY), nonblocking)?;
        match to.put_whole(cx, &bytes) {
            Some(put) => return put.map(|()| bytes.len()),
            None if nonblocking => return Err(Errno::EAGAIN),
            None => {}
        }
    }
}
