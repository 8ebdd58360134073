//! Reading from a terminal.
//!
//! Invariant: what was taken from the line is gone even when its reader's memory turns out to be wild, as on Linux.

use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::Errno;
use abi::terminal::{Termios, character};
use libkernel::clock;
use libkernel::error::KernelError;
use libkernel::wait::Deadline;
use sync::TaskContext;

use super::jobs;
use super::settings::Settings;
use super::state::Todo;
use super::terminal::{Opening, Terminal};
use crate::error::restarting;
use crate::file::Manner;
use crate::fs::buffer::{self, Sink};

/// A tenth of a second, the unit of `VTIME`.
const TENTH_NS: u64 = 100_000_000;

/// What a reader found.
enum Found {
    Bytes(Vec<u8>),
    HungUp,
}

impl Terminal {
    /// Reads what was typed; waits as the settings say (termios(3), the four cases of `VMIN` and `VTIME`).
    pub fn read(self: &Arc<Self>, cx: &mut TaskContext, opening: Opening, manner: Manner, into: &mut dyn Sink) -> Result<usize, Errno> {
        if self.is_hung_up(cx, opening) {
            return Ok(0);
        }
        jobs::check_read(cx, self)?;
        let (is_line, settings) = {
            let state = self.state.lock(cx);
            (state.line.reads_lines(), *state.line.settings())
        };
        let (least, mut deadline, between) = if is_line { (1, None, None) } else { patience(&settings) };
        let mut done = 0;
        while into.remaining() > 0 {
            match self.wait_for_input(cx, opening, manner, into.remaining(), deadline) {
                Ok((Found::Bytes(bytes), todo)) => {
                    self.act(cx, todo);
                    into.put(cx, &bytes)?;
                    done += bytes.len();
                }
                Ok((Found::HungUp, _)) | Err(Errno::ETIMEDOUT) => break,
                Err(error) => return buffer::partial(done, error),
            }
            if is_line || done >= least {
                break;
            }
            deadline = between.map(|pause| clock::now().saturating_add(pause));
        }
        Ok(done)
    }

    /// Waits until there is something to read, and takes up to `most` of it.
    fn wait_for_input(
        &self,
        cx: &mut TaskContext,
        opening: Opening,
        manner: Manner,
        most: usize,
        deadline: Option<u64>,
    ) -> Result<(Found, Todo), Errno> {
        let attempt = |cx: &mut TaskContext| self.try_take(cx, opening, most);
        if let Some(found) = attempt(cx) {
            return Ok(found);
        }
        let deadline = Deadline(deadline);
        if manner.nonblocking && !deadline.has_passed() {
            return Err(Errno::EAGAIN);
        }
        match self.changed.wait_until_or(cx, deadline, true, attempt) {
            Err(KernelError::TimedOut) => Err(Errno::ETIMEDOUT),
            found => found.map_err(restarting),
        }
    }

    fn try_take(&self, cx: &TaskContext, opening: Opening, most: usize) -> Option<(Found, Todo)> {
        let mut state = self.state.lock(cx);
        if state.hang_ups != opening.hang_ups {
            return Some((Found::HungUp, Todo::default()));
        }
        let bytes = state.line.take(most)?;
        Some((Found::Bytes(bytes), state.pump(self.has_master())))
    }
}

/// At least so many bytes, until when the first must come, and how much later each further one.
fn patience(settings: &Termios) -> (usize, Option<u64>, Option<u64>) {
    let least = usize::from(settings.character(character::VMIN));
    let pause = u64::from(settings.character(character::VTIME)) * TENTH_NS;
    if least == 0 { (1, Some(clock::now().saturating_add(pause)), None) } else { (least, None, (pause > 0).then_some(pause)) }
}
