//! Writing to a terminal.
//!
//! Invariant: one writer at a time has the turn, from the first byte to the last, so what two write at once is not mixed.

use alloc::sync::Arc;

use abi::Errno;
use sync::TaskContext;

use super::jobs;
use super::state::Todo;
use super::terminal::{Opening, Terminal};
use crate::error::restarting;
use crate::file::Manner;
use crate::fs::buffer::{self, Source};

/// The most that is moved under the lock at once.
pub const PIECE: usize = 1024;

impl Terminal {
    /// Writes to the screen; waits while output is stopped or full, and while others write.
    pub fn write(self: &Arc<Self>, cx: &mut TaskContext, opening: Opening, manner: Manner, from: &mut dyn Source) -> Result<usize, Errno> {
        if self.is_hung_up(cx, opening) {
            return Err(Errno::EIO);
        }
        jobs::check_write(cx, self)?;
        let take_turn = |cx: &mut TaskContext| {
            let mut state = self.state.lock(cx);
            (!state.is_writing).then(|| state.is_writing = true)
        };
        self.wait_to_write(cx, manner, take_turn)?;
        let written = self.write_in_turn(cx, opening, manner, from);
        self.state.lock(cx).is_writing = false;
        self.changed.wake_all(cx);
        written
    }

    fn write_in_turn(&self, cx: &mut TaskContext, opening: Opening, manner: Manner, from: &mut dyn Source) -> Result<usize, Errno> {
        let mut bytes = [0; PIECE];
        let mut done = 0;
        while from.remaining() > 0 {
            let length = from.remaining().min(bytes.len());
            let Some(piece) = bytes.get_mut(..length) else { break };
            if let Err(error) = from.take(cx, piece) {
                return buffer::partial(done, error);
            }
            let mut piece: &[u8] = piece;
            while !piece.is_empty() {
                let step = self.wait_to_write(cx, manner, |cx| self.try_write(cx, opening, piece));
                match step.and_then(|written| written) {
                    Ok((count, todo)) => {
                        self.act(cx, todo);
                        done += count;
                        piece = piece.get(count..).unwrap_or(&[]);
                    }
                    Err(error) => return buffer::partial(done, error),
                }
            }
        }
        Ok(done)
    }

    fn wait_to_write<R>(
        &self,
        cx: &mut TaskContext,
        manner: Manner,
        mut attempt: impl FnMut(&mut TaskContext) -> Option<R>,
    ) -> Result<R, Errno> {
        match attempt(cx) {
            Some(answer) => Ok(answer),
            None if manner.nonblocking => Err(Errno::EAGAIN),
            None => self.changed.wait_until_or_interrupted(cx, attempt).map_err(restarting),
        }
    }

    fn try_write(&self, cx: &TaskContext, opening: Opening, bytes: &[u8]) -> Option<Result<(usize, Todo), Errno>> {
        let mut state = self.state.lock(cx);
        if state.hang_ups != opening.hang_ups || (self.has_master() && !state.master.is_open) {
            return Some(Err(Errno::EIO));
        }
        let written = state.write(bytes, self.has_master());
        if written.0 == 0 { None } else { Some(Ok(written)) }
    }
}
